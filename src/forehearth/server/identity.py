"""Who may call, put together: the keys, the issuers whose tokens are trusted, and the roles of their holders."""

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.secret import Secret
from forehearth.core.settings import Settings
from forehearth.identity.assignments import DEVELOPMENT, Assignments
from forehearth.identity.callers import Callers
from forehearth.identity.development.issuer import DevelopmentIssuer
from forehearth.identity.development.trust import trusted_issuer
from forehearth.identity.issuers import trusted_issuers
from forehearth.identity.keys import KeyRing
from forehearth.identity.tokens import Tokens
from forehearth.ports.fetch import Fetch
from forehearth.server.development import assignments


class Identities(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker knows callers by."""

    callers: Callers
    keys: KeyRing
    """To be told when keys change."""
    tokens: Tokens
    """To be closed in the end."""


def build_identities(
    settings: Settings,
    *,
    key: Secret,
    pepper: bytes,
    fetch: Fetch,
    clock: Clock,
    issuer: DevelopmentIssuer | None = None,
) -> Identities:
    """Everybody whom the configuration knows, and `issuer`'s people. `key` is the development key.

    Raises `Misconfigured` for a role or an issuer that there is not.
    """
    default = settings.server.resource
    trusted = trusted_issuers(settings.identity, fetch, clock)
    given = settings.identity.assignments
    if issuer is not None:
        own = trusted_issuer(issuer.trusted, clock)
        trusted |= {own.iss: own}
        given = (*given, *assignments(issuer))
    names = [*(["entra"] if settings.identity.entra else []), *settings.identity.oidc] or [DEVELOPMENT]
    keys = KeyRing(pepper, development=key, resources=(default, *settings.resources))
    tokens = Tokens(trusted, clock)
    grants_of = Assignments(given, default=default, issuers=names).grants_of
    return Identities(callers=Callers(keys, tokens, grants_of, clock), keys=keys, tokens=tokens)

"""Who may call, put together: the keys, the issuers whose tokens are trusted, and the roles of their holders."""

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.secret import Secret
from forehearth.core.settings import Settings
from forehearth.identity.assignments import DEVELOPMENT, Assignments
from forehearth.identity.callers import Callers
from forehearth.identity.issuers import trusted_issuers
from forehearth.identity.keys import KeyRing
from forehearth.identity.tokens import Tokens
from forehearth.ports.fetch import Fetch


class Identities(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker knows callers by."""

    callers: Callers
    keys: KeyRing
    """To be told when keys change."""
    tokens: Tokens
    """To be closed in the end."""


def build_identities(settings: Settings, *, key: Secret, pepper: bytes, fetch: Fetch, clock: Clock) -> Identities:
    """Everybody whom the configuration knows. `key` is the development key.

    Raises `Misconfigured` for a role that there is not.
    """
    names = (settings.server.resource, *settings.resources)
    issuers = [*(["entra"] if settings.identity.entra else []), *settings.identity.oidc] or [DEVELOPMENT]
    assignments = Assignments(settings.identity.assignments, default=settings.server.resource, issuers=issuers)
    keys = KeyRing(pepper, development=key, resources=names)
    tokens = Tokens(trusted_issuers(settings.identity, fetch, clock), clock)
    callers = Callers(keys, tokens, assignments.grants_of, clock)
    return Identities(callers=callers, keys=keys, tokens=tokens)

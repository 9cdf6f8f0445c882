"""Who may call, put together: the keys, the issuers whose tokens are trusted, and the roles of their holders."""

import msgspec

from forehearth.admin.changes import Changes
from forehearth.admin.disclosures import Disclosures
from forehearth.admin.refusals import Refusals
from forehearth.admin.role_scope import Holders
from forehearth.core.clock import Clock
from forehearth.core.issuers import DEVELOPMENT, ENTRA
from forehearth.core.secret import Secret
from forehearth.core.settings import Settings
from forehearth.identity.assignments import Assignments
from forehearth.identity.callers import Callers
from forehearth.identity.development.issuer import DevelopmentIssuer
from forehearth.identity.development.people import People
from forehearth.identity.development.trust import trusted_issuer
from forehearth.identity.issuers import trusted_issuers
from forehearth.identity.keys import KeyRing
from forehearth.identity.tokens import Tokens
from forehearth.ports.fetch import Fetch
from forehearth.ports.turns import Turns
from forehearth.server.development import assignments
from forehearth.server.tenants import all_resources


class Identities(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker knows callers by."""

    callers: Callers
    keys: KeyRing
    """To be told when keys change."""
    tokens: Tokens
    """To be closed in the end."""
    assignments: Assignments
    """To be told when roles are assigned, or taken away."""
    refusals: Refusals
    """Who is told of those that are not let in."""
    disclosures: Disclosures
    """Who is told of those that are shown a secret."""
    changes: Changes
    """Who is told of what they changed."""


def build_identities(  # noqa: PLR0913 - its parts, each by its name
    settings: Settings,
    *,
    key: Secret,
    pepper: bytes,
    fetch: Fetch,
    clock: Clock,
    turns: Turns | None = None,
    issuer: DevelopmentIssuer | None = None,
) -> Identities:
    """Everybody whom the configuration knows, and `issuer`'s people. `key` is the development key.

    `turns` are those of all workers who ask the same issuers for their keys.

    Raises `Misconfigured` for a role or an issuer that there is not.
    """
    default = settings.server.resource
    trusted = trusted_issuers(settings.identity, fetch, clock, turns)
    if issuer is not None:
        own = trusted_issuer(issuer.trusted, clock)
        trusted |= {own.iss: own}
    given = build_assignments(settings, issuer)
    keys = KeyRing(pepper, development=key, resources=(default, *settings.resources), products=_products(settings))
    tokens = Tokens(trusted, clock)
    callers = Callers(keys, tokens, given.grants_of, clock)
    return Identities(
        callers=callers,
        keys=keys,
        tokens=tokens,
        assignments=given,
        refusals=Refusals(clock),
        disclosures=Disclosures(clock),
        changes=Changes(clock),
    )


def build_assignments(settings: Settings, issuer: DevelopmentIssuer | None = None) -> Assignments:
    """The role assignments of the configuration, and those that `issuer` brings along. Raises `Misconfigured`."""
    return Assignments(
        settings.identity.assignments,
        default=settings.server.resource,
        issuers=_issuers(settings),
        of_the_issuer=() if issuer is None else assignments(issuer),
    )


def holders(settings: Settings) -> Holders:
    """To whom roles can be assigned."""
    entra = settings.identity.entra
    return Holders(
        issuers=_issuers(settings),
        directories=frozenset() if entra is None else frozenset(map(str.lower, entra.tenants)),
        development=People(settings.identity.development).ids(),
    )


def _issuers(settings: Settings) -> tuple[str, ...]:
    """Whose ids there are; the development issuer's where nobody else is trusted."""
    identity = settings.identity
    return (*((ENTRA,) if identity.entra else ()), *identity.oidc) or (DEVELOPMENT,)


def _products(settings: Settings) -> dict[str, dict[str, frozenset[str] | None]]:
    """By resource, the products that its keys may be of, and which deployments each has."""
    return {
        name: {
            product: None if its.deployments is None else frozenset(its.deployments)
            for product, its in resource.products.items()
        }
        for name, resource in all_resources(settings).items()
    }

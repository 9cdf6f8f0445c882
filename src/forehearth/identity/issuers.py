"""Whose tokens are trusted, and what for."""

from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.errors import Misconfigured
from forehearth.core.identity_settings import EntraSettings, IdentitySettings, OidcSettings
from forehearth.core.issuers import DEVELOPMENT, ENTRA, entra_issuers, is_safe
from forehearth.identity.key_sets import KeySet
from forehearth.ports.fetch import Fetch
from forehearth.ports.turns import Turns

AUDIENCES = frozenset(
    {
        "https://ai.azure.com",
        "https://cognitiveservices.azure.com",
        "https://ml.azure.com",
        "https://ai.cognitiveservices.com",
    }
)
"""The audiences that Foundry documents. A slash at the end makes no difference."""

_ENTRA_ALGORITHMS = frozenset({"RS256"})
_TAKEN = frozenset({ENTRA, DEVELOPMENT})
"""Names that assignments know other issuers by."""


class TrustedIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """One issuer: tokens have exactly its `iss`, one of its algorithms, one of its audiences."""

    name: str
    """What it is called in logs and the audit log."""
    iss: str
    audiences: frozenset[str]
    """Without a slash at the end."""
    algorithms: frozenset[str]
    keys: KeySet
    tenant: str = ""
    """Where it is a directory: what its tokens must have as `tid`."""


def trusted_issuers(
    settings: IdentitySettings, fetch: Fetch, clock: Clock, turns: Turns | None = None
) -> dict[str, TrustedIssuer]:
    """Every issuer of the configuration, by its `iss`. `turns` are those of all workers who ask them for keys.

    Raises `Misconfigured` where two are the same, one has a name that means another, or its keys could be anybody's.
    """
    key_sets = partial(KeySet, fetch=fetch, clock=clock, turns=turns)
    found = {issuer.iss: issuer for issuer in _entra(settings.entra, key_sets)} if settings.entra else {}
    for name, each in settings.oidc.items():
        if name in _TAKEN:
            raise Misconfigured(f"identity.oidc.{name}: this name is taken: choose another")
        if each.issuer in found:
            other = found[each.issuer].name
            raise Misconfigured(f"identity.oidc.{name}.issuer: {other} has the same: name an issuer once")
        found[each.issuer] = _oidc(name, each, key_sets)
    return found


def _entra(settings: EntraSettings, key_sets: Callable[..., KeySet]) -> Iterator[TrustedIssuer]:
    """A directory's two issuers. Both forms of token are signed with the same keys."""
    authority = settings.authority.rstrip("/")
    _check("identity.entra.authority", authority)
    audiences = AUDIENCES | {each.removesuffix("/") for each in settings.audiences}
    for tenant in (each.lower() for each in settings.tenants):
        forms = entra_issuers(authority, tenant)
        keys = key_sets(forms[1], url=f"{authority}/{tenant}/discovery/v2.0/keys")
        for iss in forms:
            yield TrustedIssuer(
                name=ENTRA, iss=iss, audiences=audiences, algorithms=_ENTRA_ALGORITHMS, keys=keys, tenant=tenant
            )


def _oidc(name: str, settings: OidcSettings, key_sets: Callable[..., KeySet]) -> TrustedIssuer:
    where = "issuer" if settings.keys_url is None else "keys_url"
    _check(f"identity.oidc.{name}.{where}", settings.keys_url or settings.issuer)
    return TrustedIssuer(
        name=name,
        iss=settings.issuer,
        audiences=frozenset(each.removesuffix("/") for each in settings.audiences),
        algorithms=frozenset(settings.algorithms),
        keys=key_sets(settings.issuer, url=settings.keys_url),
    )


def _check(key: str, url: str) -> None:
    """Whoever is on the way of unencrypted keys can put in their own, and then make tokens."""
    if not is_safe(url):
        raise Misconfigured(f"{key}: keys are not fetched over http from another machine: use https")

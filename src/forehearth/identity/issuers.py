"""Whose tokens are trusted, and what for."""

from collections.abc import Iterator

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.identity_settings import EntraSettings, IdentitySettings, OidcSettings
from forehearth.identity.key_sets import KeySet
from forehearth.ports.fetch import Fetch

AUDIENCES = frozenset(
    {
        "https://ai.azure.com",
        "https://cognitiveservices.azure.com",
        "https://ml.azure.com",
        "https://ai.cognitiveservices.com",
    }
)
"""The audiences that Foundry documents. A slash at the end makes no difference."""

_V1 = "https://sts.windows.net/{tenant}/"
_V2 = "{authority}/{tenant}/v2.0"
_ENTRA_ALGORITHMS = frozenset({"RS256"})


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


def trusted_issuers(settings: IdentitySettings, fetch: Fetch, clock: Clock) -> dict[str, TrustedIssuer]:
    """Every issuer of the configuration, by its `iss`."""
    found = list(_entra(settings.entra, fetch, clock)) if settings.entra else []
    found += [_oidc(name, each, fetch, clock) for name, each in settings.oidc.items()]
    return {issuer.iss: issuer for issuer in found}


def _entra(settings: EntraSettings, fetch: Fetch, clock: Clock) -> Iterator[TrustedIssuer]:
    """A directory's two issuers. Both forms of token are signed with the same keys."""
    authority = settings.authority.rstrip("/")
    audiences = AUDIENCES | {each.removesuffix("/") for each in settings.audiences}
    for tenant in (each.lower() for each in settings.tenants):
        forms = [form.format(authority=authority, tenant=tenant) for form in (_V1, _V2)]
        keys = KeySet(forms[1], url=f"{authority}/{tenant}/discovery/v2.0/keys", fetch=fetch, clock=clock)
        for iss in forms:
            yield TrustedIssuer(
                name="entra", iss=iss, audiences=audiences, algorithms=_ENTRA_ALGORITHMS, keys=keys, tenant=tenant
            )


def _oidc(name: str, settings: OidcSettings, fetch: Fetch, clock: Clock) -> TrustedIssuer:
    return TrustedIssuer(
        name=name,
        iss=settings.issuer,
        audiences=frozenset(each.removesuffix("/") for each in settings.audiences),
        algorithms=frozenset(settings.algorithms),
        keys=KeySet(settings.issuer, url=settings.keys_url, fetch=fetch, clock=clock),
    )

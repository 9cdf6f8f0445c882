"""Makes the development issuer one of those whose tokens are accepted. Its keys come from memory: nobody is asked."""

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.issuers import DEVELOPMENT
from forehearth.identity.development.issuer import Trusted
from forehearth.identity.development.payloads import ALGORITHM
from forehearth.identity.issuers import AUDIENCES, TrustedIssuer
from forehearth.identity.key_sets import KeySet


def trusted_issuer(trusted: Trusted, clock: Clock) -> TrustedIssuer:
    """The issuer as `identity.tokens.Tokens` takes it, to be put beside the others under its `iss`."""
    document = msgspec.json.encode(trusted.keys)

    async def known(url: str) -> bytes:  # noqa: ARG001 - see `ports.fetch`
        return document

    return TrustedIssuer(
        name=DEVELOPMENT,
        iss=trusted.issuer,
        audiences=AUDIENCES,
        algorithms=frozenset({ALGORITHM}),
        keys=KeySet(trusted.issuer, url=trusted.issuer, fetch=known, clock=clock),
        tenant=trusted.tenant,
    )

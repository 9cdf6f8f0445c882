"""Bearer tokens: whether one is genuine and good here, and whose it is.

In this order, so that nothing costly or believed comes before what guards it: size and form; the issuer, read
unverified and only to choose among those that are trusted; the algorithm, pinned for that issuer; the key; the
signature; times, audience, directory; what it says of its holder. A caller hears the same words whatever was wrong.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Mapping

from forehearth.core.clock import Clock
from forehearth.core.errors import NotAuthenticated
from forehearth.identity.claims import Claims, Untrue, check_audience, check_times, check_use, read
from forehearth.identity.issuers import TrustedIssuer
from forehearth.identity.key_sets import KeySet
from forehearth.identity.token_text import LONGEST, TokenText, Unreadable, parse
from forehearth.identity.verifying_key import VerifyingKey

REFUSED = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect (https://ai.azure.com), or have expired."
)
KEPT = 4_096
"""Tokens that are remembered as good."""

_log = logging.getLogger("forehearth.identity")


class Tokens:
    """Verifies tokens of the issuers that are trusted, by their `iss`.

    A good token is remembered by the hash of all of it, until it expires or its key is its issuer's no more.
    """

    def __init__(self, issuers: Mapping[str, TrustedIssuer], clock: Clock) -> None:
        self._issuers = issuers
        self._clock = clock
        self._good: OrderedDict[bytes, tuple[Claims, KeySet, str, VerifyingKey]] = OrderedDict()

    def verify(self, token: bytes) -> Claims | Awaitable[Claims]:
        """What `token` says: at once, or an awaitable where its issuer's keys have to be fetched first.

        Either raises `NotAuthenticated`.
        """
        if len(token) > LONGEST:
            raise _refused("it is too long")
        digest = hashlib.sha256(token).digest()
        known = self._known(digest)
        if known is not None:
            return known
        try:
            text = parse(token)
            issuer = self._issuer_of(text)
            key = issuer.keys.find(text.key_id)
            if key is not None:
                return self._judge(digest, text, issuer, key)
        except (Unreadable, Untrue) as error:
            raise _refused(str(error)) from None
        if not issuer.keys.may_fetch:
            raise _refused("its key is not known, and its issuer was asked a moment ago")
        return self._once_fetched(digest, text, issuer)

    def known(self, token: bytes) -> Claims | None:
        """What a token says that was found true before and is still good; None for all others."""
        return None if len(token) > LONGEST else self._known(hashlib.sha256(token).digest())

    def _known(self, digest: bytes) -> Claims | None:
        kept = self._good.get(digest)
        if kept is None:
            return None
        claims, keys, key_id, verified_by = kept
        if self._clock.unix() < claims.expires and keys.find(key_id) is verified_by:
            return claims
        del self._good[digest]
        return None

    async def aclose(self) -> None:
        """End what is under way."""
        for issuer in self._issuers.values():
            await issuer.keys.aclose()

    async def _once_fetched(self, digest: bytes, text: TokenText, issuer: TrustedIssuer) -> Claims:
        await issuer.keys.refreshed()
        key = issuer.keys.find(text.key_id)
        if key is None:
            raise _refused("its issuer has no such key")
        try:
            return self._judge(digest, text, issuer, key)
        except Untrue as error:
            raise _refused(str(error)) from None

    def _issuer_of(self, text: TokenText) -> TrustedIssuer:
        claimed = text.payload.get("iss")
        issuer = self._issuers.get(claimed) if isinstance(claimed, str) else None
        if issuer is None:
            raise Untrue("its issuer is not trusted here")
        if text.algorithm not in issuer.algorithms:
            raise Untrue("its algorithm is none of its issuer's")
        return issuer

    def _judge(self, digest: bytes, text: TokenText, issuer: TrustedIssuer, key: VerifyingKey) -> Claims:
        if not key.verifies(text.algorithm, text.signed, text.signature):
            raise Untrue("its signature is wrong")
        payload = text.payload
        expires = check_times(payload, self._clock.unix())
        check_audience(payload, issuer.audiences, is_entra=bool(issuer.tenant))
        if issuer.tenant and str(payload.get("tid", "")).lower() != issuer.tenant:
            raise Untrue("it is of another directory")
        check_use(payload, is_entra=bool(issuer.tenant))
        claims = read(payload, issuer=issuer.name, tenant=issuer.tenant, expires=expires)
        if len(self._good) >= KEPT:
            self._good.popitem(last=False)
        self._good[digest] = (claims, issuer.keys, text.key_id, key)
        return claims


def _refused(reason: str) -> NotAuthenticated:
    _log.info("a token is refused: %s", reason)
    return NotAuthenticated(REFUSED)

"""The compact form of a signed token (RFC 7515), read strictly: whatever two readers could read differently is refused.

    token = BASE64URL(header) "." BASE64URL(payload) "." BASE64URL(signature)

Header and payload are JSON objects without a repeated member, at any depth. The encoding is the canonical one: no
padding, no stray bits, no blanks. A header may not say where keys are, carry one, or name an extension.
"""

import base64
import json
import re
from typing import Any

import msgspec

LONGEST = 16_384
"""Bytes of a token; the largest that issuers make are a few thousand."""

_FORM = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_REFUSED_MEMBERS = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"})
_LONGEST_KEY_ID = 256


class Unreadable(ValueError):
    """A token that is none. The message is for the log, and has nothing of the token in it."""


class TokenText(msgspec.Struct, frozen=True, kw_only=True):
    """A token's parts, of which nothing is known to be true yet."""

    algorithm: str
    key_id: str
    payload: dict[str, Any]
    signed: bytes
    """What the signature is over."""
    signature: bytes


def parse(token: bytes) -> TokenText:
    """Read a token. Raises `Unreadable`."""
    if len(token) > LONGEST:
        raise Unreadable("it is too long")
    if _FORM.fullmatch(token) is None:
        raise Unreadable("it is not of three base64url parts")
    first, second, third = token.split(b".")
    header = _object(_decoded(first), "header")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise Unreadable("its header has no algorithm")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _LONGEST_KEY_ID:
        raise Unreadable("its header has no usable key id")
    if not _REFUSED_MEMBERS.isdisjoint(header):
        raise Unreadable("its header has a member that is not taken from a token")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Unreadable("its header names another type")
    return TokenText(
        algorithm=algorithm,
        key_id=key_id,
        payload=_object(_decoded(second), "payload"),
        signed=first + b"." + second,
        signature=_decoded(third),
    )


def _decoded(part: bytes) -> bytes:
    if len(part) % 4 == 1:
        raise Unreadable("a part is not base64url")
    decoded = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part:
        raise Unreadable("a part is not in the canonical form of base64url")
    return decoded


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unreadable(f"its {what} is not JSON as it should be") from None
    if not isinstance(value, dict):
        raise Unreadable(f"its {what} is not an object")
    return value


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_constant(_: str) -> None:
    raise ValueError

"""The text of a key: a mark, 256 random bits, and a check sum that tells a typing mistake from a key nobody knows."""

import base64
import re
import zlib
from collections.abc import Callable

from forehearth.core.secret import Secret

PREFIX = "fh-"
HINT = 4
"""How many of its last characters may be shown, to tell keys apart."""
RANDOM_BYTES = 32
_CHECK = 6
_FORM = re.compile(r"fh-[A-Za-z0-9_-]{49}")
_LIKE_A_KEY = re.compile(r"fh-[A-Za-z0-9_-]{20,}")


def new_key(randomness: Callable[[int], bytes]) -> Secret:
    """A new key, of random bytes that `randomness` gives: `secrets.token_bytes`, for whoever means it."""
    body = PREFIX + _letters(randomness(RANDOM_BYTES))
    return Secret(body + _check(body))


def is_whole(text: str) -> bool:
    """Whether this was once made by `new_key`, and not mistyped or cut since."""
    return _FORM.fullmatch(text) is not None and text[-_CHECK:] == _check(text[:-_CHECK])


def is_mistyped(text: str) -> bool:
    """Whether this has the form of a key of `new_key`, and cannot be one."""
    return _FORM.fullmatch(text) is not None and not is_whole(text)


def masked(text: str) -> str:
    """The text without what looks like a key, or like a part of one: people paste keys where they do not belong."""
    return _LIKE_A_KEY.sub("fh-***", text)


def hint(key: Secret) -> str:
    """What may be shown of a key."""
    return key.reveal()[-HINT:]


def _check(body: str) -> str:
    return _letters(zlib.crc32(body.encode()).to_bytes(4, "big"))


def _letters(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

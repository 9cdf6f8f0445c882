"""Codes by which a person signs in on another screen (RFC 8628): begun, approved, redeemed once.

device code   long, for the program that waits; kept as a hash
user code     short, for the person: eight consonants, so that it spells nothing and no letter looks like a digit
"""

import hashlib
import math
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.secret import Secret
from forehearth.identity.development.denied import Denied
from forehearth.identity.development.people import Person

LIFE_SECONDS: Final = 900
INTERVAL_SECONDS: Final = 2
"""How long a program waits between two questions."""
MOST: Final = 64
"""Codes that are open at the same time."""

_SOONEST: Final = 1.0
"""A question that comes sooner after the last is told to slow down."""
_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
_LETTERS: Final = 8
_DRAWN_BYTES: Final = 16
"""So many more than eight letters need that each is as likely as the others."""
_DEVICE_BYTES: Final = 32


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a program asks for."""

    client_id: str
    audience: str
    scope: str


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What the program gets: its own code, and the one to show."""

    device_code: Secret
    user_code: str


class _Open(msgspec.Struct, kw_only=True):
    wish: Wish
    user_code: str
    ends: float
    asked: float = -math.inf
    person: Person | None = None


class DeviceCodes:
    """All that are open."""

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._open: dict[bytes, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, wish: Wish) -> Begun:
        """Open one. Raises `Denied` while too many are open."""
        now = self._clock.monotonic()
        self._open = {digest: each for digest, each in self._open.items() if now < each.ends + LIFE_SECONDS}
        if sum(now < each.ends for each in self._open.values()) >= MOST:
            raise Denied("temporarily_unavailable", 90033, "Too many sign-ins are open. Try again later.", status=503)
        device_code = urlsafe_b64encode(self._random_bytes(_DEVICE_BYTES)).rstrip(b"=").decode()
        user_code = self._user_code()
        self._open[_digest(device_code)] = _Open(wish=wish, user_code=user_code, ends=now + LIFE_SECONDS)
        return Begun(device_code=Secret(device_code), user_code=f"{user_code[:4]}-{user_code[4:]}")

    def approve(self, user_code: str, person: Person) -> Wish:
        """Let the program that shows this code act for `person`; what it asked for. Raises `Denied`."""
        plain = "".join(letter for letter in user_code.upper() if letter.isalnum())
        now = self._clock.monotonic()
        for each in self._open.values():
            if each.user_code == plain and now < each.ends and each.person is None:
                each.person = person
                return each.wish
        raise Denied("invalid_request", 70019, "There is no such code, it has expired, or it was approved before.")

    def redeem(self, device_code: str, client_id: str) -> tuple[Person, Wish]:
        """Who approved, and what: once. Raises `Denied`, with what to do next as `error`."""
        digest = _digest(device_code)
        found = self._open.get(digest)
        if found is None or found.wish.client_id != client_id.lower():
            raise Denied("bad_verification_code", 70000, "This device code is not known here, or was used before.")
        now = self._clock.monotonic()
        if now >= found.ends:
            del self._open[digest]
            raise Denied("expired_token", 70020, "This device code has expired. Begin again.")
        if found.person is not None:
            del self._open[digest]
            return found.person, found.wish
        soon = now < found.asked + _SOONEST
        found.asked = now
        if soon:
            raise Denied("slow_down", 50196, f"Ask every {INTERVAL_SECONDS} seconds at most.")
        raise Denied("authorization_pending", 70016, "Nobody has approved this device code yet. Ask again.")

    def _user_code(self) -> str:
        taken = {each.user_code for each in self._open.values()}
        while True:
            drawn = int.from_bytes(self._random_bytes(_DRAWN_BYTES), "big")
            code = "".join(_ALPHABET[drawn // len(_ALPHABET) ** place % len(_ALPHABET)] for place in range(_LETTERS))
            if code not in taken:
                return code


def _digest(device_code: str) -> bytes:
    return hashlib.sha256(device_code.encode()).digest()

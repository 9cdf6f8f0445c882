"""What becomes of one call, written down while it goes its way: the one noun that grows with the call.

    gateway      makes it with the call, and closes it when the last byte is out or the client is gone
    policies     write what they decided; what they owe at the end (`settle`, `journal`) they leave as `at_end`
    routing      writes every attempt
    at the end   the ledger, `explain` and the metrics read it

A stream ends in many ways, and each policy that wrapped it to see the end would cost every piece of it. So the end is
in one place: `close` runs what was left with `at_end`, the last left first, once. Whoever still has something to learn
after the reply is over (a stream that is drained to its usage) `hold`s the record open.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from forehearth.core.usage import Usage


class Attempt(msgspec.Struct, kw_only=True, array_like=True):
    """One try at one backend. The ledger keeps it by the order of its members: new ones are added at the end."""

    backend: str
    began: float
    """On the monotonic clock."""
    outcome: str = ""
    """`ok`, or the code of what went wrong; empty while it lasts."""
    status: int = 0
    """What the backend answered; 0 when it did not."""
    seconds: float = 0.0
    """Until its answer began, or it failed."""
    may_have_used: bool = True
    """Whether it may have used tokens: not where it is certain, or as good as, that nothing was carried out."""
    usage: Usage | None = None


class Touched(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A limit that a call was held against. Kept by the order of its members, too."""

    name: str
    """As the configuration has it: `deployments.gpt-4o.limits[0].tokens_per_minute`."""
    reserved: int
    left: int
    """What was left of it after the reservation."""


class CallRecord(msgspec.Struct, kw_only=True):
    """The notes of one call. Times are on the monotonic clock; tokens are of the caller, who pays for one answer."""

    deployment: str = ""
    """The label of the deployment that served; routes and fall-through are resolved by then."""
    backend: str = ""
    """The one whose answer went out."""
    model: str = ""
    """The model's name there."""
    attempts: list[Attempt] = []
    estimated: int = 0
    """The upper bound of the prompt's tokens that was reserved."""
    reserved: int = 0
    """Tokens held before the call: prompt and output bound."""
    usage: Usage | None = None
    """The truth, where it is known; as the backend reported it, or counted here (`usage.counted`)."""
    cut: bool = False
    """Whether the answer ended before its usage was known: client gone, stream broken off."""
    queued: float = 0.0
    """Seconds in which it waited for its turn."""
    first_byte: float | None = None
    """Seconds from its head to the first byte of the answer."""
    status: int = 0
    """What the caller got; 499 where it left."""
    outcome: str = ""
    """`ok`, or the code of what it was refused or failed with; `client_left`, `server_stopped`."""
    cache: Literal["", "hit", "miss", "shadow"] = ""
    limits: list[Touched] = []
    words: list[tuple[str, str]] = []
    """What each policy said, for `explain`: the policy's name and a sentence without the caller's text."""
    arrived: float = 0.0
    """When its head did, in Unix seconds, as the ledger has it; 0 where the ledger does not know of it."""
    account: tuple[object, ...] | None = None
    """Who asked what of which deployment, as the ledger has it, once that was written down."""
    _holds: int = 1
    _at_end: list[Callable[["CallRecord"], None]] = []

    def say(self, policy: str, word: str) -> None:
        """Note a policy's word."""
        self.words.append((policy, word))

    def at_end(self, owed: Callable[["CallRecord"], None]) -> None:
        """Leave what is to be done when all is known. It must not raise and must not wait."""
        self._at_end.append(owed)

    def hold(self) -> None:
        """Keep it open beyond the reply; `close` is owed once more."""
        self._holds += 1

    def close(self) -> None:
        """The reply is over, or a hold is; with the last of them everything owed is done, the last left first."""
        self._holds -= 1
        while self._holds == 0 and self._at_end:
            self._at_end.pop()(self)

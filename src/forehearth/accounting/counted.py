"""What is counted against a limit, what a call has taken of it, and the word that there is not enough."""

from typing import Protocol

import msgspec

from forehearth.core.windows import Period


class Denied(Exception):
    """There is not enough: `left` of it is left, and in `frees_in` seconds more, as far as can be said."""

    def __init__(self, left: int, frees_in: float) -> None:
        super().__init__()
        self.left = left
        self.frees_in = frees_in


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Which counter it is, and how it counts."""

    counter: str
    limit: int
    period: Period | None = None
    """None: at the same time."""
    sliding: bool = False
    waits: bool = False
    kept: int = 0
    """See `core.counter.Ask`."""


class Lender(Protocol):
    """What a hold was taken from."""

    def give(self, amount: int, stamp: float) -> None:
        """Take back some of what was taken then; a negative amount is more of it."""
        ...

    def retake(self, amount: int, stamp: float) -> float | None:
        """Count what was taken then as if it were taken now, and return when that is; None where it does not fit."""
        ...

    def frees_in(self, amount: int, now: float) -> float:
        """Seconds until so much may be free."""
        ...


class Hold(msgspec.Struct):
    """What one call has taken of one counter."""

    lease: Lender
    amount: int
    stamp: float
    """What its lender knows it by."""
    left: int
    """What was left besides when it was taken, as far as this worker knew."""

    def settle(self, used: int) -> None:
        """The call used so much, which may be more than was taken. What it did not use is free again."""
        unused = self.amount - used
        if unused:
            self.amount = used
            self.lease.give(unused, self.stamp)

    def renew(self) -> bool:
        """Let it count from now on, if it was taken before. False, and nothing is held, where that does not fit."""
        stamp = self.lease.retake(self.amount, self.stamp)
        if stamp is None:
            self.amount = 0
            return False
        self.stamp = stamp
        return True

"""What one worker holds of a counter, and what is in use of it. No I/O, and nothing waits.

    Windowed   tokens, requests or money of a fixed window: leased, and spent
    Sliding    a share of what may be used in any 60 seconds
    Slots      a share of what may be in use at the same time

What is taken counts whole at that moment, which `take` returns as a stamp; `give` with that stamp takes some of it
back. Amounts that turn out larger than what was taken are owed, so `free` may be negative.
"""

from collections import deque
from typing import Protocol

from forehearth.core.clock import Clock
from forehearth.core.counter import Grant
from forehearth.core.windows import Period

MINUTE = 60.0
STEP = 0.25
"""Seconds that a sliding window counts as one instant, the last of them: it is so much longer than a minute."""


class LaidDown:
    """What was taken out of a holding to be given back, and what is owed: see `core.counter.Ask`."""

    __slots__ = ("given", "over", "window")

    def __init__(self, given: int, over: int, window: int = 0) -> None:
        self.given = given
        self.over = over
        self.window = window


class Holding(Protocol):
    """Common to the three."""

    lasts: float
    tail: float
    """See `core.counter.Ask`. Both are 0 for what is no share."""

    @property
    def stamp(self) -> float:
        """When what was taken last counts."""
        ...

    def free(self, now: float) -> int:
        """How much can be taken now (monotonic, as everywhere here). Below 0, so much is owed."""
        ...

    def take(self, amount: int, now: float) -> float:
        """Take what is free, and return when it counts."""
        ...

    def spend(self, amount: int, now: float) -> int | None:
        """Take so much if it is free; what is free then, or None where it was not."""
        ...

    def give(self, amount: int, stamp: float) -> None:
        """Take back some of what was taken then; a negative amount is more of it."""
        ...

    def counts(self, stamp: float, now: float) -> bool:
        """Whether what was taken then counts as if it were taken now."""
        ...

    def lay_down(self, now: float, keep: int = 0) -> LaidDown:
        """Take out what is free beyond `keep`, and what is owed, to tell the store."""
        ...

    def pick_up(self, grant: Grant, asked: float) -> None:
        """Take in what the store granted to a question of that time."""
        ...

    def frees_in(self, amount: int, now: float) -> float:
        """Seconds until so much may be free, as far as can be said here."""
        ...

    def in_use(self, now: float) -> int:
        """How much of a share is in use, which has to be made to last; 0 for what is no share."""
        ...


class Windowed:
    """A lease of a fixed window. It ends with the window, by either clock: the calendar may be set ahead."""

    __slots__ = ("_by_minute", "_clock", "_ends", "_ends_unix", "_free", "lasts", "stamp", "tail")

    def __init__(self, clock: Clock, period: Period) -> None:
        self._clock = clock
        self._by_minute = period is Period.MINUTE
        self.stamp = 0
        """The window."""
        self._free = 0
        self._ends = 0.0
        self._ends_unix = 0.0
        self.lasts = self.tail = 0.0

    def free(self, now: float) -> int:
        """See `Holding`."""
        return self._free if now < self._ends and (self._by_minute or self._is_current(now)) else 0

    def take(self, amount: int, now: float) -> float:  # noqa: ARG002 - the protocol's shape
        """See `Holding`."""
        self._free -= amount
        return self.stamp

    def spend(self, amount: int, now: float) -> int | None:
        """See `Holding`."""
        left = self._free - amount
        if left < 0 or now >= self._ends or not (self._by_minute or self._is_current(now)):
            return None
        self._free = left
        return left

    def give(self, amount: int, stamp: float) -> None:
        """See `Holding`. Of a window that is over, nothing comes back."""
        if stamp == self.stamp:
            self._free += amount

    def counts(self, stamp: float, now: float) -> bool:
        """See `Holding`."""
        return stamp == self.stamp and self._is_current(now)

    def lay_down(self, now: float, keep: int = 0) -> LaidDown:
        """See `Holding`."""
        free = self._free if self._is_current(now) else 0
        given, over = max(0, free - keep), max(0, -free)
        self._free = free - given + over
        return LaidDown(given, over, self.stamp)

    def pick_up(self, grant: Grant, asked: float) -> None:
        """See `Holding`."""
        if grant.window != self.stamp:
            self.stamp, self._free = grant.window, 0
        self._free += sum(grant.granted) + grant.spare
        self._ends = asked + grant.ends_in
        self._ends_unix = self._clock.unix() - (self._clock.monotonic() - asked) + grant.ends_in

    def frees_in(self, amount: int, now: float) -> float:  # noqa: ARG002 - the protocol's shape; all of it is free at once
        """See `Holding`: with the next window."""
        return max(0.0, self._ends - now)

    def in_use(self, now: float) -> int:  # noqa: ARG002 - the protocol's shape
        """See `Holding`."""
        return 0

    def _is_current(self, now: float) -> bool:
        return now < self._ends and (self._by_minute or self._clock.unix() < self._ends_unix)


class _Share:
    """A part of a limit, held until it lapses, of which some is in use."""

    __slots__ = ("_held", "_lapses", "_used", "lasts", "stamp", "tail")

    def __init__(self, *, lasts: float, tail: float) -> None:
        self._held = 0
        self._used = 0
        self._lapses = 0.0
        self.lasts = lasts
        self.tail = tail
        self.stamp = 0.0

    def spend(self, amount: int, now: float) -> int | None:
        """See `Holding`."""
        left = self.free(now) - amount
        if left < 0:
            return None
        self.stamp = self.take(amount, now)
        return left

    def take(self, amount: int, now: float) -> float:
        """See `Holding`."""
        raise NotImplementedError

    def free(self, now: float) -> int:
        """See `Holding`."""
        self._forget(now)
        free = self._held - self._used
        return free if now < self._lapses else min(0, free)

    def lay_down(self, now: float, keep: int = 0) -> LaidDown:
        """See `Holding`."""
        self._forget(now)
        free = self._held - self._used
        given, over = max(0, free - keep), max(0, -free)
        self._held += over - given
        return LaidDown(given, over)

    def pick_up(self, grant: Grant, asked: float) -> None:
        """See `Holding`."""
        self._held, self._lapses = grant.held, asked + grant.ends_in

    def in_use(self, now: float) -> int:
        """See `Holding`."""
        self._forget(now)
        return self._used

    def _forget(self, now: float) -> None:
        """Let go of what is in use no longer because time has passed."""


class Sliding(_Share):
    """A share of a sliding minute: what was taken of it in the last 60 seconds is in use."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        super().__init__(lasts=30.0, tail=MINUTE + STEP)
        self._entries: deque[list[float]] = deque()
        """Instants and what was taken at each, the oldest first."""

    def take(self, amount: int, now: float) -> float:
        """See `Holding`. The stamp is the instant from which it counts."""
        instant = (now // STEP + 1) * STEP
        if self._entries and self._entries[-1][0] == instant:
            self._entries[-1][1] += amount
        else:
            self._entries.append([instant, amount])
        self._used += amount
        return instant

    def give(self, amount: int, stamp: float) -> None:
        """See `Holding`. What has left the minute meanwhile does not come back."""
        for entry in reversed(self._entries):
            if entry[0] == stamp:
                entry[1] -= amount
                self._used -= amount
            if entry[0] <= stamp:
                return

    def counts(self, stamp: float, now: float) -> bool:
        """See `Holding`."""
        return now < stamp

    def frees_in(self, amount: int, now: float) -> float:
        """See `Holding`: when enough of what was taken here is a minute ago."""
        missing = amount - self.free(now)
        for instant, taken in self._entries:
            missing -= int(taken)
            if missing <= 0:
                return max(0.0, instant + MINUTE - now)
        return MINUTE if not self._entries else max(0.0, self._entries[-1][0] + MINUTE - now)

    def _forget(self, now: float) -> None:
        entries = self._entries
        while entries and now >= entries[0][0] + MINUTE:
            self._used -= int(entries.popleft()[1])


class Slots(_Share):
    """A share of what may be in use at the same time."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(lasts=5.0, tail=0.0)

    def take(self, amount: int, now: float) -> float:  # noqa: ARG002 - the protocol's shape
        """See `Holding`."""
        self._used += amount
        return 0.0

    def give(self, amount: int, stamp: float) -> None:  # noqa: ARG002 - the protocol's shape; it counts at any time
        """See `Holding`."""
        self._used -= amount

    def counts(self, stamp: float, now: float) -> bool:  # noqa: ARG002 - the protocol's shape
        """See `Holding`: until it is given back."""
        return True

    def frees_in(self, amount: int, now: float) -> float:  # noqa: ARG002 - the protocol's shape; nobody knows when a call ends
        """See `Holding`: when a call is over, which may be soon."""
        return 1.0

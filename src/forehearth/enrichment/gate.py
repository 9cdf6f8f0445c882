"""How many calls are made at the same time: as many as the host takes, and none while it asks to be left alone.

Additive increase, multiplicative decrease, as TCP does it: the number doubles with every round of answers until the
host first refuses for being busy, then grows by one a round; each such refusal halves it, once for all calls that were
under way then.
"""

import asyncio
from collections import deque
from collections.abc import Callable

_FIRST = 4.0
_LEAST = 1.0


class Gate:
    """Lets callers through. `monotonic` reads seconds."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self.most = most
        """How many may ever be inside."""
        self._most = float(most)
        self._limit = min(_FIRST, self._most)
        self._monotonic = monotonic
        self._growing = True
        self._inside = 0
        self._opens = 0.0
        self._halved = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """How many may be inside now."""
        return int(self._limit)

    async def enter(self) -> float:
        """Wait for a place; the answer is when it was had, to be given back to `leave`."""
        if self._waiting or not self._has_place():
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            self._look_again()
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._inside -= 1
                    self._let_in()
                raise
        else:
            self._inside += 1
        return self._monotonic()

    def leave(self, *, answered: bool) -> None:
        """Give the place back. `answered` is whether the host did what it was asked."""
        self._inside -= 1
        if answered and self._limit < self._most:
            step = 1.0 if self._growing else 1.0 / self._limit
            self._limit = min(self._most, self._limit + step)
        self._let_in()

    def slow(self, entered: float, seconds: float) -> None:
        """The host was busy for a call that began at `entered`; it wants to be left alone for so long."""
        now = self._monotonic()
        if entered > self._halved:
            self._halved = now
            self._growing = False
            self._limit = max(_LEAST, self._limit / 2)
        self._opens = max(self._opens, now + seconds)

    def open_wide(self) -> None:
        """Let everybody through from now on: nothing is sent any more."""
        self._limit = self._most = float("inf")
        self._opens = 0.0
        self._let_in()

    def _has_place(self) -> bool:
        return self._inside + 1 <= self._limit and self._monotonic() >= self._opens

    def _let_in(self) -> None:
        while self._waiting and self._has_place():
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._inside += 1
                waiter.set_result(None)
        self._look_again()

    def _look_again(self) -> None:
        """While the host wants to be left alone, nobody else will wake those who wait."""
        left = self._opens - self._monotonic()
        if left > 0 and self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(left, self._reopened)

    def _reopened(self) -> None:
        self._timer = None
        self._let_in()

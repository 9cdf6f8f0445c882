"""A clock whose time passes only when a test says so, or whenever everyone is asleep.

    clock = VirtualClock()
    task = asyncio.create_task(something(clock=clock, sleep=clock.sleep))
    await clock.advance(30)

With `VirtualClock(winding=True)` nobody has to advance it: as soon as the tasks of the loop have nothing to do but
sleep, it moves on to the next one that is due. It does not see input and output, so work that waits for a socket
belongs with `advance`.
"""

import asyncio
import heapq
from itertools import count

_ROUNDS = 20
"""Turns of the loop in which woken tasks may act before time moves on."""


class VirtualClock:
    """A `Clock`, and the `sleep` that goes with it. Both readings move together."""

    def __init__(self, *, monotonic: float = 1_000.0, unix: float = 1_800_000_000.0, winding: bool = False) -> None:
        self._monotonic = monotonic
        self._offset = unix - monotonic
        self._winding = winding
        self._wound = False
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Seconds that have passed, from the zero it was made with."""
        return self._monotonic

    def unix(self) -> float:
        """Seconds since 1970, as if it were so late."""
        return self._monotonic + self._offset

    @property
    def sleepers(self) -> int:
        """How many tasks are asleep on this clock."""
        return sum(1 for _, _, woken in self._sleepers if not woken.done())

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed on this clock; at the loop's next turn when there are none to pass."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), woken))
        if self._winding and not self._wound:
            self._wound = True
            loop.call_soon(self._wind, loop, _ROUNDS)
        await woken

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass. Who is due on the way wakes in order, each at its own time, and may sleep again."""
        await _settle()
        end = self._monotonic + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            self._wake_next()
            await _settle()
        self._monotonic = end

    def _wake_next(self) -> None:
        due, _, woken = heapq.heappop(self._sleepers)
        if not woken.done():
            self._monotonic = max(self._monotonic, due)
            woken.set_result(None)

    def _wind(self, loop: asyncio.AbstractEventLoop, rounds: int) -> None:
        if rounds:
            loop.call_soon(self._wind, loop, rounds - 1)
            return
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if self._sleepers:
            self._wake_next()
        self._wound = bool(self._sleepers)
        if self._wound:
            loop.call_soon(self._wind, loop, _ROUNDS)


async def _settle() -> None:
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)

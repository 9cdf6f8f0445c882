"""The timers that a real connection would have, on a clock and a sleep that are passed in."""

from collections.abc import Awaitable, Callable

from forehearth.core.clock import Clock
from forehearth.core.upstream import Timeouts
from forehearth.transport import failures

Sleep = Callable[[float], Awaitable[object]]
"""Pauses for so many seconds; `asyncio.sleep` and a virtual clock's are two."""

FOREVER = float("inf")


class Patience:
    """How long one call may still take. It begins when it is made."""

    def __init__(self, timeouts: Timeouts, clock: Clock, sleep: Sleep) -> None:
        self._timeouts = timeouts
        self._clock = clock
        self._sleep = sleep
        self._end = clock.monotonic() + timeouts.total

    async def until_answer(self, seconds: float) -> None:
        """Wait until the response begins. Raises `TimedOut` when that is later than it may be."""
        await self._wait(seconds, self._timeouts.first_byte, failures.FIRST_BYTE)

    async def until_more(self, seconds: float) -> None:
        """Wait until more of the body comes. Raises `TimedOut` when that is later than it may be."""
        await self._wait(seconds, self._timeouts.idle, failures.IDLE)

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return self._clock.monotonic()

    async def _wait(self, seconds: float, limit: float, phase: str) -> None:
        left = self._end - self._clock.monotonic()
        if left < limit:
            limit, phase = max(0.0, left), failures.TOTAL
        seconds = max(0.0, seconds)
        if seconds or not limit:
            await self._sleep(min(seconds, limit))
        if seconds >= limit:
            raise failures.timed_out(phase, self._timeouts)

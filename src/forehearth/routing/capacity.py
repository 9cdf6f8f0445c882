"""A backend's limits, kept exactly by the only worker: any 60 seconds, wherever they begin, hold what is allowed."""

from collections import deque
from itertools import islice

from forehearth.core.routing_settings import BackendLimits

WINDOW = 60.0
_LOOKED_AT = 1_000
"""Calls of the window that are gone through to say when one more fits; beyond them the answer is too soon."""
_TURN = 1.0
"""Seconds in which, as likely as not, one of the calls under way is over."""


class Booking:
    """A `ports.capacity.Place`: one call in the window."""

    __slots__ = ("_capacity", "tokens", "when")

    def __init__(self, capacity: "WorkerCapacity", when: float, tokens: int) -> None:
        self._capacity: WorkerCapacity | None = capacity
        self.when = when
        self.tokens = tokens

    def settle(self, tokens: int | None, now: float) -> None:
        """See `ports.capacity`. Once more does nothing."""
        capacity, self._capacity = self._capacity, None
        if capacity is not None:
            capacity.settled(self, self.tokens if tokens is None else tokens, now)


class WorkerCapacity:
    """The limits of one backend where there is one worker: a `ports.capacity.Capacity`."""

    __slots__ = ("_calls", "_concurrent", "_in_use", "_requests", "_tokens", "_used")

    def __init__(self, limits: BackendLimits) -> None:
        self._requests = limits.requests_per_minute
        self._tokens = limits.tokens_per_minute
        self._concurrent = limits.concurrent_calls
        self._calls: deque[Booking] = deque()
        """Those of the last 60 seconds, the oldest first."""
        self._used = 0
        """Their tokens together."""
        self._in_use = 0

    def fits(self, tokens: int, now: float) -> bool:
        """See `ports.capacity`. A call larger than the limit itself fits when there is no other in the window."""
        self._forget(now)
        if self._concurrent is not None and self._in_use >= self._concurrent:
            return False
        if self._requests is not None and len(self._calls) >= self._requests:
            return False
        return self._tokens is None or self._used + tokens <= self._tokens or not self._calls

    def take(self, tokens: int, now: float) -> Booking | None:
        """See `ports.capacity`."""
        if not self.fits(tokens, now):
            return None
        booking = Booking(self, now, tokens)
        self._in_use += 1
        if self._requests is not None or self._tokens is not None:
            self._calls.append(booking)
            self._used += tokens
        return booking

    async def ask(self, tokens: int) -> None:
        """See `ports.capacity`. There is nobody to ask: all of it is here."""

    def settled(self, booking: Booking, tokens: int, now: float) -> None:
        """A call is over; what it used takes the place of what was booked, as long as the window has it."""
        self._in_use -= 1
        self._forget(now)
        if self._calls and booking.when >= self._calls[0].when and now - booking.when < WINDOW:
            self._used += tokens - booking.tokens
            booking.tokens = tokens

    def opens_at(self, tokens: int, now: float) -> float:
        """See `ports.capacity`."""
        if self.fits(tokens, now):
            return now
        opens = now
        if self._concurrent is not None and self._in_use >= self._concurrent:
            opens = now + _TURN
        if self._requests is not None and len(self._calls) >= self._requests:
            opens = max(opens, self._calls[len(self._calls) - self._requests].when + WINDOW)
        if self._tokens is not None and self._calls:
            opens = max(opens, self._room_for(tokens, self._tokens, now))
        return opens

    def _room_for(self, tokens: int, limit: int, now: float) -> float:
        used, opens = self._used, now
        for booking in islice(self._calls, _LOOKED_AT):
            if used + tokens <= limit:
                break
            used -= booking.tokens
            opens = booking.when + WINDOW
        return opens

    def _forget(self, now: float) -> None:
        calls = self._calls
        while calls and now - calls[0].when >= WINDOW:
            self._used -= calls.popleft().tokens

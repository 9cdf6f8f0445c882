"""What a backend can take, and how much of it is in use."""

from typing import Protocol


class Place(Protocol):
    """What one call takes of it, until it is given back."""

    def settle(self, tokens: int | None, now: float) -> None:
        """The call is over and used so many tokens; what was booked stands where that is not known."""
        ...


class Capacity(Protocol):
    """The limits of one backend. Only `ask` waits, for the counters that workers share."""

    def fits(self, tokens: int, now: float) -> bool:
        """Whether a call that may use so many tokens can go there now."""
        ...

    def take(self, tokens: int, now: float) -> Place | None:
        """Book it out of what is here; None where that is not enough."""
        ...

    async def ask(self, tokens: int) -> Place | None:
        """Book it after others were asked for more; None where it does not fit."""
        ...

    def opens_at(self, tokens: int, now: float) -> float:
        """The earliest time, on the monotonic clock, at which it may fit."""
        ...

"""Time, passed in: what is measured by it can be tested without waiting."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings: one for durations, one for the calendar. They are never mixed."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary zero: for durations."""
        ...

    def unix(self) -> float:
        """Seconds since 1970 in UTC: for the calendar."""
        ...


class SystemClock:
    """The machine's clock."""

    monotonic = staticmethod(time.monotonic)
    unix = staticmethod(time.time)

"""What limits report. Labels are limits' names in the configuration."""

from typing import Protocol


class LimitMeter(Protocol):
    """Counts."""

    def refused(self, limit: str) -> None:
        """A call was refused because of this limit."""
        ...

    def waited(self, seconds: float) -> None:
        """A call waited for its turn, and had it or not."""
        ...

    def exceeded(self, limit: str, amount: int) -> None:
        """A call used so much more than had been reserved for it."""
        ...

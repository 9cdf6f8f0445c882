"""Who is told of calls that are refused."""

from typing import Protocol

from forehearth.core.refusal import Refusal


class Refusals(Protocol):
    """Keeps them, within bounds."""

    def refused(self, refusal: Refusal) -> None:
        """Note one. It does not wait and does not raise, however many there are."""
        ...

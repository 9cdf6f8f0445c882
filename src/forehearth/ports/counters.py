"""The counters that all workers share."""

from collections.abc import Sequence
from typing import Protocol

from forehearth.core.counter import Ask, Grant


class CounterStore(Protocol):
    """Keeps them, and its own clock decides which window it is. Raises `StoreFailed`.

    What it has granted is counted before it answers, so that nobody can have it twice, whoever is killed meanwhile.
    """

    async def exchange(self, worker: str, asks: Sequence[Ask]) -> list[Grant]:
        """Take back, count, and grant what there is: all of it at one instant, in this order."""
        ...

    async def leave(self, worker: str) -> None:
        """A worker that has nothing in use any more gives up its shares."""
        ...

    async def prune(self) -> None:
        """Forget what no longer counts."""
        ...

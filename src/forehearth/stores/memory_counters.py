"""The shared counters in this process's memory: the reference for every other store, and for tests."""

from collections.abc import Sequence

from forehearth.core.clock import Clock
from forehearth.core.counter import Ask, Grant
from forehearth.stores import counting
from forehearth.stores.counting import CounterState


class MemoryCounters:
    """A `ports.counters.CounterStore`, for the workers of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, CounterState] = {}

    async def exchange(self, worker: str, asks: Sequence[Ask]) -> list[Grant]:
        """See `ports.counters`."""
        return [
            counting.answer(self._states.setdefault(ask.counter, CounterState()), ask, worker, self._clock)
            for ask in asks
        ]

    async def leave(self, worker: str) -> None:
        """See `ports.counters`."""
        for state in self._states.values():
            state.shares.pop(worker, None)

    async def prune(self) -> None:
        """See `ports.counters`."""
        over = [counter for counter, state in self._states.items() if counting.is_over(state, self._clock)]
        for counter in over:
            del self._states[counter]

"""Places at the engine: so many calls at once, so many waiting in line, and no more."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from forehearth.core.errors import Overloaded

RETRY_AFTER: Final = 2.0
"""Seconds after which a call that found the line full may try again."""


class Slots:
    """`size` places. Who finds them taken waits in line, first come first served, behind at most `most_waiting`."""

    def __init__(self, size: int, most_waiting: int) -> None:
        self.size = size
        self._most_waiting = most_waiting
        self._free = asyncio.Semaphore(size)
        self._taken = 0
        self._waiting = 0

    @property
    def taken(self) -> int:
        """Places in use."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Calls in line."""
        return self._waiting

    def refuse_when_full(self) -> None:
        """Raise `Overloaded` where a new call would have to wait behind too many."""
        if self._taken + self._waiting >= self.size + self._most_waiting:
            message = (
                f"{self._taken} of the {self.size} places of this model are taken and {self._waiting} calls are "
                "waiting: try again."
            )
            raise Overloaded(message, retry_after=RETRY_AFTER)

    @contextlib.contextmanager
    def arriving(self) -> Iterator[None]:
        """In line, for what has to come before a place is of use."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def take(self) -> Callable[[], None]:
        """Wait for a place; return the function that gives it back, which may be called more than once."""
        with self.arriving():
            await self._free.acquire()
        self._taken += 1
        held = [True]

        def give_back() -> None:
            if held:
                held.clear()
                self._taken -= 1
                self._free.release()

        return give_back

"""A worker on the reference store and a clock that tests move, and stores that are away."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from forehearth.core.document import StoreFailed
from forehearth.core.job import Job
from forehearth.core.place import Place
from forehearth.jobs.worker import USUAL, Handler, Pace, Worker
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.testing.clock import VirtualClock
from tests.unit.stores.job_fence import HERE, new

AWAY = StoreFailed("the store does not answer: ConnectionRefusedError")


class Store(MemoryJobs):
    """Fails at whatever is `away`, and counts the rest."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.away: set[str] = set()
        self.asked: Counter[str] = Counter()

    async def claim(self, *given):
        return await self._ask("claim", super().claim(*given))

    async def renew(self, *given):
        return await self._ask("renew", super().renew(*given))

    async def recorded(self, *given):
        return await self._ask("recorded", super().recorded(*given))

    async def record(self, *given):
        return await self._ask("record", super().record(*given))

    async def finish(self, *given):
        return await self._ask("finish", super().finish(*given))

    async def give_back(self, *given):
        return await self._ask("give_back", super().give_back(*given))

    async def _ask(self, what, answer):
        self.asked[what] += 1
        if what in self.away:
            answer.close()
            raise AWAY
        return await answer


class Engine:
    """One store, and workers on it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = Store(self.clock)

    async def job(self, name: str = "a", place: Place = HERE) -> Job:
        """The job, as it is now."""
        found = await self.store.get(place, name)
        assert found is not None
        return found

    async def add(self, name: str = "a", **rest: object) -> Job:
        return await self.store.add(new(name, **rest))

    @asynccontextmanager
    async def worker(self, handlers: Mapping[str, Handler] | Handler, **pace: object) -> AsyncIterator[Worker]:
        """A worker; with one handler, of the kind `work`."""
        known = handlers if isinstance(handlers, Mapping) else {"work": handlers}
        wanted: Pace = msgspec.structs.replace(USUAL, **pace)
        async with Worker(self.store, known, self.clock, pace=wanted, sleep=self.clock.sleep) as worker:
            await self.clock.advance(0)
            yield worker

    async def done(self, handlers: Mapping[str, Handler] | Handler, name: str = "a", seconds: float = 60.0) -> Job:
        """The job once it has ended, at most so many seconds later."""
        async with self.worker(handlers):
            await self.clock.advance(seconds)
        return await self.job(name)


class Stuck:
    """A handler that begins and does not end. What became of it is told."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.began = 0
        self.cut = 0
        self._stubborn = stubborn

    async def __call__(self, _: object) -> None:
        self.began += 1
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cut += 1
                if not self._stubborn or self.cut > 3:
                    raise

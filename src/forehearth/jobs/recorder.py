"""Writes what a job did, one transaction after the other: what comes while one is written goes together into the next.

So a job with many steps at once costs the store few transactions. A store that is away is asked again for as long as
the lease is good, because the same may be recorded twice.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from forehearth.core.document import StoreFailed
from forehearth.core.job import JobEvent, Lease
from forehearth.ports.jobs import JobRecords

AGAIN_SECONDS: Final = 0.25
"""Between two tries of a store that is away."""
TOGETHER: Final = 256
"""Steps and events that share a transaction, at most."""
TOGETHER_BYTES: Final = 4_194_304
"""So much of them is enough for one."""

_Waiting = tuple[Mapping[str, bytes], Sequence[JobEvent], "asyncio.Future[None]"]


class Recorder:
    """What records of one job go through. `holds` says whether its lease may still be good."""

    def __init__(
        self,
        store: JobRecords,
        lease: Lease,
        *,
        holds: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._store = store
        self._lease = lease
        self._holds = holds
        self._sleep = sleep
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def record(self, steps: Mapping[str, bytes], events: Sequence[JobEvent]) -> None:
        """Return when all of these are kept. Raises `LeaseLost`, and `StoreFailed` once the lease is no good any more.

        Cancelled, they may be kept all the same.
        """
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((steps, events, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await kept

    async def again(self, write: Callable[[], Awaitable[None]]) -> None:
        """Carry out a write that may be done twice, again while the store is away and the lease may be good."""
        while True:
            try:
                await write()
            except StoreFailed:
                if not self._holds():
                    raise
                await self._sleep(AGAIN_SECONDS)
            else:
                return

    async def settled(self) -> None:
        """Return when nothing is being written any more."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write_all(self) -> None:
        while self._waiting:
            taken = self._take()
            steps = {name: result for given, _, _ in taken for name, result in given.items()}
            events = [each for _, given, _ in taken for each in given]
            try:
                await self.again(partial(self._store.record, self._lease, steps, events))
            except Exception as error:  # noqa: BLE001 - a border: it is raised where it is waited for
                _settle(taken, error)
            else:
                _settle(taken, None)
        self._writing = None

    def _take(self) -> list[_Waiting]:
        """Those who wait, as many as may share a transaction."""
        taken, count, size = list[_Waiting](), 0, 0
        while self._waiting and count < TOGETHER and size < TOGETHER_BYTES:
            steps, events, _ = self._waiting[0]
            taken.append(self._waiting.popleft())
            count += len(steps) + len(events)
            size += sum(map(len, steps.values())) + sum(len(each.body) for each in events)
        return taken


def _settle(taken: Sequence[_Waiting], error: Exception | None) -> None:
    for _, _, kept in taken:
        if kept.done():
            continue
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)

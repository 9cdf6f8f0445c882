"""The one way to jobs for those who want them done: within a place, and what is elsewhere is not there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from forehearth.core.document import storable
from forehearth.core.errors import Conflict, InvalidField, NotFound
from forehearth.core.job import LONGEST_NAME, MOST_BYTES, Job, JobEvent, JobExists, JobQuery, NewJob
from forehearth.core.place import Place
from forehearth.ports.jobs import JobDesk, JobWatch

MOST: Final = 100
"""Jobs of a page."""
LOOK_SECONDS: Final = 0.1
"""Between two looks for events."""
_TOGETHER: Final = 64
"""Events that are read at once."""


class Desk(JobDesk, JobWatch, Protocol):
    """What the desk needs of a store."""


class Jobs:
    """Jobs of one kind."""

    def __init__(self, store: Desk, kind: str) -> None:
        self._store = store
        self._kind = kind
        self._called = kind.replace("_", " ")

    async def submit(self, job: NewJob) -> Job:
        """Have it done by whichever worker has time, as a job of this kind.

        Raises `Conflict` where its id is taken, and `InvalidField` for what cannot be kept.
        """
        for param, text in (("id", job.id), ("subject", job.subject)):
            if not _may_be(text):
                raise InvalidField(
                    f"'{param}' has at most {LONGEST_NAME} characters, and no U+0000 or half of a surrogate pair.",
                    param=param,
                )
        if len(job.input) > MOST_BYTES:
            raise InvalidField(f"'input' has more than {MOST_BYTES} bytes: put it into a file.", param="input")
        try:
            return await self._store.add(msgspec.structs.replace(job, kind=self._kind))
        except JobExists:
            raise Conflict(f"There is a {self._called} '{job.id}' already.", param="id") from None

    async def get(self, place: Place, id: str) -> Job:  # noqa: A002 - what it is
        """The job. Raises `NotFound`."""
        return self._mine(id, await self._store.get(place, id) if _may_be(id) else None)

    async def list(self, query: JobQuery) -> list[Job]:
        """The newest of this kind that are asked for, without their inputs and results.

        Raises `InvalidField` for a page that cannot be.
        """
        if not 1 <= query.limit <= MOST:
            raise InvalidField(f"'limit' is a whole number from 1 to {MOST}.", param="limit")
        if not _may_be(query.subject or ""):
            return []
        return await self._store.page(msgspec.structs.replace(query, kind=self._kind))

    async def cancel(self, place: Place, id: str) -> Job:  # noqa: A002 - what it is
        """Cancel it, or ask for that where it runs; the job as it is then. One that has ended stays so.

        Raises `NotFound`.
        """
        await self._outline(place, id)
        return self._mine(id, await self._store.cancel(place, id))

    async def events(self, place: Place, id: str, *, after: int = -1, limit: int = _TOGETHER) -> Sequence[JobEvent]:  # noqa: A002 - what it is
        """What it told after the event of that number, `limit` at most. Raises `NotFound`."""
        await self._outline(place, id)
        return await self._store.events(place, id, after, limit)

    async def follow(
        self,
        place: Place,
        id: str,  # noqa: A002 - what it is
        sleep: Callable[[float], Awaitable[None]],
        *,
        after: int = -1,
    ) -> AsyncIterator[JobEvent]:
        """What it told after the event of that number, and what it tells, each as it comes, until it has ended.

        So whoever lost a stream goes on with the number of the last event that arrived. Raises `NotFound`.
        """
        while True:
            ended = (await self._outline(place, id)).state.final  # asked first, because then no event comes after these
            found = await self._store.events(place, id, after, _TOGETHER)
            for each in found:
                yield each
                after = each.number
            if ended and not found:
                return
            if not found:
                await sleep(LOOK_SECONDS)

    async def _outline(self, place: Place, id: str) -> Job:  # noqa: A002 - what it is
        """The job without what may be large. Raises `NotFound`."""
        return self._mine(id, await self._store.outline(place, id) if _may_be(id) else None)

    def _mine(self, id: str, job: Job | None) -> Job:  # noqa: A002 - what it is
        if job is None or job.kind != self._kind:
            shown = id[:LONGEST_NAME].encode(errors="replace").decode()
            raise NotFound(f"There is no {self._called} '{shown}'.")
        return job


def _may_be(text: str) -> bool:
    return len(text) <= LONGEST_NAME and storable(text)

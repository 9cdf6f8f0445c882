"""Runs: what callers had done, each looked up by its id alone, whichever project it is in.

A run is a response, or a job of another kind. What the documents of a kind and the events of its jobs say is read by
the `RunKind` that the server hands in for it; a job of a kind that has none is shown by what every job has.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import NotFound
from forehearth.core.job import Job, Past, Told
from forehearth.core.place import Place
from forehearth.core.run import RunEvent, RunFacts, RunItem
from forehearth.documents.repository import LONGEST_ID
from forehearth.ports.documents import DocumentStore
from forehearth.ports.jobs import JobArchive

RESPONSE: Final = "response"
MOST: Final = 1_000
"""Attempts and steps of one run that are shown."""
MOST_EVENTS: Final = 100_000
"""Events of one run that are read to draw it."""
_TOGETHER: Final = 1_000


class RunKind(Protocol):
    """Reads the runs of one kind."""

    def facts(self, document: Document | None, job: Job | None) -> RunFacts:
        """What is known of one; either may be gone."""
        ...

    def event(self, told: Told) -> RunEvent:
        """What is told of one of its events."""
        ...

    def items(self, told: Sequence[Told]) -> list[RunItem]:
        """What its events tell of what it made."""
        ...


class _AnyJob:
    """Jobs of which nothing else is known."""

    def facts(self, document: Document | None, job: Job | None) -> RunFacts:  # noqa: ARG002 - see `RunKind`
        """See `RunKind`."""
        if job is None:
            raise ValueError("a run has a document or a job")
        return RunFacts(
            kind=job.kind,
            status=job.state.value,
            background=True,
            began=job.created,
            ended=job.updated if job.state.final else None,
            error=job.error,
        )

    def event(self, told: Told) -> RunEvent:
        """See `RunKind`."""
        return RunEvent(number=told.event.number, name=told.event.name, at=told.at)

    def items(self, told: Sequence[Told]) -> list[RunItem]:  # noqa: ARG002 - see `RunKind`
        """See `RunKind`."""
        return []


class FoundRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, and where it is."""

    id: str
    place: Place
    facts: RunFacts
    job: Job | None
    """Without its input and its result."""


class WholeRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that its job noted."""

    found: FoundRun
    past: Past
    items: tuple[RunItem, ...]


class Runs:
    """The runs of all resources. Every method raises `StoreFailed`."""

    def __init__(self, documents: DocumentStore, jobs: JobArchive, kinds: Mapping[str, RunKind], clock: Clock) -> None:
        self._documents = documents
        self._jobs = jobs
        self._kinds = kinds
        self._clock = clock

    async def newest(self, resource: str, limit: int) -> list[FoundRun]:
        """The newest, the latest begun first."""
        jobs = {(each.place, each.id): each for each in await self._jobs.of_resource(resource, limit)}
        found, sequence = [], None
        for _ in range(limit):  # one at a time: each may be large
            document = await self._documents.response_before(resource, sequence, self._clock.unix())
            if document is None:
                break
            job = jobs.pop((document.place, document.id), None) or await self._job(document)
            found.append(self._found(document, job))
            sequence = document.sequence
        found += [self._found(None, job) for job in jobs.values()]
        return sorted(found, key=lambda each: -each.facts.began)[:limit]

    async def get(self, resource: str, run_id: str) -> FoundRun:
        """The run of that id. Raises `NotFound`."""
        if len(run_id) > LONGEST_ID:
            raise NotFound(_gone(run_id))
        documents = await self._documents.response(resource, run_id, self._clock.unix())
        jobs = await self._jobs.of_id(resource, run_id, 1)
        if documents:
            document = documents[0]
            return self._found(document, next((each for each in jobs if each.place == document.place), None))
        if jobs:
            return self._found(None, jobs[0])
        raise NotFound(_gone(run_id))

    async def whole(self, found: FoundRun) -> WholeRun:
        """All that was noted of it."""
        job = found.job
        if job is None:
            return WholeRun(found=found, past=Past(attempts={}, steps={}), items=found.facts.items)
        past = await self._jobs.past(job.sequence, MOST)
        told: list[Told] = []
        while more := await self._jobs.told(job.sequence, told[-1].event.number if told else -1, _TOGETHER):
            told += more
            if len(told) >= MOST_EVENTS:
                break
        items = self._kind(job.kind).items(told)
        return WholeRun(found=found, past=past, items=_together(found.facts.items, items))

    async def events(self, found: FoundRun, after: int, limit: int) -> list[RunEvent]:
        """What it told after the event of that number, `limit` at most."""
        if found.job is None:
            return []
        kind = self._kind(found.job.kind)
        return [kind.event(each) for each in await self._jobs.told(found.job.sequence, after, limit)]

    async def _job(self, document: Document) -> Job | None:
        jobs = await self._jobs.of_id(document.place.resource, document.id, 1)
        return next((each for each in jobs if each.place == document.place), None)

    def _found(self, document: Document | None, job: Job | None) -> FoundRun:
        there = document or job
        if there is None:
            raise ValueError("a run has a document or a job")
        facts = self._kind(there.kind).facts(document, job)
        known = None if job is None else msgspec.structs.replace(job, input=b"", result=None)
        return FoundRun(id=there.id, place=there.place, facts=facts, job=known)

    def _kind(self, name: str) -> RunKind:
        return self._kinds.get(name) or _AnyJob()


def _together(kept: Sequence[RunItem], told: Sequence[RunItem]) -> tuple[RunItem, ...]:
    """Items as they are kept, with the times at which they were told; those that are only told yet come behind."""
    times = {each.id: each for each in told}
    known = {each.id for each in kept}
    first = [_timed(each, times.get(each.id)) for each in kept]
    return (*first, *(each for each in told if each.id not in known))


def _timed(kept: RunItem, told: RunItem | None) -> RunItem:
    if told is None:
        return kept
    return msgspec.structs.replace(kept, began=told.began, ended=told.ended, pieces=told.pieces)


def _gone(run_id: str) -> str:
    return (
        f"There is no run '{run_id[:64]}': it is not kept (any more), or it is still made on the connection of whoever "
        "asked for it, and is kept at its end."
    )

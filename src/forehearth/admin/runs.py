"""Runs: what callers had done, each looked up by its id alone, whichever project it is in.

A run is a response, a classic agent's run, or a job of another kind. It has one job, or none, or one for each leg of
its way. What the documents of a kind and the events of its jobs say is read by the `RunKind` that the server hands in
for it; a job of a kind that has none is shown by what every job has.

Events of all legs are numbered in one row: those of the first as they are in the job, those of the next from `LEG` on.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import NotFound
from forehearth.core.job import Job, Past, Told
from forehearth.core.place import Place
from forehearth.core.run import RunAttempt, RunEvent, RunFacts, RunItem, RunStep
from forehearth.documents.parts import SLICE
from forehearth.documents.repository import LONGEST_ID
from forehearth.ports.documents import DocumentStore
from forehearth.ports.jobs import JobArchive

MOST: Final = 1_000
"""Attempts and steps of one job that are shown."""
MOST_LEGS: Final = 100
"""Jobs of one run, the newest, that are shown."""
LEG: Final = 1_000_000_000
MOST_EVENTS: Final = 100_000
"""Events of one run that are read to draw it."""
_TOGETHER: Final = 1_000


class RunKind(Protocol):
    """Reads the runs of one kind."""

    def facts(self, document: Document | None, jobs: Sequence[Job]) -> RunFacts:
        """What is known of one. Its document may be gone, and its jobs, the oldest first; not both."""
        ...

    def event(self, told: Told) -> RunEvent:
        """What is told of one of its events."""
        ...

    def items(self, told: Sequence[Told]) -> list[RunItem]:
        """What its events tell of what it made."""
        ...


class _AnyJob:
    """Jobs of which nothing else is known."""

    def facts(self, document: Document | None, jobs: Sequence[Job]) -> RunFacts:  # noqa: ARG002 - see `RunKind`
        """See `RunKind`."""
        last = jobs[-1]
        return RunFacts(
            kind=last.kind,
            status=last.state.value,
            background=True,
            began=jobs[0].created,
            ended=last.updated if last.state.final else None,
            error=last.error,
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
    jobs: tuple[Job, ...]
    """The oldest first, without their inputs and results."""


class WholeRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that its jobs noted."""

    found: FoundRun
    attempts: tuple[RunAttempt, ...]
    steps: tuple[RunStep, ...]
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
        found: list[FoundRun] = []
        sequence: int | None = None
        while len(found) < limit:
            some = min(SLICE, limit - len(found))
            documents = await self._documents.runs_before(resource, sequence, self._clock.unix(), some)
            if not documents:
                break
            jobs = await self._jobs_of(resource, [each.id for each in documents])
            found += (self._found(each, jobs[each.place, each.id]) for each in documents)
            sequence = documents[-1].sequence
        kept = {(each.place, each.id) for each in found}
        begun = ((job.place, job.subject or job.id) for job in await self._jobs.of_resource(resource, limit))
        left = [each for each in dict.fromkeys(begun) if each not in kept]
        for first in range(0, len(left), SLICE):
            part = left[first : first + SLICE]
            jobs = await self._jobs_of(resource, [name for _, name in part])
            found += (self._found(None, jobs[each]) for each in part if jobs[each])
        return sorted(found, key=lambda each: -each.facts.began)[:limit]

    async def get(self, resource: str, run_id: str) -> FoundRun:
        """The run of that id, or that a job of that id is for. Raises `NotFound`."""
        if len(run_id) > LONGEST_ID:
            raise NotFound(_gone(run_id))
        document = next(iter(await self._documents.runs(resource, run_id, self._clock.unix())), None)
        if document is not None:
            return self._found(document, (await self._jobs_of(resource, [run_id]))[document.place, run_id])
        jobs = await self._jobs.of_runs(resource, [run_id], 1)
        if not jobs:
            raise NotFound(_gone(run_id))
        job = max(jobs, key=lambda each: each.subject == run_id)
        name = job.subject or job.id
        documents = await self._documents.runs(resource, name, self._clock.unix())
        document = next((each for each in documents if each.place == job.place), None)
        return self._found(document, (await self._jobs_of(resource, [name]))[job.place, name])

    async def whole(self, found: FoundRun) -> WholeRun:
        """All that was noted of it."""
        if not found.jobs:
            return WholeRun(found=found, attempts=(), steps=(), items=found.facts.items)
        attempts: list[RunAttempt] = []
        steps: list[RunStep] = []
        told: list[Told] = []
        for leg, job in enumerate(found.jobs):
            past = await self._jobs.past(job.sequence, MOST)
            attempts += _attempts(leg, job, past)
            steps += (RunStep(leg=leg, name=name, at=at) for name, at in past.steps.items())
            told += await self._told(job, MOST_EVENTS - len(told))
        items = self._kind(found.facts.kind).items(told)
        return WholeRun(
            found=found,
            attempts=tuple(attempts),
            steps=tuple(sorted(steps, key=lambda each: (each.leg, each.at or 0.0, each.name))),
            items=_together(found.facts.items, items),
        )

    async def events(self, found: FoundRun, after: int, limit: int) -> list[RunEvent]:
        """What it told after the event of that number, `limit` at most."""
        kind = self._kind(found.facts.kind)
        first, behind = divmod(after, LEG) if after >= 0 else (0, -1)
        events: list[RunEvent] = []
        for leg, job in enumerate(found.jobs[first:], first):
            for each in await self._jobs.told(job.sequence, behind if leg == first else -1, limit - len(events)):
                event = kind.event(each)
                events.append(msgspec.structs.replace(event, number=event.number + leg * LEG))
            if len(events) >= limit:
                break
        return events

    async def _told(self, job: Job, most: int) -> list[Told]:
        """What a job told, as far as there is room."""
        told: list[Told] = []
        while len(told) < most:
            more = await self._jobs.told(job.sequence, told[-1].event.number if told else -1, _TOGETHER)
            if not more:
                break
            told += more
        return told[:most]

    async def _jobs_of(self, resource: str, runs: Sequence[str]) -> Mapping[tuple[Place, str], list[Job]]:
        """Those of runs of these ids, by where the run is and its id, the oldest first."""
        jobs = {each.sequence: each for each in await self._jobs.of_runs(resource, runs, MOST_LEGS)}
        found = defaultdict[tuple[Place, str], list[Job]](list)
        for sequence in sorted(jobs):
            job = jobs[sequence]
            for name in {job.id, job.subject}:
                found[job.place, name].append(job)
        return found

    def _found(self, document: Document | None, jobs: Sequence[Job]) -> FoundRun:
        known = tuple(msgspec.structs.replace(each, input=b"", result=None) for each in jobs)
        if document is not None:
            facts = self._kind(document.kind).facts(document, jobs)
            return FoundRun(id=document.id, place=document.place, facts=facts, jobs=known)
        job = jobs[-1]
        facts = self._kind(job.kind).facts(None, jobs)
        return FoundRun(id=job.subject or job.id, place=job.place, facts=facts, jobs=known)

    def _kind(self, name: str) -> RunKind:
        return self._kinds.get(name) or _AnyJob()


def _attempts(leg: int, job: Job, past: Past) -> list[RunAttempt]:
    """Each lasts until the next one, or the job's end."""
    began = sorted(past.attempts.items())
    ends = [at for _, at in began[1:]] + [job.updated if job.state.final else None]
    return [
        RunAttempt(leg=leg, fence=fence, began=at, ended=end) for (fence, at), end in zip(began, ends, strict=False)
    ]


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

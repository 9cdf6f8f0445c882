"""Jobs of enrichment that the server runs: each wish is an operation, done by a durable job.

The job says how far an operation is, and with which error it ended; a document beside it, which its handler writes,
what its run is at, and what is shown of it. Neither has a secret: a job has none.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from forehearth.config.problems import Problem
from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import Conflict, InvalidField, NotFound, PreconditionFailed
from forehearth.core.job import Job, JobQuery, JobState, NewJob
from forehearth.core.place import Place
from forehearth.documents.repository import Documents
from forehearth.enrichment.run_record import Run
from forehearth.jobs.desk import Jobs

KIND: Final = "job_of_enrichment"
"""The kind of the job, and of the document beside it."""
ATTEMPTS: Final = 1_000
"""It is worked on in a process of its own, so a job is hardly what ends its workers; and it goes on where it was."""
_CALLED: Final = KIND.replace("_", " ")
_DAY: Final = 86_400.0
_UNENDED: Final = (JobState.WAITING, JobState.RUNNING)

Deed = Literal["run", "resume", "retry", "plan"]
"""What is wanted of a job: as the commands of `forehearth enrich` have it."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: the input of the job."""

    job: dict[str, Any]
    """As it was sent."""
    deed: Deed = "run"
    sample: int | None = None
    """Prompts that a plan asks."""
    by: str = ""
    """Who asked."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an operation besides its job: the body of the document."""

    fence: int = 0
    """Of the attempt that wrote it: one of before writes nothing any more."""
    run: Run | None = None
    rows: list[dict[str, str | None]] = []
    """Some that landed."""
    plan: dict[str, Any] | None = None
    removed: bool = False


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation as it is now."""

    job: Job
    shown: Shown

    @property
    def ended(self) -> bool:
        """Whether nothing becomes of it any more."""
        return self.job.state.final


class InvalidJob(InvalidField):
    """The job cannot be used. `problems` are all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        first = problems[0]
        said = f"{first.path}: {first.message}" if first.path else first.message
        more = "" if count == 1 else f"; {count - 1} more in details"
        super().__init__(f"The job cannot be used: {said}{more}.", param=first.path or None, kind="InvalidJob")
        self.problems = problems


Check = Callable[[str, Mapping[str, Any]], Awaitable[Sequence[Problem]]]
"""What is wrong with a job that is sent to a resource. Raises `Conflict` where none is taken."""


class Enrichments:
    """The desk. `nudge` tells this process's own worker that there is something to do."""

    def __init__(
        self, jobs: Jobs, documents: Documents, check: Check, *, nudge: Callable[[], None], clock: Clock, kept_days: int
    ) -> None:
        self._jobs = jobs
        self._documents = documents
        self._check = check
        self._nudge = nudge
        self._clock = clock
        self._kept = kept_days * _DAY

    async def submit(self, place: Place, wanted: Wanted, operation: str) -> Operation:
        """Have it done; asked again under the same id it is the same operation, and nothing is begun twice.

        Raises `InvalidJob`, and `Conflict` where no jobs are taken, where the id is another job's, or the job is under
        way.
        """
        there = await self._same(place, wanted, operation)
        if there is not None:
            return there
        problems = await self._check(place.resource, wanted.job)
        if problems:
            raise InvalidJob(problems)
        name = str(wanted.job["name"])
        for state in _UNENDED:
            for each in await self._jobs.list(JobQuery(place=place, subject=name, state=state, limit=1)):
                raise Conflict(f"The job '{name}' is under way as '{each.id}': wait for it, or cancel it.")
        new = NewJob(
            place=place,
            kind=KIND,
            id=operation,
            subject=name,
            input=msgspec.json.encode(wanted),
            most_attempts=ATTEMPTS,
            kept=self._kept,
        )
        try:
            made = await self._jobs.submit(new)
        except Conflict:  # the same was asked for at the same time
            there = await self._same(place, wanted, operation)
            if there is None:
                raise
            return there
        self._nudge()
        return Operation(job=made, shown=Shown())

    async def get(self, place: Place, operation: str) -> Operation:
        """One of them. Raises `NotFound`."""
        found = Operation(job=await self._jobs.get(place, operation), shown=await self.shown(place, operation))
        if found.shown.removed:
            raise NotFound(f"There is no {_CALLED} '{operation}'.")
        return found

    async def page(
        self, place: Place, limit: int, *, after: str | None = None, name: str | None = None
    ) -> tuple[list[Operation], str | None]:
        """The newest, behind the one of that id, of one job or of all; and the id behind which there are more.

        Raises `InvalidField`.
        """
        before = None
        if after is not None:
            try:
                before = (await self._jobs.get(place, after)).sequence
            except NotFound:
                raise InvalidField(f"'after' is not the id of a {_CALLED}.", param="after") from None
        jobs = await self._jobs.list(JobQuery(place=place, subject=name, before=before, limit=limit))
        found = [Operation(job=each, shown=await self.shown(place, each.id)) for each in jobs]
        more = jobs[-1].id if len(jobs) == limit else None
        return [each for each in found if not each.shown.removed], more

    async def cancel(self, place: Place, operation: str) -> Operation:
        """Have it end in good order: what landed stays. One that has ended stays as it is. Raises `NotFound`."""
        found = await self.get(place, operation)
        return msgspec.structs.replace(found, job=await self._jobs.cancel(place, operation))

    async def remove(self, place: Place, operation: str) -> Operation:
        """Show it no more; tables, and what its job remembers, stay.

        Raises `NotFound`, and `Conflict` until its end.
        """
        found = await self.get(place, operation)
        if not found.ended:
            raise Conflict(f"The {_CALLED} '{operation}' is under way: cancel it first.")
        await self.note(place, operation, Shown(fence=found.job.fence, removed=True))
        return found

    async def shown(self, place: Place, operation: str) -> Shown:
        """What was last written of it."""
        try:
            return _shown(await self._documents.get(place, operation))
        except NotFound:
            return Shown()

    async def note(self, place: Place, operation: str, shown: Shown) -> None:
        """Write how it is, unless somebody did who took it over since."""
        body, expires = msgspec.json.encode(shown), self._clock.unix() + self._kept
        try:
            there = await self._documents.get(place, operation)
        except NotFound:
            await self._documents.create(place, body, id=operation, expires=expires)
            return
        before = _shown(there)
        if before.fence > shown.fence or before.removed:
            return
        try:
            await self._documents.update(msgspec.structs.replace(there, body=body, expires=expires), etag=there.etag)
        except (NotFound, PreconditionFailed):  # somebody else wrote, who knows better
            return

    async def _same(self, place: Place, wanted: Wanted, operation: str) -> Operation | None:
        """What was asked for under this id before. Raises `Conflict` where that was something else."""
        try:
            there = await self._jobs.get(place, operation)
        except NotFound:
            return None
        before = msgspec.json.decode(there.input, type=Wanted)
        shown = await self.shown(place, operation)
        if shown.removed or msgspec.structs.replace(before, by=wanted.by) != wanted:
            raise Conflict(f"The id '{operation}' is that of another operation: choose a new one for each.")
        return Operation(job=there, shown=shown)


def _shown(document: Document) -> Shown:
    return msgspec.json.decode(document.body, type=Shown)

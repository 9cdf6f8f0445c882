"""Jobs in this process's memory: a `ports.jobs.JobStore`, the reference for every other one, and for tests."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.job import (
    LOST,
    MOVES,
    Ending,
    Job,
    JobEvent,
    JobExists,
    JobQuery,
    JobState,
    Lease,
    LeaseLost,
    Move,
    NewJob,
    Past,
    Recorded,
    Told,
)
from forehearth.core.place import Place

_ENDINGS = {JobState.SUCCEEDED: Move.SUCCEED, JobState.FAILED: Move.FAIL, JobState.CANCELLED: Move.CANCEL}


class MemoryJobs:
    """See `ports.jobs`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[int, Job] = {}
        self._steps: dict[int, dict[str, bytes]] = {}
        self._events: dict[int, dict[int, JobEvent]] = {}
        self._attempts: dict[int, dict[int, float]] = {}
        self._step_times: dict[int, dict[str, float]] = {}
        self._event_times: dict[int, dict[int, float]] = {}
        self._last = 0

    async def add(self, job: NewJob) -> Job:
        """See `ports.jobs`."""
        found = self._find(job.place, job.id)
        if found is not None and not self._has_expired(found):
            raise JobExists
        if found is not None:
            self._forget(found)
        now = self._clock.unix()
        self._last += 1
        made = Job(
            place=job.place,
            kind=job.kind,
            id=job.id,
            subject=job.subject,
            input=job.input,
            sequence=self._last,
            state=JobState.WAITING,
            attempts=0,
            most_attempts=job.most_attempts,
            fence=0,
            due=now + job.delay,
            cancel_asked=False,
            created=now,
            updated=now,
            kept=job.kept,
            expires=None,
        )
        for kept in self._belongings:
            kept[made.sequence] = {}
        return self._keep(made)

    async def get(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        found = self._find(place, id)
        return None if found is None or self._has_expired(found) else found

    async def outline(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        found = await self.get(place, id)
        return None if found is None else msgspec.structs.replace(found, input=b"", result=None)

    async def page(self, query: JobQuery) -> list[Job]:
        """See `ports.jobs`."""
        found = [each for each in self._jobs.values() if _fits(each, query) and not self._has_expired(each)]
        newest = sorted(found, key=lambda each: -each.sequence)[: query.limit]
        return [msgspec.structs.replace(each, input=b"", result=None) for each in newest]

    async def events(self, place: Place, id: str, after: int, limit: int) -> list[JobEvent]:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        job = await self.get(place, id)
        told = {} if job is None else self._events[job.sequence]
        return [told[number] for number in sorted(told) if number > after][:limit]

    async def cancel(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        job = await self.get(place, id)
        if job is None or job.state.final:
            return job
        asked = msgspec.structs.replace(job, cancel_asked=True, updated=self._clock.unix())
        if job.state is JobState.RUNNING:
            return self._keep(asked)
        return self._end(asked, Move.CANCEL)

    async def claim(self, kinds: Collection[str], limit: int, seconds: float) -> list[Job]:
        """See `ports.jobs`."""
        now = self._clock.unix()
        due = [(each.due, each.sequence) for each in self._jobs.values() if each.due is not None and each.kind in kinds]
        ready = sorted(each for each in due if each[0] <= now)[:limit]
        claimed = [self._claim(self._jobs[sequence], now + seconds) for _, sequence in ready]
        return [each for each in claimed if not each.state.final]

    async def renew(self, leases: Sequence[Lease], seconds: float) -> Mapping[Lease, bool]:
        """See `ports.jobs`."""
        now, found = self._clock.unix(), dict[Lease, bool]()
        for lease in leases:
            job = self._held(lease)
            if job is not None:
                self._keep(msgspec.structs.replace(job, due=now + seconds, updated=now))
                found[lease] = job.cancel_asked
        return found

    async def give_back(self, lease: Lease, seconds: float) -> None:
        """See `ports.jobs`."""
        job, now = self._require(lease), self._clock.unix()
        self._keep(
            msgspec.structs.replace(
                job,
                state=MOVES[job.state, Move.GIVE_BACK],
                attempts=job.attempts - 1,
                due=now + seconds,
                updated=now,
            )
        )

    async def recorded(self, job: int) -> Recorded:
        """See `ports.jobs`."""
        return Recorded(steps=dict(self._steps.get(job, {})), last_event=max(self._events.get(job, {}), default=-1))

    async def record(self, lease: Lease, steps: Mapping[str, bytes], events: Sequence[JobEvent]) -> None:
        """See `ports.jobs`."""
        self._require(lease)
        job, now = lease.job, self._clock.unix()
        self._steps[job] = {**steps, **self._steps[job]}
        self._events[job] = {**{each.number: each for each in events}, **self._events[job]}
        self._step_times[job] = {**dict.fromkeys(steps, now), **self._step_times[job]}
        self._event_times[job] = {**{each.number: now for each in events}, **self._event_times[job]}

    async def finish(self, lease: Lease, ending: Ending) -> None:
        """See `ports.jobs`."""
        job = self._jobs.get(lease.job)
        if (
            job is not None
            and job.lease == lease
            and Ending(state=job.state, result=job.result, error=job.error) == ending
        ):
            return
        self._end(self._require(lease), _ENDINGS[ending.state], ending)

    async def remove_expired(self, limit: int) -> int:
        """See `ports.jobs`."""
        found = [(each.expires, each.sequence) for each in self._jobs.values() if each.expires is not None]
        gone = sorted(each for each in found if each[0] <= self._clock.unix())[:limit]
        for _, sequence in gone:
            self._forget(self._jobs[sequence])
        return len(gone)

    async def of_runs(self, resource: str, names: Collection[str], limit: int) -> list[Job]:
        """See `ports.jobs`."""
        newest, found = self._newest(resource), list[Job]()
        for name in names:
            found += [each for each in newest if each.id == name][:limit]
            found += [each for each in newest if each.subject == name][:limit]
        return found

    async def of_resource(self, resource: str, limit: int) -> list[Job]:
        """See `ports.jobs`."""
        return [msgspec.structs.replace(each, input=b"", result=None) for each in self._newest(resource)[:limit]]

    async def past(self, job: int, limit: int) -> Past:
        """See `ports.jobs`."""
        attempts, steps = self._attempts.get(job, {}), self._step_times.get(job, {})
        return Past(
            attempts={fence: attempts[fence] for fence in sorted(attempts)[:limit]},
            steps={name: steps[name] for name in list(steps)[:limit]},
        )

    async def told(self, job: int, after: int, limit: int) -> list[Told]:
        """See `ports.jobs`."""
        told, times = self._events.get(job, {}), self._event_times.get(job, {})
        found = [number for number in sorted(told) if number > after][:limit]
        return [Told(event=told[number], at=times[number]) for number in found]

    def _newest(self, resource: str) -> list[Job]:
        found = (each for each in self._jobs.values() if each.place.resource == resource)
        return sorted((each for each in found if not self._has_expired(each)), key=lambda each: -each.sequence)

    def _claim(self, job: Job, lease_ends: float) -> Job:
        if job.state is JobState.RUNNING and job.attempts >= job.most_attempts:
            if job.cancel_asked:
                return self._end(job, Move.CANCEL)
            return self._end(job, Move.FAIL, Ending(state=JobState.FAILED, error=LOST))
        now = self._clock.unix()
        self._attempts[job.sequence][job.fence + 1] = now
        return self._keep(
            msgspec.structs.replace(
                job,
                state=MOVES[job.state, Move.CLAIM],
                attempts=job.attempts + 1,
                fence=job.fence + 1,
                due=lease_ends,
                updated=now,
            )
        )

    def _end(self, job: Job, move: Move, ending: Ending | None = None) -> Job:
        now = self._clock.unix()
        return self._keep(
            msgspec.structs.replace(
                job,
                state=MOVES[job.state, move],
                due=None,
                updated=now,
                expires=None if job.kept is None else now + job.kept,
                result=None if ending is None else ending.result,
                error=None if ending is None else ending.error,
            )
        )

    def _held(self, lease: Lease) -> Job | None:
        job = self._jobs.get(lease.job)
        return job if job is not None and job.state is JobState.RUNNING and job.fence == lease.fence else None

    def _require(self, lease: Lease) -> Job:
        job = self._held(lease)
        if job is None:
            raise LeaseLost
        return job

    def _find(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        return next((each for each in self._jobs.values() if (each.place, each.id) == (place, id)), None)

    def _has_expired(self, job: Job) -> bool:
        return job.expires is not None and job.expires <= self._clock.unix()

    def _keep(self, job: Job) -> Job:
        self._jobs[job.sequence] = job
        return job

    def _forget(self, job: Job) -> None:
        for kept in (self._jobs, *self._belongings):
            kept.pop(job.sequence, None)

    @property
    def _belongings(self) -> tuple[dict[int, Any], ...]:
        """What is kept of a job besides itself."""
        return (self._steps, self._events, self._attempts, self._step_times, self._event_times)


def _fits(job: Job, query: JobQuery) -> bool:
    return (
        job.place == query.place
        and query.kind in (None, job.kind)
        and query.subject in (None, job.subject)
        and query.state in (None, job.state)
        and (query.before is None or job.sequence < query.before)
    )

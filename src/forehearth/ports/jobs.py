"""Where jobs are kept, cut by who asks: those who want work done, those who look at it, and the workers that do it.

What a store has answered to is kept, whatever happens to the process. All of them raise `StoreFailed`. Times are by the
store's own clock, so that workers on several machines agree on them; what is handed in are seconds from now.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from forehearth.core.job import Ending, Job, JobEvent, JobQuery, Lease, NewJob, Past, Recorded, Told
from forehearth.core.place import Place


class JobDesk(Protocol):
    """Takes jobs, and shows them. One of another place does not exist, and neither does one that has expired.

    Texts are `storable` and ids short; `jobs.desk` sees to it.
    """

    async def add(self, job: NewJob) -> Job:
        """Keep a new one, which waits. Raises `JobExists`, unless the one that is there has expired."""
        ...

    async def get(self, place: Place, id: str) -> Job | None:  # noqa: A002 - what it is
        """The job; None when there is none."""
        ...

    async def page(self, query: JobQuery) -> list[Job]:
        """The newest that are asked for, `limit` at most, without their inputs and results, which may be large."""
        ...


class JobWatch(Protocol):
    """Shows what a job tells, and lets it be stopped."""

    async def outline(self, place: Place, id: str) -> Job | None:  # noqa: A002 - what it is
        """The job without its input and result, which may be large; None when there is none."""
        ...

    async def events(self, place: Place, id: str, after: int, limit: int) -> list[JobEvent]:  # noqa: A002 - what it is
        """Its events with greater numbers, in order, `limit` at most. -1 is before the first one."""
        ...

    async def cancel(self, place: Place, id: str) -> Job | None:  # noqa: A002 - what it is
        """Cancel it if it waits, and ask for that if it runs; the job as it is then. One that has ended stays so."""
        ...


class JobLeases(Protocol):
    """Gives jobs to workers."""

    async def claim(self, kinds: Collection[str], limit: int, seconds: float) -> list[Job]:
        """Give the caller jobs that are due, of these kinds, `limit` at most, each with a lease of so many seconds.

        What has had all of its attempts ends instead, so fewer may come back than there were.
        """
        ...

    async def renew(self, leases: Sequence[Lease], seconds: float) -> Mapping[Lease, bool]:
        """Have leases end so many seconds from now: whether cancelling is asked for, by the lease.

        Those that are not in the answer are lost. One that has lapsed, and that nobody else has, is as good as new.
        """
        ...

    async def give_back(self, lease: Lease, seconds: float) -> None:
        """Let go of a job, which waits again and is due in so many seconds. Raises `LeaseLost`."""
        ...


class JobRecords(Protocol):
    """Keeps what workers did, each time only if the lease is still the job's last one: both in one transaction."""

    async def recorded(self, job: int) -> Recorded:
        """What was recorded of the job with this sequence."""
        ...

    async def record(self, lease: Lease, steps: Mapping[str, bytes], events: Sequence[JobEvent]) -> None:
        """Keep all of these, or none. Raises `LeaseLost`.

        What is there already, by name or number, stays as it is: so the same may be recorded again after an uncertain
        failure.
        """
        ...

    async def finish(self, lease: Lease, ending: Ending) -> None:
        """End the job. Raises `LeaseLost`, but not where it has ended in this very way."""
        ...


class JobRetention(Protocol):
    """Forgets."""

    async def remove_expired(self, limit: int) -> int:
        """Remove what has expired with all that belongs to it, the longest gone first, `limit` at most; how many."""
        ...


class JobArchive(Protocol):
    """Shows jobs of all places of a resource, for whoever operates the server and never for a caller."""

    async def of_runs(self, resource: str, names: Collection[str], limit: int) -> list[Job]:
        """Those that have one of these as their id or are for it, whichever place it is in, in no order.

        Of each name the newest: `limit` that have it as their id, and `limit` that are for it. One may come twice.
        """
        ...

    async def of_resource(self, resource: str, limit: int) -> list[Job]:
        """The newest, without their inputs and results."""
        ...

    async def past(self, job: int, limit: int) -> Past:
        """How the job with this sequence went; `limit` attempts and `limit` steps at most."""
        ...

    async def told(self, job: int, after: int, limit: int) -> list[Told]:
        """Its events with greater numbers, in order. -1 is before the first one."""
        ...


class JobStore(JobDesk, JobWatch, JobLeases, JobRecords, JobRetention, JobArchive, Protocol):
    """All of that: what one database keeps."""

"""Jobs in PostgreSQL: a `ports.jobs.JobStore` for workers on several machines. The server's clock counts the leases."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from forehearth.core.job import (
    Ending,
    Job,
    JobEvent,
    JobExists,
    JobQuery,
    Lease,
    LeaseLost,
    NewJob,
    Past,
    Recorded,
    Told,
)
from forehearth.core.place import Place
from forehearth.stores import job_rows
from forehearth.stores.postgres.database import Database
from forehearth.stores.postgres.statements import statements

_SQL = statements("jobs")


class PostgresJobs:
    """See `ports.jobs`. Each write is one statement, and so a transaction with the check of its fence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: NewJob) -> Job:
        """See `ports.jobs`."""
        rows = await self._database.write(_SQL["add"], job_rows.of_new(job))
        if not rows:
            raise JobExists
        return job_rows.job(rows[0])

    async def get(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        rows = await self._database.read(_SQL["get"], job_rows.of_key(place, id))
        return job_rows.job(rows[0]) if rows else None

    async def outline(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        rows = await self._database.read(_SQL["outline"], job_rows.of_key(place, id))
        return job_rows.job(rows[0]) if rows else None

    async def page(self, query: JobQuery) -> list[Job]:
        """See `ports.jobs`."""
        rows = await self._database.read(_SQL[job_rows.page_query(query)], job_rows.of_query(query))
        return [job_rows.job(row) for row in rows]

    async def events(self, place: Place, id: str, after: int, limit: int) -> list[JobEvent]:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        wanted = job_rows.of_key(place, id) | {"after": after, "limit": limit}
        return [JobEvent(**row) for row in await self._database.read(_SQL["events"], wanted)]

    async def cancel(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        rows = await self._database.write(_SQL["cancel"], job_rows.of_key(place, id))
        return job_rows.job(rows[0]) if rows else await self.get(place, id)

    async def claim(self, kinds: Collection[str], limit: int, seconds: float) -> list[Job]:
        """See `ports.jobs`."""
        wanted = {"kinds": sorted(kinds), "limit": limit, "seconds": seconds} | job_rows.OF_LOST
        rows = await self._database.write(_SQL["claim"], wanted)
        return sorted(map(job_rows.job, rows), key=lambda each: each.sequence)

    async def renew(self, leases: Sequence[Lease], seconds: float) -> Mapping[Lease, bool]:
        """See `ports.jobs`."""
        held = {"jobs": [each.job for each in leases], "fences": [each.fence for each in leases]}
        rows = await self._database.write(_SQL["renew"], held | {"seconds": seconds})
        return {Lease(job=row["sequence"], fence=row["fence"]): row["cancel_asked"] for row in rows}

    async def give_back(self, lease: Lease, seconds: float) -> None:
        """See `ports.jobs`."""
        await self._held("give_back", job_rows.of_lease(lease) | {"seconds": seconds})

    async def recorded(self, job: int) -> Recorded:
        """See `ports.jobs`."""
        rows = await self._database.read(_SQL["steps"], {"job": job})
        (last,) = await self._database.read(_SQL["last_event"], {"job": job})
        return Recorded(steps={row["name"]: row["result"] for row in rows}, last_event=last["number"])

    async def record(self, lease: Lease, steps: Mapping[str, bytes], events: Sequence[JobEvent]) -> None:
        """See `ports.jobs`."""
        given = {
            "names": list(steps),
            "results": list(steps.values()),
            "numbers": [each.number for each in events],
            "titles": [each.name for each in events],
            "bodies": [each.body for each in events],
        }
        await self._held("record", job_rows.of_lease(lease) | given)

    async def finish(self, lease: Lease, ending: Ending) -> None:
        """See `ports.jobs`."""
        values = job_rows.of_ending(lease, ending)
        written = await self._database.write(_SQL["finish"], values)
        if not written and not await self._database.read(_SQL["ended"], values):
            raise LeaseLost

    async def remove_expired(self, limit: int) -> int:
        """See `ports.jobs`."""
        return len(await self._database.write(_SQL["remove_expired"], {"limit": limit}))

    async def of_runs(self, resource: str, names: Collection[str], limit: int) -> list[Job]:
        """See `ports.jobs`."""
        wanted = {"resource": resource, "names": list(names), "limit": limit}
        return [job_rows.job(row) for row in await self._database.read(_SQL["of_runs"], wanted)]

    async def of_resource(self, resource: str, limit: int) -> list[Job]:
        """See `ports.jobs`."""
        rows = await self._database.read(_SQL["of_resource"], {"resource": resource, "limit": limit})
        return [job_rows.job(row) for row in rows]

    async def past(self, job: int, limit: int) -> Past:
        """See `ports.jobs`."""
        wanted = {"job": job, "limit": limit}
        attempts = await self._database.read(_SQL["attempts"], wanted)
        steps = await self._database.read(_SQL["times_of_steps"], wanted)
        return Past(
            attempts={row["fence"]: row["at"] for row in attempts}, steps={row["name"]: row["at"] for row in steps}
        )

    async def told(self, job: int, after: int, limit: int) -> list[Told]:
        """See `ports.jobs`."""
        rows = await self._database.read(_SQL["told"], {"job": job, "after": after, "limit": limit})
        return [
            Told(event=JobEvent(number=row["number"], name=row["name"], body=row["body"]), at=row["at"]) for row in rows
        ]

    async def _held(self, name: str, values: Mapping[str, Any]) -> None:
        """Write what needs the job's last lease. Raises `LeaseLost`."""
        if not await self._database.write(_SQL[name], values):
            raise LeaseLost

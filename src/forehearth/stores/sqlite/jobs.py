"""Jobs in SQLite: a `ports.jobs.JobStore` for the workers of one machine."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import apsw
import msgspec

from forehearth.core.clock import Clock
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
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database

_SQL = queries("sqlite", "jobs")
_COLUMNS = (
    "sequence",
    "resource",
    "project",
    "agent",
    "id",
    "kind",
    "subject",
    "input",
    "state",
    "attempts",
    "most_attempts",
    "fence",
    "due",
    "cancel_asked",
    "created",
    "updated",
    "kept",
    "expires",
    "result",
    "error_code",
    "error_message",
)
"""Of the table, in its order."""


class SqliteJobs:
    """See `ports.jobs`. The clock is read within the transaction, so that no two workers see time go back."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, job: NewJob) -> Job:
        """See `ports.jobs`."""

        def work(connection: apsw.Connection) -> Job:
            values = job_rows.of_new(job) | self._now()
            connection.execute(_SQL["give_way"], values).fetchall()
            try:
                (row,) = connection.execute(_SQL["add"], values).fetchall()
            except apsw.ConstraintError:
                raise JobExists from None
            return _job(row)

        return await self._database.write(work)

    async def get(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        rows = await self._read("get", job_rows.of_key(place, id))
        return _job(rows[0]) if rows else None

    async def outline(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        rows = await self._read("outline", job_rows.of_key(place, id))
        return _job(rows[0]) if rows else None

    async def page(self, query: JobQuery) -> list[Job]:
        """See `ports.jobs`."""
        return [_job(row) for row in await self._read(job_rows.page_query(query), job_rows.of_query(query))]

    async def events(self, place: Place, id: str, after: int, limit: int) -> list[JobEvent]:  # noqa: A002 - the port's
        """See `ports.jobs`."""
        rows = await self._read("events", job_rows.of_key(place, id) | {"after": after, "limit": limit})
        return [JobEvent(number=number, name=name, body=bytes(body)) for number, name, body in rows]

    async def cancel(self, place: Place, id: str) -> Job | None:  # noqa: A002 - the port's
        """See `ports.jobs`."""

        def work(connection: apsw.Connection) -> Job | None:
            values = job_rows.of_key(place, id) | self._now()
            rows = connection.execute(_SQL["cancel"], values).fetchall()
            rows = rows or connection.execute(_SQL["get"], values).fetchall()
            return _job(rows[0]) if rows else None

        return await self._database.write(work)

    async def claim(self, kinds: Collection[str], limit: int, seconds: float) -> list[Job]:
        """See `ports.jobs`."""
        wanted: dict[str, Any] = {
            "kinds": msgspec.json.encode(sorted(kinds)).decode(),
            "limit": limit,
            "seconds": seconds,
        }

        def work(connection: apsw.Connection) -> list[Job]:
            values = wanted | job_rows.OF_LOST | self._now()
            connection.execute(_SQL["give_up"], values).fetchall()
            rows = connection.execute(_SQL["claim"], values).fetchall()
            claimed = sorted(map(_job, rows), key=lambda each: each.sequence)
            noted = [job_rows.of_lease(each.lease) | {"now": each.updated} for each in claimed]
            connection.executemany(_SQL["add_attempt"], noted)
            return claimed

        return await self._database.write(work)

    async def renew(self, leases: Sequence[Lease], seconds: float) -> Mapping[Lease, bool]:
        """See `ports.jobs`."""

        def work(connection: apsw.Connection) -> dict[Lease, bool]:
            found, until = dict[Lease, bool](), {"seconds": seconds} | self._now()
            for lease in leases:
                for (asked,) in connection.execute(_SQL["renew"], job_rows.of_lease(lease) | until).fetchall():
                    found[lease] = bool(asked)
            return found

        return await self._database.write(work)

    async def give_back(self, lease: Lease, seconds: float) -> None:
        """See `ports.jobs`."""
        await self._held("give_back", job_rows.of_lease(lease) | {"seconds": seconds})

    async def recorded(self, job: int) -> Recorded:
        """See `ports.jobs`."""
        steps = {name: bytes(result) for name, result in await self._read("steps", {"job": job})}
        ((last,),) = await self._read("last_event", {"job": job})
        return Recorded(steps=steps, last_event=last)

    async def record(self, lease: Lease, steps: Mapping[str, bytes], events: Sequence[JobEvent]) -> None:
        """See `ports.jobs`."""
        new_steps: list[dict[str, Any]] = [
            {"job": lease.job, "name": name, "result": result} for name, result in steps.items()
        ]
        new_events = [msgspec.structs.asdict(each) | {"job": lease.job} for each in events]

        def work(connection: apsw.Connection) -> None:
            if not connection.execute(_SQL["held"], job_rows.of_lease(lease)).fetchall():
                raise LeaseLost
            now = self._now()
            connection.executemany(_SQL["add_step"], [each | now for each in new_steps])
            connection.executemany(_SQL["add_event"], [each | now for each in new_events])

        await self._database.write(work)

    async def finish(self, lease: Lease, ending: Ending) -> None:
        """See `ports.jobs`."""

        def work(connection: apsw.Connection) -> None:
            values = job_rows.of_ending(lease, ending) | self._now()
            if not any(connection.execute(_SQL[name], values).fetchall() for name in ("finish", "ended")):
                raise LeaseLost

        await self._database.write(work)

    async def remove_expired(self, limit: int) -> int:
        """See `ports.jobs`."""

        def work(connection: apsw.Connection) -> int:
            return len(connection.execute(_SQL["remove_expired"], {"limit": limit} | self._now()).fetchall())

        return await self._database.write(work)

    async def of_runs(self, resource: str, names: Collection[str], limit: int) -> list[Job]:
        """See `ports.jobs`."""
        wanted = {"resource": resource, "names": msgspec.json.encode(list(names)).decode(), "limit": limit}
        return [_job(row) for row in await self._read("of_runs", wanted)]

    async def of_resource(self, resource: str, limit: int) -> list[Job]:
        """See `ports.jobs`."""
        return [_job(row) for row in await self._read("of_resource", {"resource": resource, "limit": limit})]

    async def past(self, job: int, limit: int) -> Past:
        """See `ports.jobs`."""
        wanted = {"job": job, "limit": limit}
        attempts, steps = await self._read("attempts", wanted), await self._read("times_of_steps", wanted)
        return Past(attempts=dict(attempts), steps=dict(steps))

    async def told(self, job: int, after: int, limit: int) -> list[Told]:
        """See `ports.jobs`."""
        rows = await self._read("told", {"job": job, "after": after, "limit": limit})
        return [
            Told(event=JobEvent(number=number, name=name, body=bytes(body)), at=at) for number, name, body, at in rows
        ]

    async def _held(self, name: str, values: Mapping[str, Any]) -> None:
        """Write what needs the job's last lease. Raises `LeaseLost`."""

        def work(connection: apsw.Connection) -> None:
            if not connection.execute(_SQL[name], dict(values) | self._now()).fetchall():
                raise LeaseLost

        await self._database.write(work)

    async def _read(self, name: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        wanted = dict(values) | self._now()
        return await self._database.read(lambda connection: connection.execute(_SQL[name], wanted).fetchall())

    def _now(self) -> dict[str, Any]:
        return {"now": self._clock.unix()}


def _job(row: tuple[Any, ...]) -> Job:
    return job_rows.job(dict(zip(_COLUMNS, cast("tuple[object, ...]", row), strict=True)))

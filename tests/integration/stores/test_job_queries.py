"""What is particular to jobs in each database: every query has its index; claims and records exclude each other."""

import asyncio

import asyncpg
import pytest

from forehearth.core.clock import SystemClock
from forehearth.core.job import JobQuery, JobState, LeaseLost
from forehearth.core.secret import Secret
from forehearth.stores.postgres.jobs import PostgresJobs
from forehearth.stores.postgres.opening import open_database as open_postgres
from forehearth.stores.postgres.statements import statements
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import open_database as open_sqlite
from forehearth.stores.sqlite.jobs import SqliteJobs
from tests.integration.stores.conftest import empty_place
from tests.unit.stores.job_fence import HERE, claimed, event, new

ASKED = {
    "resource": "here",
    "project": "default",
    "agent": "",
    "id": "j7",
    "names": ["j7", "j8"],
    "kind": None,
    "subject": "s",
    "state": None,
    "before": None,
    "limit": 20,
    "job": 7,
    "fence": 1,
    "after": -1,
    "seconds": 1.0,
}
PLANNED = {
    "get": "jobs_resource_project_agent_id_key",
    "outline": "jobs_resource_project_agent_id_key",
    "cancel": "jobs_resource_project_agent_id_key",
    "page": "jobs_by_place",
    "of_subject": "jobs_by_subject",
    "events": "job_events_pkey",
    "give_back": "jobs_pkey",
    "last_event": "job_events_pkey",
    "of_runs": "jobs_by_id jobs_by_what_they_are_for",
    "of_resource": "jobs_by_resource",
    "told": "job_events_pkey",
}


@pytest.fixture
def url(request, tmp_path):
    return empty_place("postgres", request, tmp_path)


@pytest.fixture
async def store(url):
    database = await open_postgres(Secret(url), connections=4)
    yield PostgresJobs(database)
    await database.aclose()


async def test_every_query_in_sqlite_has_an_index(tmp_path):
    database = open_sqlite(tmp_path / "store.db")
    names = ("now", "kinds", "lost_code", "lost_message", "name", "result", "number", "body")
    wanted = ASKED | dict.fromkeys(names) | dict.fromkeys(("input", "most_attempts", "delay", "kept"))
    wanted |= dict.fromkeys(("error_code", "error_message")) | {"names": '["j7"]'}

    def plans(connection):
        return {
            name: " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", wanted).fetchall())
            for name, sql in queries("sqlite", "jobs").items()
        }

    found = await database.read(plans)
    await database.aclose()
    assert not [name for name, plan in found.items() if "SCAN job" in plan or "TEMP B-TREE" in plan]


async def test_every_query_in_postgres_has_its_index_before_there_are_any_statistics(url, store):
    await asyncio.gather(*(store.add(new(f"j{number}")) for number in range(500)))
    for job in await store.claim(["work"], 100, 60.0):
        await store.record(job.lease, {}, [event(0)])
    connection = await asyncpg.connect(url, server_settings={"search_path": "forehearth"})
    for name, indexes in PLANNED.items():
        statement = statements("jobs")[name]
        rows = await connection.fetch(f"EXPLAIN {statement.sql}", *statement.arguments(ASKED))
        plan = "\n".join(row[0] for row in rows)
        assert [each for each in indexes.split() if f" {each} " not in plan] == [], (name, plan)
        assert "Seq Scan on job" not in plan, (name, plan)
    await connection.close()


async def test_who_records_while_another_claims_waits_and_is_refused(url, store):
    """The claim is not yet committed when the record is asked for, so the row still has the older fence to see."""
    made = await store.add(new())
    job = await claimed(store, 0.0)
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("UPDATE forehearth.jobs SET fence = fence + 1")
        recording = asyncio.create_task(store.record(job.lease, {"late": b"1"}, [event(0)]))
        waits = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'forehearth'"
        )
        while not await other.fetchval(waits):
            assert not recording.done(), "it does not wait"
            await asyncio.sleep(0.01)
    with pytest.raises(LeaseLost):
        await recording
    assert (await store.recorded(made.sequence)).steps == {}
    await other.close()


async def test_who_claims_passes_over_a_job_that_is_being_recorded(url, store):
    await store.add(new())
    await claimed(store, 0.0)
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("SELECT sequence FROM forehearth.jobs FOR NO KEY UPDATE")
        assert await store.claim(["work"], 1, 60.0) == []
    assert (await claimed(store, 60.0)).fence == 2
    await other.close()


async def test_what_is_kept_in_a_file_is_there_after_it_was_closed(tmp_path):
    database = open_sqlite(tmp_path / "store.db")
    await SqliteJobs(database, SystemClock()).add(new())
    await database.aclose()
    database = open_sqlite(tmp_path / "store.db")
    found = await SqliteJobs(database, SystemClock()).page(JobQuery(place=HERE, state=JobState.WAITING))
    await database.aclose()
    assert [each.id for each in found] == ["a"]

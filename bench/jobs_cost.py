"""`python -m bench.jobs_cost`: what it costs to record what a job does, in microseconds, on each store.

    step      one step after the other, each recorded before the next one begins
    together  200 steps at once within a job, which share their transactions
    job       a job without a step, from its submission over its claim to its end, 16 side by side

Beside each, in brackets, the processor time of this process. PostgreSQL is a server of its own on this machine, over a
Unix socket, and brings every commit to the disk (`fsync = on`); SQLite has `synchronous = NORMAL`, as in the server.
Each is the least of several rounds, because the machine's other work only ever adds.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from forehearth.core.clock import SystemClock
from forehearth.core.job import JobQuery, JobState, NewJob
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.jobs.desk import Jobs
from forehearth.jobs.run import Run
from forehearth.jobs.worker import Worker
from forehearth.ports.jobs import JobStore
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.stores.postgres.opening import opened
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.jobs import SqliteJobs
from tests.postgres_server import postgres_server

ROUNDS = 5
STEPS, AT_ONCE, JOBS = 500, 200, 100
HERE = Place(resource="here")
RESULT = {"status": "completed", "text": "x" * 160}
"""Some two hundred bytes."""
_NUMBERS = count()

Work = Callable[[JobStore], Awaitable[int]]


async def step(store: JobStore) -> int:
    """Steps one after the other."""

    async def handle(run: Run) -> None:
        for number in range(STEPS):
            await run.step(f"s{number}", _result)

    await _done(store, handle, 1)
    return STEPS


async def together(store: JobStore) -> int:
    """Many at once."""

    async def handle(run: Run) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                await run.step(f"s{number}", _result)

        await asyncio.gather(*map(one, range(4 * STEPS)))

    await _done(store, handle, 1)
    return 4 * STEPS


async def job(store: JobStore) -> int:
    """Whole jobs."""

    async def handle(_: Run) -> None:
        return None

    await _done(store, handle, JOBS)
    return JOBS


async def _result() -> object:
    return RESULT


async def _done(store: JobStore, handle: Callable[[Run], Awaitable[None]], jobs: int) -> None:
    """Have so many jobs done, each under an id that nobody had before."""
    desk, left, over = Jobs(store, "bench"), jobs, asyncio.Event()

    async def counted(run: Run) -> None:
        nonlocal left
        await handle(run)
        left -= 1
        if not left:
            over.set()

    await asyncio.gather(*(desk.submit(NewJob(place=HERE, kind="bench", id=f"{next(_NUMBERS)}")) for _ in range(jobs)))
    async with Worker(store, {"bench": counted}, SystemClock()):
        await over.wait()
        while await store.page(JobQuery(place=HERE, state=JobState.RUNNING, limit=1)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def measured(store: JobStore, work: Work) -> tuple[float, float]:
    """Microseconds that a piece takes, and of processor time."""
    found = []
    for _ in range(ROUNDS):
        began, spent = time.perf_counter(), time.process_time()
        pieces = await work(store)
        found.append(((time.perf_counter() - began) / pieces * 1e6, (time.process_time() - spent) / pieces * 1e6))
    return min(each[0] for each in found), min(each[1] for each in found)


@asynccontextmanager
async def _stores(folder: Path, url: str) -> AsyncIterator[dict[str, JobStore]]:
    database = open_database(folder / "store.db")
    try:
        async with opened(Secret(url), connections=8) as (_, _, shared):
            yield {
                "memory": MemoryJobs(SystemClock()),
                "SQLite": SqliteJobs(database, SystemClock()),
                "PostgreSQL": shared,
            }
    finally:
        await database.aclose()


async def run(folder: Path, url: str) -> dict[str, dict[str, tuple[float, float]]]:
    """Measure everything on every store."""
    async with _stores(folder, url) as stores:
        works: dict[str, Work] = {"step": step, "together": together, "job": job}
        return {
            store: {name: await measured(kept, work) for name, work in works.items()} for store, kept in stores.items()
        }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.jobs_cost", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres_server(fsync="on", full_page_writes="on") as server:
        found = asyncio.run(run(Path(folder), server.create_database("bench")))
    if options.json:
        print(json.dumps(found))
    else:
        for store, costs in found.items():
            told = "   ".join(f"{name} {took:7.1f} ({spent:6.1f})" for name, (took, spent) in costs.items())
            print(f"{store:<12} {told}   µs")
    return 0


if __name__ == "__main__":
    sys.exit(main())

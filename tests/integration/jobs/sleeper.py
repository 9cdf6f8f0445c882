"""Has a job, and is stopped past its lease: `python -m …sleeper STORE bare|worker`. It tells each thing by a line.

`bare` claims a job, and at each line that it reads tries to write of it in every way there is, and to renew its lease.
`worker` is a whole worker, whose handler does a second step when it reads a line.
"""

import asyncio
import json
import sys

from forehearth.core.clock import SystemClock
from forehearth.core.job import LeaseLost
from forehearth.jobs.run import Run
from forehearth.jobs.worker import Pace, Worker
from forehearth.ports.jobs import JobStore
from tests.integration.stores.opened import opened_jobs
from tests.unit.stores.job_fence import LATE_WRITES

LEASE = 0.4
PACE = Pace(lease=LEASE, beat=0.1, poll=0.05)


def tell(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


async def told() -> str:
    """The next line; empty when there is none."""
    return await asyncio.to_thread(sys.stdin.readline)


async def bare(store: JobStore) -> None:
    (job,) = await store.claim(["work"], 1, LEASE)
    await store.record(job.lease, {"first": b'"of the sleeper"'}, [])
    tell("claimed")
    while await told():
        outcomes = dict[str, str]()
        for name, write in LATE_WRITES.items():
            try:
                await write(store, job.lease)
                outcomes[name] = "written"
            except LeaseLost:
                outcomes[name] = "refused"
        outcomes["heartbeat"] = "written" if await store.renew([job.lease], 60.0) else "refused"
        tell(outcomes)


async def worker(store: JobStore) -> None:
    over = asyncio.Event()

    async def second() -> str:
        tell("in the second step")
        await told()
        return "of the sleeper"

    async def handle(run: Run) -> None:
        await run.step("first", lambda: asyncio.sleep(0, "of the sleeper"))
        try:
            await run.step("second", second)
            tell("recorded")
        except LeaseLost:
            tell("refused")
            raise
        except asyncio.CancelledError:
            tell("stopped")
            raise
        finally:
            over.set()

    async with Worker(store, {"work": handle}, SystemClock(), pace=PACE):
        await over.wait()
    tell("ended")


async def main(place: str, how: str) -> None:
    async with opened_jobs(place) as store:
        await (bare if how == "bare" else worker)(store)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))

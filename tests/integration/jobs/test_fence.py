"""A process that is stopped past its lease and woken: another has its job, and whatever it writes then is refused."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from forehearth.core.clock import SystemClock
from forehearth.core.job import JobState
from forehearth.jobs.worker import Worker
from tests.conftest import ROOT
from tests.integration.jobs.sleeper import PACE
from tests.integration.stores.opened import opened_jobs
from tests.unit.stores.job_fence import DONE, HERE, LATE_WRITES, event, new

ALL_REFUSED = dict.fromkeys([*LATE_WRITES, "heartbeat"], "refused")


class Sleeper:
    def __init__(self, process):
        self._process = process

    async def tells(self):
        return json.loads(await self._process.stdout.readline())

    def say(self):
        self._process.stdin.write(b"go on\n")

    def stop(self):
        self._process.send_signal(signal.SIGSTOP)

    def wake(self):
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def sleeper(place: str, how: str) -> AsyncIterator[Sleeper]:
    command = [sys.executable, "-m", "tests.integration.jobs.sleeper", place, how]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    try:
        yield Sleeper(process)
    finally:
        process.kill()
        await process.communicate()


async def lapsed(store):
    """The job, claimed anew once its lease has lapsed."""
    while not (found := await store.claim(["work"], 1, 60.0)):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.02)
    return found[0]


async def test_whatever_a_process_writes_that_slept_past_its_lease_is_refused(place):
    async with opened_jobs(place) as store:
        made = await store.add(new())
        async with sleeper(place, "bare") as first:
            assert await first.tells() == "claimed"
            first.stop()
            mine = await lapsed(store)
            await store.record(mine.lease, {"second": b"2"}, [event(0, b'"mine"')])
            first.wake()
            first.say()
            assert await first.tells() == ALL_REFUSED
            await store.finish(mine.lease, DONE)
            first.say()
            assert await first.tells() == ALL_REFUSED
        found = await store.recorded(made.sequence)
        assert found.steps == {"first": b'"of the sleeper"', "second": b"2"}
        assert await store.events(HERE, "a", -1, 10) == [event(0, b'"mine"')]
        job = await store.get(HERE, "a")
        assert (job.state, job.result, job.fence, job.attempts) == (JobState.SUCCEEDED, b"1", 2, 2)


async def test_a_worker_that_slept_past_its_lease_stops_what_it_did(place):
    async def handle(run):
        async def work():
            return "of the other"

        return [await run.step(name, work) for name in ("first", "second")]

    async with opened_jobs(place) as store:
        await store.add(new())
        async with sleeper(place, "worker") as first:
            assert await first.tells() == "in the second step"
            first.stop()
            async with Worker(store, {"work": handle}, SystemClock(), pace=PACE):
                while not (await store.get(HERE, "a")).state.final:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.02)
            first.wake()
            first.say()
            assert await first.tells() in ("stopped", "refused")
            assert await first.tells() == "ended"
        job = await store.get(HERE, "a")
        assert (job.state, job.result) == (JobState.SUCCEEDED, b'["of the sleeper","of the other"]')
        assert (await store.recorded(job.sequence)).steps["second"] == b'"of the other"'

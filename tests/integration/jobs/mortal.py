"""Workers that do jobs and are killed: `python -m …mortal STORE FOLDER KILLS SEED`.

One process forks three of them, so that a death costs milliseconds. Each asks for jobs of its own and does whatever is
due, until it is killed at some moment, or stopped for longer than its lease and woken. In the end what was left is
done, and compared with the notes of all who did anything: a line for each time that the work of a step was begun.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import msgspec

from forehearth.core.clock import SystemClock
from forehearth.core.job import Job, JobQuery, JobState, NewJob
from forehearth.core.place import Place
from forehearth.jobs.desk import MOST, Jobs
from forehearth.jobs.run import Run
from forehearth.jobs.worker import Pace, Worker
from forehearth.ports.jobs import JobStore
from tests.integration.stores.opened import opened_jobs

HERE = Place(resource="here", project="default")
KIND = "storm"
PROCESSES = 3
JOBS_EACH, STEPS = 4, 50
PACE = Pace(at_once=4, lease=0.5, beat=0.1, poll=0.05)
SHORTEST, LONGEST = 0.02, 0.25
"""Seconds between two kills."""
STOP_EVERY = 6
"""After so many kills one is stopped and woken instead."""
LONGEST_STEP = 0.01
"""Seconds that the work of a step takes, at most."""
AT_WORK, PATIENCE = 0.8, 2.0
"""How many of those that are killed have done something before, and the seconds that each gets for it at most."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    kills: int
    killed_at_work: int
    """Those of them that had done something before."""
    stopped: int
    jobs: int
    steps: int
    recorded: int
    """Steps that are recorded."""
    done: int
    """Times that the work of a step was begun."""
    taken_over: int
    """Attempts that were begun at jobs which others had begun."""
    seconds: float
    wrong: list[str]
    """What must not be, in words."""

    @property
    def repeats(self) -> int:
        """Times that work was begun again, because who began it first died before it was recorded."""
        return self.done - self.steps


def main(store: str, folder: Path, kills: int, seed: int) -> int:
    """Let it happen, and print what was found."""
    storm = _Storm(store, folder, Random(seed))
    began = time.monotonic()
    for number in range(1, kills + 1):
        time.sleep(storm.dice.uniform(SHORTEST, LONGEST))
        if number % STOP_EVERY == 0:
            storm.stop_one()
        storm.kill_one()
    storm.end()
    found = asyncio.run(storm.look(kills, lambda: time.monotonic() - began))
    sys.stdout.write(msgspec.json.encode(found).decode())
    return 0


class _Storm:
    """The processes, and who kills them."""

    def __init__(self, store: str, folder: Path, dice: Random) -> None:
        self.dice = dice
        self._store = store
        self._notes = folder / "notes"
        self._notes.touch()
        self._born = 0
        self._killed: list[int] = []
        self._stopped = 0
        self._wrong: list[str] = []
        self._living = [self._fork() for _ in range(PROCESSES)]

    def kill_one(self) -> None:
        child = self._living.pop(self.dice.randrange(len(self._living)))
        if self.dice.random() < AT_WORK:
            self._see_at_work(child)
        self._kill(child)
        self._living.append(self._fork())

    def _see_at_work(self, child: int) -> None:
        """Wait until it has done something, or its time for that is over: others may have it all."""
        deadline = time.monotonic() + PATIENCE
        while f" {child}\n" not in self._notes.read_text() and time.monotonic() < deadline:
            time.sleep(0.005)

    def stop_one(self) -> None:
        """Stop one for longer than its lease, wake it, and let it try to go on."""
        child = self.dice.choice(self._living)
        os.kill(child, signal.SIGSTOP)
        time.sleep(1.5 * PACE.lease)
        os.kill(child, signal.SIGCONT)
        time.sleep(2 * PACE.beat)
        self._stopped += 1

    def end(self) -> None:
        for child in self._living:
            self._kill(child)

    def _kill(self, child: int) -> None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        self._killed.append(child)
        if not os.WIFSIGNALED(status):
            self._wrong.append(f"a worker ended by itself with status {status}")

    def _fork(self) -> int:
        self._born += 1
        child = os.fork()
        if not child:
            status = 1
            try:
                asyncio.run(_live(self._store, self._notes, self._born, os.getppid()))
                status = 0
            finally:
                os._exit(status)
        return child

    async def look(self, kills: int, seconds: Callable[[], float]) -> Found:
        """Do what was left, and compare what is kept with what was noted."""
        async with opened_jobs(self._store) as store:
            await _finish(store, self._notes)
            jobs = [each async for each in _all_jobs(store)]
            for each in jobs:
                if each.state is not JobState.SUCCEEDED or each.result != b"%d" % STEPS:
                    self._wrong.append(f"{each.id} is {each.state}")
            noted = [tuple(line.split()) for line in self._notes.read_text().splitlines()]
            recorded = 0
            for each in jobs:
                recorded += await self._compare(store, each, [step for step in noted if step[0] == each.id])
        at_work = {int(who) for *_, who in noted}
        return Found(
            kills=kills,
            killed_at_work=len(at_work & set(self._killed)),
            stopped=self._stopped,
            jobs=len(jobs),
            steps=len(jobs) * STEPS,
            recorded=recorded,
            done=len(noted),
            taken_over=sum(each.attempts - 1 for each in jobs),
            seconds=seconds(),
            wrong=self._wrong[:20],
        )

    async def _compare(self, store: JobStore, job: Job, noted: list[tuple[str, ...]]) -> int:
        """Every step was recorded once, with what one of those who did it got, and told once by the events."""
        kept = await store.recorded(job.sequence)
        if set(kept.steps) != {f"s{number}" for number in range(STEPS)}:
            self._wrong.append(f"{job.id} has the steps {sorted(kept.steps)}")
        done = {(step, result) for _, step, result, _ in noted}
        for step, result in kept.steps.items():
            if (step, msgspec.json.decode(result)) not in done:
                self._wrong.append(f"{job.id} {step}: nobody did what is recorded")
        events = await store.events(job.place, job.id, -1, 10 * STEPS)
        if [each.number for each in events] != list(range(len(events))):
            self._wrong.append(f"{job.id}: events are not numbered one after the other")
        told = [msgspec.json.decode(each.body, type=tuple[str, str]) for each in events]
        expected = [(name, msgspec.json.decode(kept.steps[name])) for name in map("s{}".format, range(0, STEPS, 2))]
        if told != expected:
            self._wrong.append(f"{job.id}: events do not tell what is recorded")
        repeats = sum(count - 1 for count in Counter(step for _, step, _, _ in noted).values())
        if repeats > job.attempts - 1:
            self._wrong.append(f"{job.id}: {repeats} repeats in {job.attempts} attempts of one step at a time")
        return len(kept.steps)


async def _live(place: str, notes: Path, number: int, parent: int) -> None:
    """Be a worker until the end, or until nobody is there to kill it."""
    async with opened_jobs(place) as store:
        desk = Jobs(store, KIND)
        for count in range(JOBS_EACH):
            await desk.submit(NewJob(place=HERE, kind=KIND, id=f"{number}-{count}", most_attempts=10_000))
        async with Worker(store, {KIND: _handler(notes)}, SystemClock(), pace=PACE):
            while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(1.0)


async def _finish(store: JobStore, notes: Path) -> None:
    async with Worker(store, {KIND: _handler(notes)}, SystemClock(), pace=PACE):
        for state in (JobState.WAITING, JobState.RUNNING, JobState.WAITING):
            query = JobQuery(place=HERE, state=state, limit=1)
            while await store.page(query):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)


async def _all_jobs(store: JobStore):
    before = None
    while found := await store.page(JobQuery(place=HERE, before=before, limit=MOST)):
        for each in found:
            whole = await store.get(HERE, each.id)
            assert whole is not None
            yield whole
        before = found[-1].sequence


def _handler(path: Path):
    """Does the steps of a job one after the other: every other one together with an event."""
    notes = os.open(path, os.O_APPEND | os.O_WRONLY)
    dice = Random(os.getpid())

    async def handle(run: Run) -> int:
        for number in range(STEPS):
            name = f"s{number}"

            async def work(name: str = name) -> str:
                result = run.key(name)
                os.write(notes, f"{run.job.id} {name} {result} {os.getpid()}\n".encode())
                await asyncio.sleep(dice.uniform(0, LONGEST_STEP))
                return result

            if number % 2:
                await run.step(name, work)
            elif not run.done(name):
                result = await work()
                await run.record(steps={name: result}, events=[("done", (name, result))])
        return STEPS

    return handle


def figures(found: Found) -> Iterator[tuple[str, object]]:
    """What is worth telling."""
    yield "kills", found.kills
    yield "killed while or after doing something, with those at the end", found.killed_at_work
    yield "stopped past their lease and woken", found.stopped
    yield "jobs", found.jobs
    yield "steps", found.steps
    yield "recorded", found.recorded
    yield "attempts taken over", found.taken_over
    yield "work begun", found.done
    yield "work begun again", found.repeats
    yield "seconds", round(found.seconds, 1)
    yield "wrong", len(found.wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))

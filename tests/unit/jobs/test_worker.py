"""The worker: who is begun, kept, stopped, ended and given back."""

import asyncio

import pytest

from forehearth.core.errors import ContextTooLong
from forehearth.core.job import LOST, JobError, JobState
from forehearth.jobs.run import JobCancelled, JobFailed
from tests.unit.jobs.engine import AWAY, Stuck
from tests.unit.stores.job_fence import DONE, HERE


async def test_a_job_is_done_and_its_result_kept(engine):
    await engine.add(input=b'{"n": 2}')

    async def double(run):
        return {"n": 2 * run.input(dict[str, int])["n"]}

    job = await engine.done(double)
    assert (job.state, job.result, job.error, job.attempts) == (JobState.SUCCEEDED, b'{"n":4}', None, 1)


async def test_kinds_without_a_handler_are_left_to_others(engine):
    await engine.add(kind="other")
    job = await engine.done({"work": Stuck()})
    assert (job.state, job.fence) == (JobState.WAITING, 0)


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (JobFailed("too_odd", "The batch is too odd."), JobError(code="too_odd", message="The batch is too odd.")),
        (
            ContextTooLong("The prompt is too long."),
            JobError(code="context_length_exceeded", message="The prompt is too long."),
        ),
        (JobFailed("odd", "a\0b\ud800" + "x" * 5_000), JobError(code="odd", message="a?b?" + "x" * 1_996)),
        (
            LookupError("hunter2"),
            JobError(code="internal_error", message="The job ended by an error of the server's own."),
        ),
        (JobCancelled(), JobError(code="internal_error", message="The job ended by an error of the server's own.")),
        (
            asyncio.CancelledError(),
            JobError(code="internal_error", message="The job ended by an error of the server's own."),
        ),
    ],
)
async def test_a_handler_that_raises_fails_its_job_once(engine, caplog, raised, shown):
    await engine.add()
    begun = []

    async def fail(run):
        begun.append(run)
        raise raised

    job = await engine.done(fail)
    assert (job.state, job.error, job.result, len(begun)) == (JobState.FAILED, shown, None, 1)
    assert "hunter2" not in caplog.text
    assert "Traceback" not in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize("result", [object(), "\ud800", float])
async def test_a_result_that_is_no_json_fails_its_job(engine, result):
    async def odd(_):
        return result

    await engine.add()
    assert (await engine.done(odd)).error.code == "internal_error"


async def test_heartbeats_keep_a_lease_for_as_long_as_it_takes(engine):
    await engine.add()
    stuck = Stuck()
    async with engine.worker(stuck, lease=15.0), engine.worker(stuck, lease=15.0):
        await engine.clock.advance(600)
        assert (stuck.began, stuck.cut) == (1, 0)
        assert (await engine.job()).due > engine.clock.unix() + 10


async def test_what_a_dead_worker_left_goes_on_after_its_last_step(engine):
    await engine.add()
    (dead,) = await engine.store.claim(["work"], 1, 15.0)
    await engine.store.record(dead.lease, {"one": b'"of the dead"'}, [])
    done = []

    async def steps(run):
        async def work():
            done.append(run.job.attempts)
            return "of the living"

        return [await run.step("one", work), await run.step("two", work)]

    job = await engine.done(steps)
    assert job.result == b'["of the dead","of the living"]'
    assert done == [2]
    assert job.attempts == 2


async def test_a_job_that_ends_its_workers_is_given_up(engine):
    await engine.add(most_attempts=2)
    for _ in range(2):
        await engine.store.claim(["work"], 1, 15.0)
        await engine.clock.advance(15)
    stuck = Stuck()
    job = await engine.done(stuck)
    assert (job.state, job.error, stuck.began) == (JobState.FAILED, LOST, 0)


async def test_who_slept_past_its_lease_is_stopped_and_writes_nothing(engine, caplog):
    """The worker's beats are answered that the job is another one's."""
    made = await engine.add()
    stuck = Stuck()
    async with engine.worker(stuck, at_once=1, lease=5.0, beat=10.0):
        await engine.clock.advance(6)
        (other,) = await engine.store.claim(["work"], 1, 60.0)
        await engine.clock.advance(6)
        assert (stuck.began, stuck.cut) == (1, 1)
        assert "lease of a work is lost" in caplog.text
        await engine.store.record(other.lease, {"mine": b"1"}, [])
    await engine.store.finish(other.lease, DONE)
    assert (await engine.store.recorded(made.sequence)).steps == {"mine": b"1"}


async def test_of_two_attempts_in_one_worker_the_newer_one_goes_on(engine):
    """Its loop stood still for longer than the lease, and then it claimed its own job anew."""
    await engine.add()
    stuck = Stuck()
    async with engine.worker(stuck, lease=5.0, beat=5.2):
        await engine.clock.advance(5.1)
        assert (stuck.began, stuck.cut) == (2, 0)
        await engine.clock.advance(0.2)
        assert stuck.cut == 1
        assert (await engine.job()).fence == 2


async def test_an_end_that_comes_too_late_is_not_recorded(engine, caplog):
    await engine.add()
    over = asyncio.Event()

    async def wait(_):
        await over.wait()
        return "late"

    async with engine.worker(wait, at_once=1, lease=5.0, beat=1_000.0):
        await engine.clock.advance(6)
        (other,) = await engine.store.claim(["work"], 1, 60.0)
        over.set()
        await engine.clock.advance(1)
    await engine.store.finish(other.lease, DONE)
    assert (await engine.job()).result == b"1"
    assert "this end is not recorded" in caplog.text


async def test_who_cannot_renew_its_lease_stops_before_it_ends(engine):
    await engine.add()
    stuck = Stuck()
    async with engine.worker(stuck, lease=15.0, beat=1.0):
        engine.store.away = {"renew"}
        await engine.clock.advance(12)
        assert stuck.cut == 0
        await engine.clock.advance(3)
        assert stuck.cut == 1
        assert engine.clock.unix() <= (await engine.job()).due


async def test_a_store_that_comes_back_in_time_costs_nothing(engine):
    await engine.add()
    over = asyncio.Event()

    async def work(run):
        await over.wait()

        async def one():
            return 1

        return await run.step("one", one)

    async with engine.worker(work, lease=15.0):
        engine.store.away = {"renew", "record", "finish", "claim"}
        over.set()
        await engine.clock.advance(10)
        engine.store.away = set()
        await engine.clock.advance(1)
    job = await engine.job()
    assert (job.state, job.result, job.attempts) == (JobState.SUCCEEDED, b"1", 1)


async def test_a_store_that_is_away_for_too_long_costs_an_attempt(engine, caplog):
    await engine.add()
    begun = []

    async def work(run):
        begun.append(run)
        await run.append(("told", len(begun)))
        return len(begun)

    engine.store.away = {"record"}
    async with engine.worker(work, at_once=1, lease=15.0):
        engine.store.away = {"record", "renew", "claim"}
        await engine.clock.advance(40)
        engine.store.away = set()
        await engine.clock.advance(20)
    job = await engine.job()
    assert (job.state, job.result, job.attempts) == (JobState.SUCCEEDED, b"2", 2)
    assert str(AWAY) in caplog.text


async def test_jobs_that_cannot_be_looked_for_are_looked_for_again(engine, caplog):
    engine.store.away = {"claim"}
    await engine.add()

    async def nothing(_):
        return None

    async with engine.worker(nothing):
        await engine.clock.advance(5)
        assert "jobs could not be looked for: the store does not answer" in caplog.text
        engine.store.away = set()
        await engine.clock.advance(1)
    assert (await engine.job()).state is JobState.SUCCEEDED


async def test_so_many_run_at_once_and_no_more(engine):
    for number in range(5):
        await engine.add(f"j{number}")
    gates = {f"j{number}": asyncio.Event() for number in range(5)}

    async def wait(run):
        await gates[run.job.id].wait()

    async with engine.worker(wait, at_once=2) as worker:
        await engine.clock.advance(5)
        assert worker.running == 2
        gates["j0"].set()
        await engine.clock.advance(0)
        assert worker.running == 2, "who ends makes room at once"
        assert (await engine.job("j2")).state is JobState.RUNNING
        for gate in gates.values():
            gate.set()
        await engine.clock.advance(1)
        assert worker.running == 0


async def test_a_nudge_begins_a_job_at_once(engine):
    stuck = Stuck()
    async with engine.worker(stuck, poll=1_000.0) as worker:
        await engine.add()
        await engine.clock.advance(10)
        assert stuck.began == 0
        worker.nudge()
        await engine.clock.advance(0)
        assert stuck.began == 1


async def test_the_end_gives_leases_back_at_once(engine):
    await engine.add()
    stuck = Stuck()
    async with engine.worker(stuck):
        pass
    job = await engine.job()
    assert (job.state, job.attempts, stuck.cut) == (JobState.WAITING, 0, 1)
    assert len(await engine.store.claim(["work"], 1, 15.0)) == 1


async def test_the_end_waits_for_a_claim_that_is_under_way(engine):
    """Or its jobs would wait until their leases lapse."""
    answered = asyncio.Event()
    claim = engine.store.claim

    async def slow(*given):
        found = await claim(*given)
        await answered.wait()
        return found

    await engine.add()
    engine.store.claim = slow
    stuck = Stuck()
    async with engine.worker(stuck):
        asyncio.get_running_loop().call_later(0.01, answered.set)
    assert ((await engine.job()).state, stuck.began) == (JobState.WAITING, 0)


async def test_a_handler_that_does_not_end_loses_its_lease_all_the_same(engine, caplog):
    await engine.add()
    stuck = Stuck(stubborn=True)
    async with engine.worker(stuck, stopping=0.01):
        pass
    assert (await engine.job()).state is JobState.WAITING
    assert "does not end" in caplog.text
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        for _ in range(4):
            task.cancel()
            await asyncio.sleep(0)


async def test_a_handler_sees_within_a_heartbeat_that_cancelling_is_asked_for(engine):
    await engine.add()
    seen = []

    async def obedient(run):
        assert not run.cancel_asked
        await run.cancelling.wait()
        seen.append(engine.clock.monotonic())
        raise JobCancelled({"half": True})

    async with engine.worker(obedient, beat=1.0):
        asked = engine.clock.monotonic()
        await engine.store.cancel(HERE, "a")
        await engine.clock.advance(5)
    job = await engine.job()
    assert (job.state, job.result, job.error) == (JobState.CANCELLED, b'{"half":true}', None)
    assert seen[0] - asked <= 1.0


async def test_a_step_is_not_begun_once_cancelling_is_asked_for_unless_it_has_to_be(engine):
    await engine.add()
    done = []

    async def work(run):
        async def one():
            done.append("one")
            await run.cancelling.wait()
            return 1

        async def tidy():
            done.append("tidy")
            return 2

        await run.step("one", one)
        try:
            await run.step("two", tidy)
        finally:
            assert await run.step("one", one) == 1
            await run.step("last", tidy, though_cancelled=True)

    async with engine.worker(work):
        await engine.store.cancel(HERE, "a")
        await engine.clock.advance(5)
    job = await engine.job()
    assert (job.state, done) == (JobState.CANCELLED, ["one", "tidy"])
    assert set((await engine.store.recorded(job.sequence)).steps) == {"one", "last"}


async def test_a_handler_that_does_not_look_is_cut(engine):
    await engine.add()
    stuck = Stuck()
    async with engine.worker(stuck, cancelling=10.0):
        await engine.store.cancel(HERE, "a")
        await engine.clock.advance(9)
        assert stuck.cut == 0
        await engine.clock.advance(3)
        assert stuck.cut == 1
        assert (await engine.job()).state is JobState.CANCELLED


async def test_a_job_that_is_done_before_it_sees_that_is_done(engine):
    await engine.add()
    over = asyncio.Event()

    async def work(_):
        await over.wait()
        return "done"

    async with engine.worker(work):
        await engine.store.cancel(HERE, "a")
        over.set()
        await engine.clock.advance(5)
    assert (await engine.job()).state is JobState.SUCCEEDED


async def test_whoever_comes_next_knows_that_it_is_to_be_cancelled(engine):
    await engine.add()
    await engine.store.claim(["work"], 1, 15.0)
    await engine.store.cancel(HERE, "a")
    seen = []

    async def look(run):
        seen.append(run.cancel_asked)
        raise JobCancelled

    assert (await engine.done(look)).state is JobState.CANCELLED
    assert seen == [True]

"""The handle of an attempt: steps that are done once, events that are numbered, and what is refused."""

import asyncio
import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.job import LONGEST_NAME, MOST_BYTES, JobState, LeaseLost
from forehearth.jobs.run import Run
from tests.unit.jobs.engine import Engine
from tests.unit.stores.job_fence import HERE, event


class Answer(msgspec.Struct, frozen=True):
    text: str


def returning(value):
    async def work():
        return value

    return work


@pytest.fixture
async def handled(engine: Engine):
    """Runs a function as the handler of a job, and returns the job; what an assertion says in it is raised."""

    async def run_it(handler, name="a", **rest):
        await engine.add(name, **rest)
        raised: list[BaseException] = []

        async def guarded(run):
            try:
                return await handler(run)
            except AssertionError as error:
                raised.append(error)
                raise

        job = await engine.done(guarded, name)
        if raised:
            raise raised[0]
        return job

    return run_it


async def test_a_step_returns_the_same_the_first_time_and_ever_after(handled):
    async def work(run):
        first = await run.step("one", returning({"a": (1, 2)}))
        again = await run.step("one", returning("never"))
        assert first == again == {"a": [1, 2]}
        assert run.done("one")
        assert not run.done("two")
        answer = await run.step("two", returning(Answer("yes")), of=Answer)
        assert answer == Answer("yes")
        return await run.step("two", returning("never"), of=Answer)

    assert (await handled(work)).result == b'{"text":"yes"}'


async def test_a_step_that_raises_is_not_recorded_and_may_be_tried_again(handled, engine):
    async def work(run):
        async def fail():
            raise LookupError

        with pytest.raises(LookupError):
            await run.step("one", fail)
        return await run.step("one", returning(2))

    assert (await handled(work)).result == b"2"


@pytest.mark.parametrize("name", ["", "a\0", "\ud800", "x" * (LONGEST_NAME + 1)])
async def test_names_that_cannot_be_kept_are_refused_before_anything_is_done(handled, name):
    done = []

    async def work(run):
        async def note():
            done.append(1)

        with pytest.raises(ValueError, match="the name of a step or an event"):
            await run.step(name, note)
        with pytest.raises(ValueError, match="the name of a step or an event"):
            await run.append((name, 1))

    assert (await handled(work)).state is JobState.SUCCEEDED
    assert done == []


@pytest.mark.parametrize("value", [object(), "\ud800", "x" * MOST_BYTES, {1: {2}, "a": open}])
async def test_what_cannot_be_kept_is_refused_and_changes_nothing(handled, value):
    async def work(run):
        with pytest.raises(ValueError, match="what a job records"):
            await run.step("one", returning(value))
        with pytest.raises(ValueError, match="what a job records"):
            await run.append(("good", 1), ("bad", value))
        assert not run.done("one")
        assert await run.append(("first", 1)) == 0
        return await run.step("one", returning(1))

    assert (await handled(work)).result == b"1"


async def test_one_name_is_one_step(handled):
    async def work(run):
        over = asyncio.Event()
        first = asyncio.create_task(run.step("one", over.wait))
        await asyncio.sleep(0)
        with pytest.raises(ValueError, match="is under way"):
            await run.step("one", returning(2))
        over.set()
        return await first

    assert (await handled(work)).result == b"true"


async def test_events_are_numbered_in_the_order_in_which_they_are_told(handled, engine):
    async def work(run):
        assert run.last_event == -1
        numbers = await asyncio.gather(*(run.append(("one", number), ("two", number)) for number in range(50)))
        assert numbers == list(range(1, 100, 2))
        return run.last_event

    assert (await handled(work)).result == b"99"
    events = await engine.store.events(HERE, "a", -1, 1_000)
    assert [(each.number, each.name, each.body) for each in events] == [
        (number, "two" if number % 2 else "one", b"%d" % (number // 2)) for number in range(100)
    ]


async def test_a_later_attempt_goes_on_behind_the_events_of_the_earlier_one(engine):
    await engine.add()

    async def work(run):
        return await run.append(("told", run.job.attempts))

    (dead,) = await engine.store.claim(["work"], 1, 1.0)
    await engine.store.record(dead.lease, {}, [event(0, b"1")])
    assert (await engine.done(work)).result == b"1"
    assert [each.body for each in await engine.store.events(HERE, "a", -1, 9)] == [b"1", b"2"]


async def test_a_step_and_its_events_are_recorded_together_or_not_at_all(handled, engine):
    async def work(run):
        assert await run.record(steps={"one": 1, "two": 2}, events=[("told", 1)]) == 0
        assert await run.step("one", returning(9)) == 1
        await engine.store.give_back(run.job.lease, 600.0)
        with pytest.raises(LeaseLost):
            await run.record(steps={"three": 3}, events=[("told", 2)])
        assert run.lost
        assert not run.done("three")

    job = await handled(work)
    found = await engine.store.recorded(job.sequence)
    assert (set(found.steps), found.last_event) == ({"one", "two"}, 0)


async def test_many_steps_at_once_share_few_transactions(handled, engine):
    async def work(run):
        found = await asyncio.gather(*(run.step(f"s{number}", returning(number)) for number in range(1_000)))
        assert found == list(range(1_000))

    job = await handled(work)
    assert len((await engine.store.recorded(job.sequence)).steps) == 1_000
    assert engine.store.asked["record"] <= 6


async def test_no_two_attempts_at_a_step_have_the_same_key(engine):
    keys = []

    async def work(run):
        keys.append(run.key("one"))
        keys.append(run.key("two"))
        if len(keys) < 4:
            await engine.store.give_back(run.job.lease, 0.0)
            run.lost = True

    await engine.add()
    await engine.add("b")
    await engine.done(work)
    assert len(set(keys)) == len(keys) >= 6


@given(st.lists(st.integers(0, 9), max_size=30))
def test_wherever_attempts_die_each_step_is_recorded_once_and_done_anew_only_where_it_was_not(deaths):
    """`deaths` has for each attempt after how many pieces of work it dies, before that one is recorded."""
    done = list[str]()

    async def attempt(run, death):
        for number in range(5):

            async def work(number=number):
                done.append(f"s{number}")
                if len(done) > death:
                    raise EOFError
                return number

            await run.step(f"s{number}", work)

    async def live():
        engine = Engine()
        made = await engine.add(most_attempts=100)
        for death in [*deaths, 10_000]:
            (job,) = await engine.store.claim(["work"], 1, 0.0)
            run = Run(job, engine.store, engine.clock, engine.clock.sleep, good_until=0.0)
            await run.begin()
            had = len((await engine.store.recorded(made.sequence)).steps)
            began = len(done)
            with contextlib.suppress(EOFError):
                await attempt(run, began + death)
            has = (await engine.store.recorded(made.sequence)).steps
            assert has == {f"s{number}": b"%d" % number for number in range(len(has))}
            assert done[began:] == [f"s{number}" for number in range(had, min(5, had + death + 1))]
            assert len(has) == min(5, had + death)

    asyncio.run(live())

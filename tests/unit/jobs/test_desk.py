"""Jobs for whoever asks for them: each within its place and kind, followed by the numbers of their events."""

import asyncio

import msgspec
import pytest

from forehearth.core.errors import Conflict, InvalidField, NotFound
from forehearth.core.job import LONGEST_NAME, MOST_BYTES, JobQuery, JobState
from forehearth.core.place import Place
from forehearth.jobs.desk import Jobs
from tests.unit.stores.job_fence import HERE, new


@pytest.fixture
def desk(engine):
    return Jobs(engine.store, "work")


async def test_a_job_is_submitted_found_listed_and_cancelled(desk):
    made = await desk.submit(new("a", kind="whatever", subject="s"))
    assert made.kind == "work"
    assert await desk.get(HERE, "a") == made
    assert await desk.list(JobQuery(place=HERE, subject="s")) == [msgspec.structs.replace(made, input=b"")]
    assert (await desk.cancel(HERE, "a")).state is JobState.CANCELLED


@pytest.mark.parametrize("place", [Place(resource="there", project="default"), Place(resource="here")])
async def test_a_job_of_another_place_or_kind_does_not_exist(desk, engine, place):
    await desk.submit(new())
    other = Jobs(engine.store, "other_kind")
    for jobs, where in ((desk, place), (other, HERE)):
        for act in (jobs.get, jobs.cancel, jobs.events):
            with pytest.raises(NotFound):
                await act(where, "a")
        assert await jobs.list(JobQuery(place=where)) == []
    with pytest.raises(NotFound, match="There is no other kind 'a'"):
        await other.get(HERE, "a")
    assert (await desk.get(HERE, "a")).cancel_asked is False


async def test_an_id_that_is_taken_is_told(desk):
    await desk.submit(new())
    with pytest.raises(Conflict, match="There is a work 'a' already"):
        await desk.submit(new())


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * (LONGEST_NAME + 1)])
async def test_ids_that_no_store_keeps_are_refused_and_nobodys(desk, text):
    for given in ({"name": text}, {"subject": text}):
        with pytest.raises(InvalidField):
            await desk.submit(new(**given))
    with pytest.raises(NotFound):
        await desk.get(HERE, text)
    assert await desk.list(JobQuery(place=HERE, subject=text)) == []


async def test_an_input_has_an_end(desk):
    with pytest.raises(InvalidField) as refused:
        await desk.submit(new(input=b"x" * (MOST_BYTES + 1)))
    assert refused.value.param == "input"


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_has_an_end(desk, limit):
    with pytest.raises(InvalidField):
        await desk.list(JobQuery(place=HERE, limit=limit))


async def test_a_job_is_followed_to_its_end_and_from_wherever_a_stream_broke(desk, engine):
    going_on = asyncio.Event()

    async def work(run):
        await run.append(*(("told", number) for number in range(600)))
        await going_on.wait()
        await run.append(("last", None))

    async def numbers(after):
        return [each.number async for each in desk.follow(HERE, "a", engine.clock.sleep, after=after)]

    await desk.submit(new())
    async with engine.worker(work):
        following = [asyncio.create_task(numbers(after)) for after in (-1, 598)]
        await engine.clock.advance(1)
        assert not any(each.done() for each in following)
        going_on.set()
        await engine.clock.advance(1)
    assert [await each for each in following] == [list(range(601)), [599, 600]]
    assert await numbers(600) == []
    assert [each.number for each in await desk.events(HERE, "a", after=597, limit=2)] == [598, 599]


async def test_nobody_follows_what_is_not_there(desk, engine):
    with pytest.raises(NotFound):
        await anext(desk.follow(HERE, "a", engine.clock.sleep))

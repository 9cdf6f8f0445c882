"""What every store of jobs does, wherever it keeps them."""

import asyncio
from collections import Counter
from random import Random

import msgspec
import pytest

from forehearth.core.job import LOST, Ending, JobError, JobExists, JobQuery, JobState, LeaseLost, Move
from forehearth.core.place import Place
from tests.unit.stores.job_fence import DONE, HERE, claimed, event, new, refuses_whoever_had_the_job_before
from tests.unit.stores.job_lives import WHATS, Act, Life

ELSEWHERE = [
    Place(resource="here"),
    Place(resource="here", project="sales"),
    Place(resource="there", project="default"),
    Place(resource="here", project="default", agent="a"),
]


async def ids(store, **rest):
    return [each.id for each in await store.page(JobQuery(**{"place": HERE} | rest))]


async def test_a_job_comes_back_whole(jobs):
    given = new(":id 'ü'", subject="resp_1", input=b'{"n": 1}', most_attempts=3, kept=60.0)
    made = await jobs.add(given)
    assert await jobs.get(HERE, given.id) == made
    assert (made.place, made.kind, made.id, made.subject, made.input) == (HERE, "work", given.id, "resp_1", b'{"n": 1}')
    assert (made.state, made.attempts, made.most_attempts, made.fence) == (JobState.WAITING, 0, 3, 0)
    assert (made.cancel_asked, made.result, made.error, made.kept, made.expires) == (False, None, None, 60.0, None)
    assert made.created == made.updated == made.due


async def test_an_id_is_taken_once_in_its_place(jobs):
    await jobs.add(new())
    with pytest.raises(JobExists):
        await jobs.add(new(kind="other", input=b"2"))
    for place in ELSEWHERE:
        await jobs.add(new(place=place))
    assert (await jobs.get(HERE, "a")).input == b"null"


@pytest.mark.parametrize("place", ELSEWHERE)
async def test_nothing_reaches_into_another_place(jobs, place):
    await jobs.add(new())
    job = await claimed(jobs, 60.0)
    await jobs.record(job.lease, {}, [event(0)])
    assert await jobs.get(place, "a") is None
    assert await jobs.outline(place, "a") is None
    assert await jobs.cancel(place, "a") is None
    assert await jobs.events(place, "a", -1, 10) == []
    assert await jobs.page(JobQuery(place=place)) == []
    assert await jobs.page(JobQuery(place=place, subject="")) == []
    assert (await jobs.get(HERE, "a")).cancel_asked is False


async def test_jobs_are_listed_the_newest_first(jobs):
    made = [
        await jobs.add(
            new(f"j{number}", subject="even" if number % 2 == 0 else "odd", kind="odd" if number == 3 else "work")
        )
        for number in range(5)
    ]
    await jobs.cancel(HERE, "j2")
    assert await ids(jobs) == ["j4", "j3", "j2", "j1", "j0"]
    assert await ids(jobs, limit=2) == ["j4", "j3"]
    assert await ids(jobs, limit=2, before=made[3].sequence) == ["j2", "j1"]
    assert await ids(jobs, kind="work") == ["j4", "j2", "j1", "j0"]
    assert await ids(jobs, subject="even") == ["j4", "j2", "j0"]
    assert await ids(jobs, subject="even", before=made[4].sequence, limit=1) == ["j2"]
    assert await ids(jobs, state=JobState.CANCELLED) == ["j2"]
    assert await ids(jobs, subject="even", state=JobState.WAITING, kind="work") == ["j4", "j0"]
    assert await ids(jobs, subject="' OR 1=1 --") == []


async def test_a_list_is_without_what_may_be_large(jobs):
    await jobs.add(new(input=b'"large"'))
    job = await claimed(jobs, 60.0)
    await jobs.finish(job.lease, DONE)
    (listed,) = await jobs.page(JobQuery(place=HERE))
    assert (listed.input, listed.result) == (b"", None)
    whole = await jobs.get(HERE, "a")
    assert (whole.input, whole.result) == (b'"large"', b"1")
    assert listed == msgspec.structs.replace(whole, input=b"", result=None)
    assert await jobs.outline(HERE, "a") == listed


async def test_a_job_is_claimed_by_one_when_it_is_due(jobs):
    await jobs.add(new())
    await jobs.add(new("later", delay=60.0))
    await jobs.add(new("other", kind="other"))
    job = await claimed(jobs, 60.0)
    assert (job.id, job.state, job.attempts, job.fence) == ("a", JobState.RUNNING, 1, 1)
    assert 55.0 < job.due - job.updated <= 60.0
    assert await jobs.get(HERE, "a") == job
    assert await jobs.claim(["work", "none"], 10, 60.0) == []
    assert await jobs.claim([], 10, 60.0) == []
    assert [each.id for each in await jobs.claim(["other", "work"], 10, 60.0)] == ["other"]


async def test_those_that_are_due_longest_come_first(jobs):
    for name, delay in (("c", -1.0), ("a", -3.0), ("b", -2.0)):
        await jobs.add(new(name, delay=delay))
    assert sorted(each.id for each in await jobs.claim(["work"], 2, 60.0)) == ["a", "b"]
    assert [each.id for each in await jobs.claim(["work"], 2, 60.0)] == ["c"]


async def test_a_hundred_jobs_go_to_eight_who_claim_at_once_each_to_one(jobs):
    for number in range(100):
        await jobs.add(new(f"j{number}"))

    async def take():
        taken = []
        while found := await jobs.claim(["work"], 3, 60.0):
            taken += [each.id for each in found]
        return taken

    taken = [each for found in await asyncio.gather(*(take() for _ in range(8))) for each in found]
    taken += await take()
    assert sorted(taken) == sorted(f"j{number}" for number in range(100))


async def test_the_fence_refuses_whoever_had_the_job_before(jobs):
    await refuses_whoever_had_the_job_before(jobs)


async def test_a_lease_that_lapsed_is_good_until_somebody_else_claims(jobs):
    await jobs.add(new())
    job = await claimed(jobs, 0.0)
    await jobs.record(job.lease, {"s": b"1"}, [])
    assert await jobs.renew([job.lease], 60.0) == {job.lease: False}
    assert await jobs.claim(["work"], 1, 60.0) == []
    await jobs.finish(job.lease, DONE)


async def test_steps_and_events_are_kept_together_once_and_in_order(jobs):
    made = await jobs.add(new())
    found = await jobs.recorded(made.sequence)
    assert (found.steps, found.last_event) == ({}, -1)
    job = await claimed(jobs, 60.0)
    await jobs.record(job.lease, {"b": b"1", "a ü": b'"\\u0000"'}, [event(0), event(1, b"[]")])
    await jobs.record(job.lease, {"b": b"2", "c": b"3"}, [event(1, b"{}"), event(2)])
    await jobs.record(job.lease, {}, [])
    found = await jobs.recorded(made.sequence)
    assert (found.steps, found.last_event) == ({"b": b"1", "a ü": b'"\\u0000"', "c": b"3"}, 2)
    assert await jobs.events(HERE, "a", -1, 10) == [event(0), event(1, b"[]"), event(2)]
    assert await jobs.events(HERE, "a", 0, 1) == [event(1, b"[]")]
    assert await jobs.events(HERE, "a", 2, 10) == []


async def test_of_a_job_that_is_not_claimed_nothing_is_recorded(jobs):
    made = await jobs.add(new())
    with pytest.raises(LeaseLost):
        await jobs.record(made.lease, {"s": b"1"}, [event(0)])
    with pytest.raises(LeaseLost):
        await jobs.finish(made.lease, DONE)
    assert await jobs.renew([made.lease], 60.0) == {}
    assert (await jobs.recorded(made.sequence)).steps == {}


@pytest.mark.parametrize(
    "ending",
    [
        DONE,
        Ending(state=JobState.FAILED, error=JobError(code="no", message="It was not to be.")),
        Ending(state=JobState.CANCELLED, result=b'{"half": true}'),
    ],
)
async def test_an_end_is_final_and_may_be_told_again(jobs, ending):
    await jobs.add(new(kept=60.0))
    job = await claimed(jobs, 60.0)
    await jobs.finish(job.lease, ending)
    await jobs.finish(job.lease, ending)
    found = await jobs.get(HERE, "a")
    assert (found.state, found.result, found.error, found.due) == (ending.state, ending.result, ending.error, None)
    assert found.expires == pytest.approx(found.updated + 60.0)
    other = Ending(state=JobState.CANCELLED if ending is DONE else JobState.SUCCEEDED)
    with pytest.raises(LeaseLost):
        await jobs.finish(job.lease, other)
    assert await jobs.claim(["work"], 1, 60.0) == []
    assert (await jobs.cancel(HERE, "a")) == found
    with pytest.raises(LeaseLost):
        await jobs.record(job.lease, {"s": b"1"}, [])


async def test_what_is_given_back_waits_and_did_not_count(jobs):
    await jobs.add(new())
    job = await claimed(jobs, 60.0)
    await jobs.record(job.lease, {"s": b"1"}, [])
    await jobs.give_back(job.lease, 0.0)
    found = await jobs.get(HERE, "a")
    assert (found.state, found.attempts, found.fence) == (JobState.WAITING, 0, 1)
    with pytest.raises(LeaseLost):
        await jobs.record(job.lease, {"t": b"1"}, [])
    again = await claimed(jobs, 60.0)
    assert (again.attempts, again.fence) == (1, 2)
    assert (await jobs.recorded(job.sequence)).steps == {"s": b"1"}
    await jobs.give_back(again.lease, 60.0)
    assert await jobs.claim(["work"], 1, 60.0) == []


async def test_a_job_that_ends_all_its_workers_fails(jobs):
    await jobs.add(new(most_attempts=2, kept=60.0))
    for attempt in (1, 2):
        assert (await claimed(jobs, 0.0)).attempts == attempt
    assert await jobs.claim(["work"], 10, 0.0) == []
    found = await jobs.get(HERE, "a")
    assert (found.state, found.error, found.attempts, found.due) == (JobState.FAILED, LOST, 2, None)
    assert found.expires == pytest.approx(found.updated + 60.0)


async def test_one_that_was_to_be_cancelled_and_ends_all_its_workers_is_cancelled(jobs):
    await jobs.add(new(most_attempts=1))
    job = await claimed(jobs, 60.0)
    await jobs.cancel(HERE, "a")
    await jobs.renew([job.lease], 0.0)
    assert await jobs.claim(["work"], 10, 0.0) == []
    found = await jobs.get(HERE, "a")
    assert (found.state, found.error) == (JobState.CANCELLED, None)


async def test_what_waits_is_cancelled_at_once(jobs):
    await jobs.add(new(kept=60.0))
    found = await jobs.cancel(HERE, "a")
    assert (found.state, found.cancel_asked, found.due) == (JobState.CANCELLED, True, None)
    assert found.expires == pytest.approx(found.updated + 60.0)
    assert await jobs.get(HERE, "a") == found
    assert await jobs.claim(["work"], 1, 60.0) == []
    assert await jobs.cancel(HERE, "missing") is None


async def test_who_runs_is_told_to_cancel_and_so_is_who_comes_next(jobs):
    await jobs.add(new())
    job = await claimed(jobs, 60.0)
    found = await jobs.cancel(HERE, "a")
    assert (found.state, found.cancel_asked) == (JobState.RUNNING, True)
    assert await jobs.renew([job.lease], 0.0) == {job.lease: True}
    assert (await claimed(jobs, 60.0)).cancel_asked is True


async def test_what_has_expired_is_gone_at_once_and_swept_later(jobs):
    for name, kept in (("a", -5.0), ("b", -9.0), ("c", 60.0), ("d", None)):
        await jobs.add(new(name, kept=kept, subject="s"))
        job = await claimed(jobs, 60.0)
        await jobs.record(job.lease, {"s": b"1"}, [event(0)])
        await jobs.finish(job.lease, DONE)
    assert await jobs.get(HERE, "a") is None
    assert await jobs.cancel(HERE, "a") is None
    assert await jobs.events(HERE, "a", -1, 10) == []
    assert await ids(jobs) == await ids(jobs, subject="s") == ["d", "c"]
    assert await jobs.remove_expired(1) == 1
    assert await jobs.remove_expired(10) == 1
    assert await jobs.remove_expired(10) == 0
    assert await ids(jobs) == ["d", "c"]
    assert (await jobs.recorded(1)).steps == {}


async def test_an_id_whose_job_has_expired_is_free(jobs):
    await jobs.add(new(kept=0.0))
    job = await claimed(jobs, 60.0)
    await jobs.record(job.lease, {"s": b"1"}, [event(0)])
    await jobs.finish(job.lease, DONE)
    made = await jobs.add(new())
    assert made.sequence > job.sequence
    found = await jobs.recorded(made.sequence)
    assert (found.steps, found.last_event) == ({}, -1)
    assert await jobs.events(HERE, "a", -1, 10) == []


async def test_much_is_recorded_at_once(jobs):
    await jobs.add(new())
    job = await claimed(jobs, 60.0)
    steps = {f"s{number}": b"%d" % number for number in range(2_000)}
    await jobs.record(job.lease, steps, [event(number, b"%d" % number) for number in range(2_000)])
    found = await jobs.recorded(job.sequence)
    assert (found.steps, found.last_event) == (steps, 1_999)
    assert [each.number for each in await jobs.events(HERE, "a", 1_989, 100)] == list(range(1_990, 2_000))


async def test_jobs_live_by_the_table_of_their_states(jobs):
    """By dice; `tests/unit/stores/test_job_lives.py` has Hypothesis do it to the reference."""
    dice, moves = Random(5), Counter[Move]()
    for number in range(60):
        life = await Life.begun(jobs, f"j{number}")
        for _ in range(25):
            await life.act(Act(what=dice.choice(WHATS), stale=dice.random() < 0.2, lapses=dice.random() < 0.6))
        moves.update(life.moves)
    assert set(moves) == set(Move)


async def test_whoever_operates_the_server_sees_when_what_happened_in_all_places(jobs):
    made = await jobs.add(new(subject="s", input=b"1"))
    for place in ELSEWHERE:
        await jobs.add(new(place=place))
    found = sorted(await jobs.of_runs("here", ["a"], 10), key=lambda each: -each.sequence)
    assert {each.place for each in found} == {HERE, ELSEWHERE[0], ELSEWHERE[1], ELSEWHERE[3]}
    assert found[-1] == made
    assert await jobs.of_runs("here", ["a"], 1) == [found[0]]
    assert await jobs.of_runs("here", ["s"], 10) == [made]
    both = await jobs.of_runs("here", ["a", "b", "s"], 2)
    assert sorted(each.sequence for each in both) == sorted(each.sequence for each in (*found[:2], made))
    assert await jobs.of_runs("there", ["s"], 10) == await jobs.of_runs("here", [], 10) == []
    assert await jobs.of_runs("here", ["b"], 10) == await jobs.of_runs("nowhere", ["a"], 10) == []
    listed = await jobs.of_resource("here", 3)
    assert [each.sequence for each in listed] == [each.sequence for each in found][:3]
    assert {each.input for each in listed} == {b""}


async def test_attempts_steps_and_events_have_their_times(jobs):
    made = await jobs.add(new())
    first = await claimed(jobs, 0.0)
    await jobs.record(first.lease, {"one": b"1"}, [event(0), event(1)])
    second = await claimed(jobs, 60.0)
    await jobs.record(second.lease, {"one": b"2", "two": b"2"}, [event(1), event(2)])
    past = await jobs.past(made.sequence, 10)
    assert list(past.attempts) == [1, 2]
    assert (past.attempts[1], past.attempts[2]) == (first.updated, second.updated)
    assert first.updated <= past.steps["one"] <= second.updated <= past.steps["two"]
    told = await jobs.told(made.sequence, -1, 10)
    assert [each.event for each in told] == [event(0), event(1), event(2)]
    assert told[0].at == told[1].at == past.steps["one"]
    assert told[2].at == past.steps["two"]
    assert await jobs.told(made.sequence, 0, 1) == told[1:2]
    assert list((await jobs.past(made.sequence, 1)).attempts) == [1]
    assert await jobs.told(made.sequence + 1, -1, 10) == []
    await jobs.finish(second.lease, DONE)
    assert (await jobs.past(made.sequence, 10)) == past

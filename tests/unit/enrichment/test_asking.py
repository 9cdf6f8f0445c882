"""Asking one prompt: what is sent, what is tried again, what is repaired, and what ends a run."""

import asyncio

import pytest

from forehearth.accounting.prices import configured
from forehearth.core.enrichment_settings import JobLimits, PriceSettings
from forehearth.core.errors import Broken, TimedOut, Unreachable
from forehearth.enrichment.answer_schema import AnswerSchema
from forehearth.enrichment.asking import RunStopped
from forehearth.enrichment.budget import Budget, LimitReached, Spent
from forehearth.testing.clock import VirtualClock
from tests.unit.enrichment.hosts import SCHEMA, FakeHost, asker, refusing, saying, spec


def turns(*answers):
    """One answer after another, the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def test_what_is_sent():
    host = FakeHost(lambda _: '{"n": 1}')
    question = spec(schema=AnswerSchema(SCHEMA), system="Be brief.", options={"temperature": 0, "seed": 7})
    answer = await asker(host, question).ask('Say "ü"')
    assert (answer.text, answer.model, answer.error) == ('{"n": 1}', "m-2", None)
    assert (answer.usage.prompt, answer.usage.completion) == (10, 5)
    form = {"name": "answer", "schema": {**SCHEMA, "additionalProperties": False, "required": ["n"]}, "strict": True}
    assert host.bodies == [
        {
            "model": "m",
            "temperature": 0,
            "seed": 7,
            "max_tokens": 100,
            "response_format": {"type": "json_schema", "json_schema": form},
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": 'Say "ü"'}],
        }
    ]


async def test_models_that_know_another_bound_get_that():
    host = FakeHost(lambda _: "x")
    await asker(host, spec(model="gpt-5-mini")).ask("a")
    assert host.bodies[0]["max_completion_tokens"] == 100
    assert "max_tokens" not in host.bodies[0]


async def test_an_answer_that_does_not_fit_is_repaired_once():
    host = FakeHost(turns('{"n": "one"}', '{"n": 1}'))
    answer = await asker(host, spec(schema=AnswerSchema(SCHEMA))).ask("count")
    assert answer.text == '{"n": 1}'
    assert answer.usage.prompt == 20
    first, told, again = host.bodies[1]["messages"]
    assert (first["content"], told["content"], again["role"]) == ("count", '{"n": "one"}', "user")
    assert "Expected 'int'" in again["content"]


async def test_an_answer_that_never_fits_is_an_error_of_the_row():
    host = FakeHost(lambda _: "nonsense")
    answer = await asker(host, spec(schema=AnswerSchema(SCHEMA))).ask("count")
    assert (answer.text, answer.error.code, len(host.bodies)) == (None, "invalid_output", 2)


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (saying("half", finish="length"), "truncated"),
        (saying(None, finish="content_filter"), "content_filter"),
        (saying(None, refusal="I will not."), "refusal"),
        (saying(None), "empty"),
        (refusing(400, "context_length_exceeded"), "context_length_exceeded"),
        (refusing(422), "refused"),
    ],
)
async def test_what_is_the_rows_own_fault_is_not_asked_again(response, code):
    host = FakeHost(lambda _: response)
    answer = await asker(host, spec()).ask("a")
    assert (answer.text, answer.error.code, len(host.bodies)) == (None, code, 1)


@pytest.mark.parametrize(
    "failure", [Broken("cut"), TimedOut("late"), Unreachable("away"), refusing(503), refusing(500)]
)
async def test_a_host_that_fails_is_asked_again(failure):
    host = FakeHost(turns(failure, failure, "here"))
    assert (await asker(host, spec()).ask("a")).text == "here"
    assert len(host.bodies) == 3


@pytest.mark.parametrize(("failure", "code"), [(TimedOut("late"), "timeout"), (refusing(500), "host_failed")])
async def test_but_not_for_ever(failure, code):
    host = FakeHost(lambda _: failure)
    answer = await asker(host, spec(), retries=2).ask("a")
    assert (answer.error.code, len(host.bodies)) == (code, 3)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_every_row_would_meet_ends_the_run(status):
    asking = asker(FakeHost(lambda _: refusing(status, message="no such deployment")), spec())
    with pytest.raises(RunStopped, match=f"{status}: no such deployment"):
        await asking.ask("a")
    with pytest.raises(RunStopped):
        await asking.ask("b")


async def test_being_asked_to_wait_is_no_failure_of_the_row():
    busy = refusing(429, retry_after="0.01")
    host = FakeHost(turns(*[busy] * 9, "here"))
    assert (await asker(host, spec(), retries=0).ask("a")).text == "here"


@pytest.mark.parametrize(("before", "seconds"), [(["here"], "6[0-9]"), ([], "[12][0-9]")])
async def test_a_host_that_is_away_for_long_ends_the_run(before, seconds):
    clock = VirtualClock(winding=True)
    host = FakeHost(turns(*before, Unreachable("away")))
    asking = asker(host, spec(), clock=clock, sleep=clock.sleep, patience=60)
    for _ in before:
        await asking.ask("a")
    with pytest.raises(RunStopped, match=f"has not answered for {seconds} s") as stopped:
        await asking.ask("b")
    assert not stopped.value.busy


async def test_a_host_that_is_busy_for_long_ends_the_run_and_may_be_asked_later():
    asking = asker(FakeHost(lambda _: refusing(429, retry_after="0.001")), spec(), patience=0.02)
    with pytest.raises(RunStopped, match="has not answered") as stopped:
        await asking.ask("a")
    assert stopped.value.busy


@pytest.mark.parametrize("before", [[], ["here"]])
@pytest.mark.parametrize("failure", [refusing(429, retry_after="0"), refusing(503), TimedOut("late")])
async def test_while_nothing_is_asked_nobody_is_waited_for(before, failure):
    clock = VirtualClock(winding=True)
    asking = asker(FakeHost(turns(*before, failure, "here")), spec(), clock=clock, sleep=clock.sleep, patience=60)
    for _ in before:
        await asking.ask("a")
    await clock.advance(3_600)
    assert (await asking.ask("b")).text == "here"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_host_that_wants_to_be_left_alone_for_longer_than_anybody_waits_ends_the_run(status):
    host = FakeHost(lambda _: refusing(status, retry_after="86400"))
    asking = asker(host, spec(), patience=60, sleep=asyncio.sleep)
    with pytest.raises(RunStopped, match="left alone for 86,400 s") as stopped:
        await asyncio.wait_for(asking.ask("a"), 10)
    assert stopped.value.busy
    assert len(host.bodies) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_who_waits_for_the_host_hears_that_the_run_is_stopped(status):
    asking = asker(FakeHost(lambda _: refusing(status, retry_after="50")), spec(), sleep=asyncio.sleep)
    waiting = asyncio.create_task(asking.ask("a"))
    await asyncio.sleep(0.01)
    asking.stop(RunStopped("enough"))
    with pytest.raises(RunStopped, match="enough"):
        await asyncio.wait_for(waiting, 10)


async def test_a_host_that_is_busy_while_the_run_is_stopped_is_not_waited_for():
    asking = asker(FakeHost(lambda _: refusing(429, retry_after="50"), pause=0.02), spec())
    waiting = asyncio.create_task(asking.ask("a"))
    await asyncio.sleep(0.01)
    asking.stop(RunStopped("enough"))
    with pytest.raises(RunStopped, match="enough"):
        await asyncio.wait_for(waiting, 10)


async def test_rows_that_fail_one_after_another_end_the_run():
    asking = asker(FakeHost(lambda _: refusing(400)), spec())
    for number in range(99):
        assert (await asking.ask(str(number))).error is not None
    with pytest.raises(RunStopped, match="100 rows failed"):
        await asking.ask("the last")


def budget(spent: Spent, **limits: object) -> Budget:
    tariff = configured(PriceSettings(input="1", output="10"))
    return Budget(JobLimits(**limits), spent, tariff, VirtualClock().monotonic)


@pytest.mark.parametrize(
    ("limits", "calls"),
    # A call reserves some 170 tokens at most and uses 15: 65 millionths of a dollar of some 1,100.
    [({"requests": 3}, 3), ({"tokens": 240}, 5), ({"usd": "0.0013"}, 4)],
)
async def test_a_limit_is_never_passed(limits, calls):
    spent = Spent()
    asking = asker(host := FakeHost(lambda _: "x"), spec(), budget=budget(spent, **limits))
    for number in range(calls):
        await asking.ask(f"{number}")
    with pytest.raises(LimitReached, match=next(iter(limits))):
        await asking.ask("more")
    assert len(host.bodies) == spent.requests == calls
    assert spent.tokens == 15 * calls


async def test_a_call_that_was_never_sent_is_not_booked():
    spent = Spent()
    host = FakeHost(turns(Unreachable("away"), Unreachable("away"), "here"))
    await asker(host, spec(), budget=budget(spent, requests=1)).ask("a")
    assert (spent.requests, spent.tokens) == (1, 15)


async def test_a_call_without_an_answer_is_booked_at_its_most():
    spent = Spent()
    host = FakeHost(lambda _: TimedOut("late"))
    await asker(host, spec(), budget=budget(spent), retries=0).ask("a")
    assert spent.requests == 1
    assert spent.tokens > 100


@pytest.mark.parametrize(("limits", "calls"), [({"tokens": 240}, 1), ({"usd": "0.0013"}, 1)])
async def test_a_limit_holds_where_the_host_does_not_say_what_a_call_used(limits, calls):
    spent = Spent()
    asking = asker(host := FakeHost(lambda _: saying("x", usage=None)), spec(), budget=budget(spent, **limits))
    assert (await asking.ask("a")).text == "x"
    with pytest.raises(LimitReached, match=next(iter(limits))):
        await asking.ask("b")
    assert len(host.bodies) == calls


async def test_without_such_a_limit_nothing_is_made_up():
    spent = Spent()
    asking = asker(FakeHost(lambda _: saying("x", usage=None)), spec(), budget=budget(spent, requests=5))
    await asking.ask("a")
    assert (spent.requests, spent.tokens, spent.cost, spent.unpriced) == (1, 0, 0, 1)

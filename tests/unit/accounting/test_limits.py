"""The policy as callers meet it: what is sent, said and left."""

import asyncio
import json
import random
from decimal import Decimal
from typing import Any

import pytest

from forehearth.accounting.budgets import used
from forehearth.core.call import Call
from forehearth.core.document import StoreFailed
from forehearth.core.errors import (
    AllBusy,
    BackendRefused,
    Broken,
    ForehearthError,
    LimitsUnchecked,
    Misconfigured,
    Overloaded,
    QuotaExceeded,
    TooManyRequests,
)
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import LimitSettings, TokenSettings
from forehearth.core.principal import Principal
from forehearth.core.record import Attempt, CallRecord
from forehearth.core.usage import Usage
from forehearth.stores.memory_counters import MemoryCounters
from tests.unit.accounting.limited import Cluster, Host, Worker, a_call
from tests.unit.accounting.virtual_time import Clock, run


def size(call: Call) -> int:
    """What its prompt is reserved as."""
    return len(call.body) + 64


class Answers(Host):
    """A host whose answers the test chooses: a usage, none, or an error."""

    def __init__(self, *answers: tuple[int, int] | ForehearthError | None) -> None:
        super().__init__(random.Random(0))
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []

    async def __call__(self, call: Call) -> Reply:
        self.bodies.append(json.loads(call.body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        outcome = answer.code if isinstance(answer, ForehearthError) else "ok"
        call.record.attempts.append(Attempt(backend="one", began=0.0, outcome=outcome))
        await asyncio.sleep(1.0)
        if isinstance(answer, ForehearthError):
            raise answer
        usage = {} if answer is None else {"usage": {"prompt_tokens": answer[0], "completion_tokens": answer[1]}}
        choices = [{"message": {"content": "x" * 40}}]
        headers = ((b"x-ratelimit-remaining-tokens", b"99"), (b"openai-model", b"m"))
        return Reply(status=200, headers=headers, body=json.dumps({"choices": choices} | usage).encode())


def simulate(host: Host, *limits: LimitSettings, calls: Any, **rest: Any) -> Any:
    async def work(clock: Clock) -> Any:
        async with Cluster(MemoryCounters(clock), clock, host, *limits, **rest) as cluster:
            return await calls(cluster.workers[0], clock)

    return run(work, monotonic=1_020.0)


def told(reply: Reply | ForehearthError) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in reply.headers}


def test_the_headers_of_an_answer() -> None:
    limits = (
        LimitSettings(
            tokens_per_minute=1_000,
            remaining_tokens_header_name="Remaining-Tokens",
            tokens_consumed_header_name="Consumed-Tokens",
        ),
        LimitSettings(tokens_per_minute=5_000, counter_key=("key",)),
        LimitSettings(requests_per_minute=10),
        LimitSettings(tokens_per_day=20_000, remaining_quota_tokens_header_name="remaining-quota"),
        LimitSettings(concurrent_calls=3),
    )

    async def calls(worker: Worker, clock: Clock) -> list[Reply]:
        return [await worker.call(a_call(max_tokens=100)) for _ in range(2)]

    first, second = simulate(Answers((30, 20)), *limits, calls=calls)
    assert told(first) == {
        "openai-model": "m",
        "remaining-tokens": "950",
        "consumed-tokens": "50",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "950",
        "x-ratelimit-reset-tokens": "60",
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "60",
        "remaining-quota": "19950",
    }
    assert told(second)["x-ratelimit-remaining-tokens"] == "900"
    assert told(second)["x-ratelimit-reset-tokens"] == "59"


def test_a_rate_is_refused_with_429_and_says_which_whose_and_when() -> None:
    async def calls(worker: Worker, clock: Clock) -> TooManyRequests:
        await worker.call(a_call(max_tokens=100))
        return await worker.call(a_call(max_tokens=600))

    error = simulate(Answers((100, 100)), LimitSettings(tokens_per_minute=800, counter_key=("key",)), calls=calls)
    assert isinstance(error, TooManyRequests)
    assert error.retry_after == 59
    need = size(a_call(max_tokens=600)) + 600
    assert error.message == (
        "Rate limit is exceeded: 800 tokens per minute for the key 'key-1' "
        f"(deployments.chat.limits[0].tokens_per_minute); this call may need {need} tokens, and 600 tokens are left. "
        "Please retry after 59 seconds. Request id: req-1."
    )
    assert told(error)["x-ratelimit-remaining-tokens"] == "600"


def test_a_quota_is_refused_with_403() -> None:
    async def calls(worker: Worker, clock: Clock) -> QuotaExceeded:
        await worker.call(a_call(max_tokens=100))
        return await worker.call(a_call(max_tokens=600))

    limit = LimitSettings(
        tokens_per_hour=800, remaining_quota_tokens_header_name="left", retry_after_header_name="X-Later"
    )
    error = simulate(Answers((100, 100)), limit, calls=calls)
    assert isinstance(error, QuotaExceeded)
    assert error.retry_after is None
    assert told(error) == {"left": "600", "x-later": "3599"}
    assert error.message.startswith("Quota is exceeded: 800 tokens per hour for the deployment 'chat'")
    assert ", and 600 tokens are left. Please retry after 3599 seconds, at 2027-01-15T09:00:00Z." in error.message


def test_a_refusal_speaks_of_one_thing_in_the_singular_and_names_money() -> None:
    async def calls(worker: Worker, clock: Clock) -> tuple[ForehearthError, Call]:
        await worker.call(a_call(max_tokens=100))
        refused = a_call(max_tokens=100)
        return await worker.call(refused), refused

    error, refused = simulate(Answers((100, 100)), LimitSettings(requests_per_minute=1), calls=calls)
    assert "1 request per minute for" in error.message
    assert "; 0 requests are left. Please retry after 59 seconds." in error.message
    touched = refused.record.limits
    assert [(each.name, each.reserved, each.left) for each in touched] == [
        ("deployments.chat.limits[0].requests_per_minute", 0, 0)
    ]
    error, _ = simulate(
        Answers((100, 100)), LimitSettings(amount_per_day=300), calls=calls, price_of=lambda _, used: Decimal(200)
    )
    assert "an amount of 300 per day for" in error.message
    assert "may need an amount of 200, and an amount of 100 is left." in error.message


def test_what_is_counted_here_is_no_more_of_a_prompt_than_was_reserved() -> None:
    """The bound that was put into the body is none of the caller's words."""

    async def calls(worker: Worker, clock: Clock) -> CallRecord:
        call = a_call(max_tokens=None)
        await worker.call(call)
        return call.record

    record = simulate(Answers(None), LimitSettings(tokens_per_day=100_000), calls=calls)
    assert record.usage is not None
    assert record.usage.counted
    assert record.usage.prompt == record.estimated


def test_a_call_that_never_fits_is_not_told_to_come_back() -> None:
    async def calls(worker: Worker, clock: Clock) -> TooManyRequests:
        return await worker.call(a_call(max_tokens=900))

    error = simulate(Answers((1, 1)), LimitSettings(tokens_per_minute=800), calls=calls)
    assert "more than the whole limit" in error.message
    assert error.retry_after is None
    assert told(error)["x-should-retry"] == "false"


def test_the_record_says_what_was_held() -> None:
    async def calls(worker: Worker, clock: Clock) -> Call:
        call = a_call(max_tokens=100)
        await worker.call(call)
        refused = a_call(max_tokens=900)
        await worker.call(refused)
        assert refused.record.words[0][0] == "limits"
        return call

    call = simulate(Answers((30, 20)), LimitSettings(tokens_per_minute=1_000), calls=calls)
    record = call.record
    assert (record.estimated, record.reserved) == (size(call), size(call) + 100)
    assert [(each.name, each.reserved) for each in record.limits] == [
        ("deployments.chat.limits[0].tokens_per_minute", size(call) + 100)
    ]


def test_without_a_bound_the_deployments_own_is_sent_and_no_more_than_is_left() -> None:
    host = Answers((100, 400))
    limit = LimitSettings(tokens_per_minute=1_500)

    async def calls(worker: Worker, clock: Clock) -> list[Any]:
        return [await worker.call(a_call(max_tokens=None)) for _ in range(4)]

    replies = simulate(host, limit, calls=calls, tokens=TokenSettings(output=1_000))
    sent = [body["max_tokens"] for body in host.bodies]
    assert sent == [1_000, 1_000 - size(a_call(max_tokens=None)), 500 - size(a_call(max_tokens=None))]
    assert isinstance(replies[3], TooManyRequests)


def test_an_answer_is_no_longer_than_a_limit_allows() -> None:
    host = Answers((1, 1))

    async def calls(worker: Worker, clock: Clock) -> None:
        await worker.call(a_call(max_tokens=500))
        await worker.call(a_call(max_tokens=None))
        await worker.call(a_call(max_tokens=20))

    simulate(host, LimitSettings(output_tokens=50), calls=calls)
    assert [body["max_tokens"] for body in host.bodies] == [50, 50, 20]


class Letters:
    """A vocabulary in which four letters are a token."""

    def count(self, text: str) -> int:
        return -(-len(text) // 4)


def test_a_prompt_is_counted_only_where_its_bytes_do_not_fit() -> None:
    text = "word" * 100
    limit = LimitSettings(tokens_per_minute=700)

    async def calls(worker: Worker, clock: Clock) -> list[Any]:
        return [await worker.call(a_call(max_tokens=50, text=text)) for _ in range(4)]

    replies = simulate(Answers((100, 50)), limit, calls=calls, vocabulary=Letters())
    # 700, 550, 400, 250 are left: by bytes the call needs 583 and more, counted 221.
    assert [isinstance(reply, Reply) for reply in replies] == [True, True, True, True]
    replies = simulate(Answers((100, 50)), limit, calls=calls)
    assert [isinstance(reply, Reply) for reply in replies] == [True, False, False, False]


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        ((10, 20), 970),
        ((10, 2_000), -1_010),
        (BackendRefused("busy", status=429), 1_000),
        (Overloaded("full"), 1_000),
    ],
)
def test_what_a_call_used_is_settled(outcome: Any, left: int) -> None:
    async def calls(worker: Worker, clock: Clock) -> Any:
        await worker.call(a_call(max_tokens=100))
        await asyncio.sleep(1.0)
        return worker

    worker = simulate(Answers(outcome), LimitSettings(tokens_per_minute=1_000), calls=calls)
    (state,) = worker.leases._store._states.values()
    assert 1_000 - state.taken == left
    assert bool(worker.counts.excess) is (left < 0)


def test_what_nobody_knows_is_settled_as_it_was_reserved() -> None:
    async def calls(worker: Worker, clock: Clock) -> Any:
        await worker.call(a_call(max_tokens=100))
        await asyncio.sleep(1.0)
        return worker

    worker = simulate(Answers(Broken("gone")), LimitSettings(tokens_per_minute=1_000), calls=calls)
    (state,) = worker.leases._store._states.values()
    assert state.taken == size(a_call(max_tokens=100)) + 100


def test_what_a_backend_does_not_report_is_counted() -> None:
    async def calls(worker: Worker, clock: Clock) -> Call:
        call = a_call(max_tokens=100)
        await worker.call(call)
        return call

    call = simulate(Answers(None), LimitSettings(tokens_per_minute=1_000), calls=calls)
    usage = call.record.usage
    assert usage is not None
    assert (usage.counted, usage.prompt, usage.completion) == (True, size(call), 40)


def test_a_call_waits_for_its_turn_where_it_may() -> None:
    limit = LimitSettings(concurrent_calls=1, wait_up_to=1.5)

    async def calls(worker: Worker, clock: Clock) -> list[Any]:
        found = await asyncio.gather(*(worker.call(a_call()) for _ in range(3)))
        return [type(each) for each in found]

    assert simulate(Answers((1, 1)), limit, calls=calls) == [Reply, Reply, TooManyRequests]


def test_what_was_taken_before_a_wait_counts_from_its_end() -> None:
    """The tokens are of the minute in which the call goes out, not of that in which it began to wait."""
    host = Answers((1, 1))
    limits = (
        LimitSettings(tokens_per_minute=1_000, counter_key=("key",)),
        LimitSettings(concurrent_calls=1, wait_up_to=90),
    )

    async def calls(worker: Worker, clock: Clock) -> list[int]:
        long = asyncio.create_task(worker.call(a_call(who="other", max_tokens=1)))
        host.answers = [(1, 1)]
        await asyncio.sleep(0.5)
        lease = worker.leases
        await asyncio.sleep(58.9)
        slow = asyncio.create_task(worker.call(a_call(who="another", max_tokens=1)))
        await asyncio.sleep(0.2)
        waiting = a_call(max_tokens=100)
        await worker.call(waiting)
        await asyncio.gather(long, slow)
        await asyncio.sleep(1.0)
        states = lease._store._states
        return [state.window for name, state in states.items() if name.endswith(" key-1")]

    assert simulate(host, *limits, calls=calls) == [1_080]


def test_counters_of_each_value() -> None:
    limit = LimitSettings(requests_per_minute=1, counter_key=("caller", "header:X-Team"))
    user = Principal(name="u", kind="user", id="key-1", tenant="t")

    async def calls(worker: Worker, clock: Clock) -> list[bool]:
        one, two = {b"x-team": b"one"}, {b"x-team": b"t" * 5_000}
        made = [
            a_call(headers=one),
            a_call(headers=two),
            a_call(),
            a_call(who="key-2", headers=one),
            a_call(principal=user, headers=one),
            a_call(headers=one),
            a_call(headers=two),
        ]
        return [isinstance(await worker.call(call), Reply) for call in made]

    assert simulate(Answers((1, 1)), limit, calls=calls) == [True] * 5 + [False] * 2


def test_calls_of_one_caller_in_two_projects_are_held_against_each_ones_counter() -> None:
    limit = LimitSettings(requests_per_minute=1, counter_key=("project", "key"))

    async def calls(worker: Worker, clock: Clock) -> list[bool]:
        made = [a_call(project=each) for each in ("sales", "desk", "", "sales", "desk", "")]
        return [isinstance(await worker.call(call), Reply) for call in made]

    assert simulate(Answers((1, 1)), limit, calls=calls) == [True] * 3 + [False] * 3


def priced(call: Call, usage: Any) -> Decimal:
    return Decimal("0.001") * usage.prompt + Decimal("0.01") * usage.completion


def test_money_is_held_and_settled_to_the_billionth() -> None:
    limit = LimitSettings(amount_per_day=5.0)

    async def calls(worker: Worker, clock: Clock) -> list[Any]:
        first = await worker.call(a_call(max_tokens=100))
        second = await worker.call(a_call(max_tokens=None))
        third = await worker.call(a_call(max_tokens=600))
        await asyncio.sleep(1.0)
        (state,) = worker.leases._store._states.values()
        return [first, second, third, state.taken]

    host = Answers((100, 50))
    first, second, third, taken = simulate(host, limit, calls=calls, price_of=priced)
    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    # 4.40 were left, less the prompt: so many tokens of answer.
    assert host.bodies[1]["max_tokens"] == (4_400 - size(a_call(max_tokens=None))) // 10
    assert isinstance(third, QuotaExceeded)
    assert "5 per day" in third.message
    assert taken == 1_200_000_000


def test_money_without_a_price_is_our_own_mistake() -> None:
    async def calls(worker: Worker, clock: Clock) -> Any:
        return await worker.call(a_call())

    assert isinstance(simulate(Answers((1, 1)), LimitSettings(amount_per_day=5.0), calls=calls), Misconfigured)


def test_a_store_that_is_away_is_said() -> None:
    class Away(MemoryCounters):
        async def exchange(self, worker: str, asks: Any) -> Any:
            raise StoreFailed("away")

    async def work(clock: Clock) -> Any:
        host, limit = Answers((1, 1)), LimitSettings(tokens_per_minute=1_000)
        async with Cluster(Away(clock), clock, host, limit) as cluster:
            return await cluster.workers[0].call(a_call())

    error = run(work)
    assert isinstance(error, LimitsUnchecked)
    assert error.retry_after == 1.0
    assert not error.retry_elsewhere, "a route would go on to a deployment that may have no limits"


def test_a_deployment_that_stands_in_is_not_bound_by_what_was_reserved_for_another() -> None:
    async def calls(worker: Worker, clock: Clock) -> Any:
        call = a_call(max_tokens=100)
        error = await worker.call(call)
        return error, call.record.estimated, call.record.reserved

    error, estimated, reserved = simulate(Answers(AllBusy("x")), LimitSettings(tokens_per_minute=1_000), calls=calls)
    assert isinstance(error, AllBusy)
    assert (estimated, reserved) == (0, 0)


@pytest.mark.parametrize(("may_have_used", "used_"), [((False, False), Usage(prompt=0)), ((False, True), None)])
def test_what_no_attempt_can_have_used_is_not_booked(may_have_used: tuple[bool, ...], used_: Usage | None) -> None:
    record = CallRecord(
        attempts=[
            Attempt(backend="b", began=0.0, outcome="backend_timeout", may_have_used=each) for each in may_have_used
        ]
    )
    assert used(record) == used_

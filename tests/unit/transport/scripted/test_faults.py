"""Delays, pace, statuses and faults, on a clock that does not wait."""

import asyncio
import json

import pytest

from forehearth.core.errors import Broken, TimedOut, Unreachable
from forehearth.core.upstream import Timeouts
from forehearth.dialects import usage

WORDS = "one two three four five six"  # six tokens
LIMITS = Timeouts(first_byte=10, idle=5, total=60)


async def drained(host, **more):
    """The events of a stream until it ends, and how it ended."""
    events: list[bytes] = []
    response = await host.raw_chat(stream=True, **more)
    try:
        async for event in response.stream:
            events.append(event)  # noqa: PERF401 - what came before the error is wanted
    except (Broken, TimedOut) as error:
        return events, error
    return events, None


def text(events: list[bytes]) -> str:
    parsed = [json.loads(event[6:]) for event in events]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in parsed)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_delay_comes_before_the_first_byte(host, stream):
    one = host({"when": {"contains": "slow"}, "answer": "x", "delay": 7}, delay=2)
    start = one.clock.monotonic()
    await one.raw_chat("slow", stream=stream)
    assert one.clock.monotonic() - start == 7
    await one.raw_chat("fast", stream=stream)
    assert one.clock.monotonic() - start == 9


async def test_a_pace_holds_for_streams_and_for_whole_answers(host):
    one = host({"answer": WORDS, "delay": 1}, tokens_per_second=2)
    start = one.clock.monotonic()
    response = await one.raw_chat(stream=True)
    times = [one.clock.monotonic() - start async for _ in response.stream]
    assert times == [1, 1.5, 2, 2.5, 3, 3.5, 4, 4, 4]  # role, six tokens, finish, [DONE]
    start = one.clock.monotonic()
    await one.chat()
    assert one.clock.monotonic() - start == 4


async def test_a_slow_reader_does_not_slow_the_host(host):
    one = host({"answer": WORDS}, tokens_per_second=2)
    start = one.clock.monotonic()
    async for _ in (await one.raw_chat(stream=True)).stream:
        await one.clock.sleep(0.25)
    assert one.clock.monotonic() - start == 3.75  # six tokens in 3 s, and its own last three pauses


@pytest.mark.parametrize(
    ("status", "code", "type_"),
    [
        (400, "bad_request", "invalid_request_error"),
        (429, "too_many_requests", "rate_limit_error"),
        (500, "internal_server_error", "server_error"),
        (529, "server_error", "server_error"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_status_is_an_error_object(host, status, code, type_, stream):
    response = await host({"status": status}).raw_chat(stream=stream)
    assert (response.status, response.stream) == (status, None)
    assert response.headers == {b"content-type": b"application/json"}
    error = json.loads(response.body)["error"]
    assert (error["code"], error["type"], error["param"]) == (code, type_, None)


async def test_an_error_can_be_spelled_out(host):
    error = {"code": "content_filter", "message": "Filtered.", "type": "t", "param": "prompt", "inner_error": {"a": 1}}
    response = await host({"status": 400, "error": error, "headers": {"X-Ms-Error-Code": "1"}}).raw_chat()
    assert json.loads(response.body) == {
        "error": {
            "code": "content_filter",
            "message": "Filtered.",
            "type": "t",
            "param": "prompt",
            "innererror": {"a": 1},
        }
    }
    assert response.headers[b"x-ms-error-code"] == b"1"


async def test_retry_after_is_told_both_ways(host):
    response = await host({"status": 429, "retry_after": 0.25, "delay": 3}).raw_chat()
    assert (response.headers[b"retry-after"], response.headers[b"retry-after-ms"]) == (b"1", b"250")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("rule", "error", "seconds"),
    [
        ({"fault": "unreachable", "delay": 3}, Unreachable, 0),
        ({"fault": "reset"}, Broken, 0),
        ({"fault": "reset", "delay": 3}, Broken, 3),
        ({"fault": "hang"}, TimedOut, 10),
        ({"answer": "late", "delay": 10}, TimedOut, 10),
        ({"answer": "late", "delay": 9.5}, None, 9.5),
    ],
)
async def test_faults_before_the_answer(host, stream, rule, error, seconds):
    one = host(rule)
    start = one.clock.monotonic()
    if error is None:
        await one.raw_chat(stream=stream, timeouts=LIMITS)
    else:
        with pytest.raises(error) as raised:
            await one.raw_chat(stream=stream, timeouts=LIMITS)
        assert raised.value.message
        assert raised.value.retry_elsewhere is (error is Unreachable)
    assert one.clock.monotonic() - start == seconds


@pytest.mark.parametrize(
    ("fault", "error", "seconds"), [("reset_mid_stream", Broken, 0), ("hang_mid_stream", TimedOut, 5)]
)
async def test_faults_in_the_middle(host, fault, error, seconds):
    one = host({"answer": WORDS, "fault": fault})
    start = one.clock.monotonic()
    events, ended = await drained(one, timeouts=LIMITS)
    assert isinstance(ended, error)
    assert text(events) == "one two three"
    assert one.clock.monotonic() - start == seconds
    with pytest.raises(error):
        await one.raw_chat(timeouts=LIMITS)


@pytest.mark.parametrize("fault", ["reset_mid_stream", "hang_mid_stream", "truncate", "garbage"])
async def test_faults_in_the_middle_strike_empty_answers_too(host, fault):
    events, ended = await drained(host({"answer": "", "fault": fault}))
    assert ended is not None or b"finish" not in events[1][:200] or b"data: [DONE]\n\n" not in events


async def test_an_idle_host_is_given_up(host):
    one = host({"answer": WORDS, "tokens_per_second": 0.1})
    events, ended = await drained(one, timeouts=LIMITS)
    assert isinstance(ended, TimedOut)
    assert ended.phase == "idle"
    assert text(events) == ""


async def test_the_whole_call_has_an_end(host):
    one = host({"answer": WORDS * 100, "tokens_per_second": 0.25})
    start = one.clock.monotonic()
    events, ended = await drained(one, timeouts=LIMITS)
    assert ended.phase == "total"
    assert one.clock.monotonic() - start == 60
    assert len(events) == 15  # the role, and a token every four seconds before the 60th
    with pytest.raises(TimedOut) as raised:
        await one.raw_chat(timeouts=Timeouts(first_byte=10, total=3))
    assert raised.value.phase == "total"


async def test_a_reader_that_takes_too_long_meets_the_end_as_well(host):
    one = host({"answer": WORDS})
    response = await one.raw_chat(stream=True, timeouts=LIMITS)
    await anext(response.stream)
    await one.clock.sleep(61)
    with pytest.raises(TimedOut):
        await anext(response.stream)


async def test_truncated(host):
    one = host({"answer": WORDS, "fault": "truncate"})
    body = (await one.raw_chat()).body
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    (*events, last), ended = await drained(one)
    assert ended is None
    assert text(events) == "one two three"
    assert not last.endswith(b"\n")


async def test_garbage(host):
    one = host({"answer": WORDS, "fault": "garbage"})
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        json.loads((await one.raw_chat()).body)
    events, ended = await drained(one)
    assert ended is None
    assert events[-1] == b"data: [DONE]\n\n"
    unreadable = [event for event in events if b"\xff" in event]
    assert unreadable == [events[4]]


async def test_no_done(host):
    events = await host({"fault": "no_done"}).events()
    assert b"finish_reason" in events[-1]
    assert await host({"fault": "no_done"}).say() == "hello"


@pytest.mark.parametrize("fault", ["no_usage", "wrong_usage"])
async def test_usage_that_is_missing_or_wrong(host, fault):
    one = host({"fault": fault})
    wrong = fault == "wrong_usage"
    told = (await one.chat()).usage
    assert (told and (told.prompt_tokens, told.completion_tokens, told.total_tokens)) == (
        (0, 1_000_000, 1) if wrong else None
    )
    stream = usage.StreamUsage()
    for event in await one.events(stream_options={"include_usage": True}):
        stream.feed(event)
    assert (stream.finish() is not None) is wrong
    embedded = json.loads((await one.post("embeddings", {"model": "m", "input": "a"})).body)
    assert embedded.get("usage") == ({"prompt_tokens": 1_000_000, "total_tokens": 1} if wrong else None)


@pytest.mark.parametrize(("given", "seconds"), [({}, 30), ({"delay": 8}, 8)])
async def test_a_slow_first_byte_comes_after_the_head(host, given, seconds):
    one = host({"fault": "slow_first_byte", **given})
    start = one.clock.monotonic()
    response = await one.raw_chat(stream=True)
    assert one.clock.monotonic() == start
    await anext(response.stream)
    assert one.clock.monotonic() - start == seconds
    await response.stream.aclose()
    await one.chat()
    assert one.clock.monotonic() - start == 2 * seconds
    _, ended = await drained(one, timeouts=LIMITS)
    assert ended.phase == "idle"


async def test_embeddings_have_faults(host):
    for fault, error in [
        ("reset", Broken),
        ("hang", TimedOut),
        ("reset_mid_stream", Broken),
        ("unreachable", Unreachable),
    ]:
        with pytest.raises(error):
            await host({"fault": fault}).post("embeddings", {"model": "m", "input": "a"})


@pytest.mark.parametrize(
    "rule",
    [
        {"delay": 50},
        {"fault": "hang"},
        {"fault": "hang_mid_stream"},
        {"fault": "slow_first_byte"},
        {"answer": WORDS, "tokens_per_second": 0.5},
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_caller_may_leave_at_any_time(host, rule, stream):
    one = host(rule, winding=False)

    async def call() -> None:
        response = await one.raw_chat(stream=stream)
        async for _ in response.stream or ():
            pass

    task = asyncio.create_task(call())
    await one.clock.advance(1)
    assert one.clock.sleepers == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert one.clock.sleepers == 0


async def test_a_stream_may_be_closed_before_its_end(host):
    response = await host({"answer": WORDS}).raw_chat(stream=True)
    await anext(response.stream)
    await response.stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(response.stream)

"""How it is found out what an answer used: reported, asked for and hidden, counted, cut short, drained."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from forehearth.accounting.tokens import TokenBounds
from forehearth.core.call import Call, Operation
from forehearth.core.errors import Broken
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import TokenSettings
from forehearth.core.principal import Principal
from forehearth.core.record import Attempt
from forehearth.core.usage import Usage
from forehearth.policies.drains import Drains
from forehearth.policies.usage import CountUsage

BODY = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "one two three"}]}
REPORT = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}
DONE = b"data: [DONE]\n\n"


class Counts:
    def __init__(self) -> None:
        self.usages: list[Usage] = []

    def tokens(self, deployment: str, usage: Usage) -> None:
        assert deployment == "chat"
        self.usages.append(usage)

    def request(self, *told: Any) -> None:
        """Not looked at."""

    def attempt(self, *told: Any) -> None:
        """Not looked at."""


class Words:
    def count(self, text: str) -> int:
        return len(text.split())


class Host:
    """Answers with pieces; None among them waits for `gate`, an exception is raised."""

    def __init__(self, *pieces: bytes | Exception | None) -> None:
        self.pieces = pieces
        self.gate = asyncio.Event()
        self.closed = 0
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        call.record.attempts.append(Attempt(backend="one", began=0.0))
        if not call.stream:
            await self.gate.wait()
            return Reply(status=200, body=self.pieces[0])
        return Reply(status=200, stream=self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            for piece in self.pieces:
                if piece is None:
                    await self.gate.wait()
                elif isinstance(piece, Exception):
                    raise piece
                else:
                    yield piece
        finally:
            self.closed += 1


def event(text: str | None = None, finish: str | None = None, **members: Any) -> bytes:
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]
    return (
        b"data: "
        + json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": choices} | members).encode()
        + b"\n\n"
    )


def a_call(body: dict[str, Any] | None = None, **rest: Any) -> Call:
    given: dict[str, Any] = {
        "request_id": "r",
        "surface": "openai_v1",
        "operation": Operation.CHAT,
        "name": "chat",
        "body": json.dumps(body or BODY).encode(),
        "principal": Principal(name="p", kind="key"),
        "stream": True,
        "started": 0.0,
    }
    return Call(**given | rest)


async def drained(drains: Drains) -> None:
    """Until nothing drains any more."""
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert not len(drains)


def policy(counts: Counts, **rest: Any) -> CountUsage:
    tokens = TokenBounds(TokenSettings(overhead=0), "", Words())
    return CountUsage("chat", counts, **{"tokens": tokens} | rest)


async def streamed(host: Host, call: Call, **rest: Any) -> tuple[bytes, Counts]:
    """All that the client sees."""
    counts = Counts()
    reply = await policy(counts, **rest)(call, host)
    assert reply.stream is not None
    shown = b"".join([piece async for piece in reply.stream])
    await reply.stream.aclose()
    call.record.close()
    return shown, counts


@pytest.mark.parametrize(
    ("options", "asked"),
    [(None, None), ({"include_usage": False}, False), ({"include_usage": False, "other": 1}, False), ("null", False)],
)
async def test_usage_is_asked_for_and_hidden_from_who_did_not_ask(options: Any, asked: bool | None) -> None:
    body = dict(BODY)
    if options is not None:
        body["stream_options"] = None if options == "null" else options
    host = Host(event("hi"), event(None, "stop", usage=None), b"data: " + json.dumps(REPORT).encode() + b"\n\n", DONE)
    call = a_call(body, usage_asked=asked)
    shown, counts = await streamed(host, call)
    sent = json.loads(host.calls[0].body)
    other = options if isinstance(options, dict) else {}
    assert sent.pop("stream_options") == {**other, "include_usage": True}
    assert sent == BODY
    assert b"usage" not in shown
    assert shown.endswith(DONE)
    assert counts.usages == [Usage(prompt=7, completion=5)]
    assert call.record.usage == call.record.attempts[-1].usage == Usage(prompt=7, completion=5)
    assert not call.record.cut


async def test_who_asked_sees_it() -> None:
    report = b"data: " + json.dumps(REPORT).encode() + b"\n\n"
    host = Host(event("hi", usage=None), report, DONE)
    call = a_call({**BODY, "stream_options": {"include_usage": True}}, usage_asked=True)
    shown, _ = await streamed(host, call)
    assert shown == event("hi", usage=None) + report + DONE
    assert host.calls[0] is call


async def test_a_backend_that_is_not_to_be_asked_is_not() -> None:
    host = Host(event("hi"), DONE)
    call = a_call()
    await streamed(host, call, asks=False)
    assert host.calls[0] is call


async def test_what_is_not_reported_is_counted_and_marked() -> None:
    host = Host(event("one two"), event(" three"), event(None, "stop"), DONE)
    call = a_call()
    shown, counts = await streamed(host, call)
    assert shown.endswith(DONE)
    assert call.record.usage == Usage(prompt=3 + 4 + 3, completion=3, counted=True)
    assert counts.usages == []
    assert "vocabulary" in call.record.words[-1][1]


async def test_without_a_vocabulary_bytes_are_the_bound_up_to_what_was_reserved() -> None:
    host = Host(event("one two"), DONE)
    call = a_call()
    call.record.estimated, call.record.reserved = 50, 54
    await streamed(host, call, tokens=None)
    usage = call.record.usage
    assert usage is not None
    assert (usage.completion, usage.counted) == (4, True)


async def test_a_whole_answer_is_counted_too() -> None:
    body = {"choices": [{"message": {"content": "four words are here"}}]}
    host, counts, call = Host(json.dumps(body).encode()), Counts(), a_call(stream=False)
    host.gate.set()
    await policy(counts)(call, host)
    assert call.record.usage == Usage(prompt=10, completion=4, counted=True)


async def test_a_stream_that_breaks_off_has_used_what_came() -> None:
    host, counts, call = Host(event("one two"), Broken("gone")), Counts(), a_call()
    reply = await policy(counts)(call, host)
    assert await anext(reply.stream) == event("one two")
    with pytest.raises(Broken):
        await anext(reply.stream)
    assert call.record.cut
    assert call.record.usage == Usage(prompt=10, completion=2, counted=True)


async def test_a_client_that_leaves_closes_the_backend() -> None:
    host, counts, call = Host(event("one"), event(" two"), None, event("three")), Counts(), a_call()
    reply = await policy(counts)(call, host)
    await anext(reply.stream)
    await anext(reply.stream)
    await reply.stream.aclose()
    assert host.closed == 1
    assert call.record.cut
    assert call.record.usage == Usage(prompt=10, completion=2, counted=True)
    await reply.stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(reply.stream)


async def test_an_answer_is_drained_where_that_is_asked_for() -> None:
    host, counts, call = (
        Host(event("one"), None, event("two"), b"data: " + json.dumps(REPORT).encode() + b"\n\n"),
        Counts(),
        a_call(),
    )
    ended: list[bool] = []
    call.record.at_end(lambda record: ended.append(record.cut))
    async with Drains() as drains:
        reply = await policy(counts, drains=drains)(call, host)
        await anext(reply.stream)
        await reply.stream.aclose()
        call.record.close()
        assert (len(drains), host.closed, ended) == (1, 0, [])
        host.gate.set()
        await drained(drains)
    assert ended == [False]
    assert call.record.usage == Usage(prompt=7, completion=5)
    assert host.closed == 1


async def test_a_client_that_leaves_while_the_next_piece_is_waited_for() -> None:
    """Then the task that reads is cancelled in the middle of a piece, which must not be lost."""
    report = b"data: " + json.dumps(REPORT).encode() + b"\n\n"
    host, counts, call = Host(event("one"), None, report), Counts(), a_call()
    async with Drains() as drains:
        reply = await policy(counts, drains=drains)(call, host)
        await anext(reply.stream)
        reading = asyncio.ensure_future(anext(reply.stream))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await reply.stream.aclose()
        call.record.close()
        assert (len(drains), host.closed) == (1, 0)
        host.gate.set()
        await drained(drains)
    assert (call.record.usage, call.record.cut) == (Usage(prompt=7, completion=5), False)
    assert host.closed == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_before_there_is_an_answer(stream: bool) -> None:
    whole = json.dumps({"choices": [], **REPORT}).encode()
    host = Host(whole) if not stream else Host(event("one"), b"data: " + whole + b"\n\n")
    counts, call = Counts(), a_call(stream=stream)
    ready = asyncio.Event()

    async def slow(passed: Call) -> Reply:
        await ready.wait()
        host.gate.set()
        return await host(passed)

    async with Drains() as drains:
        asking = asyncio.create_task(policy(counts, drains=drains)(call, slow))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        call.record.close()
        assert call.record.usage is None
        ready.set()
        await drained(drains)
    assert call.record.usage == Usage(prompt=7, completion=5)
    assert host.closed == (1 if stream else 0)


async def test_what_still_drains_at_the_end_of_the_server_is_broken_off() -> None:
    host, counts, call = Host(event("one"), None), Counts(), a_call()
    ended: list[bool] = []
    call.record.at_end(lambda record: ended.append(record.cut))
    async with Drains() as drains:
        reply = await policy(counts, drains=drains)(call, host)
        await anext(reply.stream)
        await reply.stream.aclose()
        call.record.close()
        await asyncio.sleep(0)
    assert (ended, host.closed) == ([True], 1)
    assert call.record.usage == Usage(prompt=10, completion=1, counted=True)


async def test_a_backend_that_fails_while_nobody_waits_is_only_noted() -> None:
    counts, call = Counts(), a_call(stream=False)
    ready = asyncio.Event()

    async def fails(passed: Call) -> Reply:
        await ready.wait()
        raise Broken("gone")

    async with Drains() as drains:
        asking = asyncio.create_task(policy(counts, drains=drains)(call, fails))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        ready.set()
        await drained(drains)
    assert call.record.usage is None
    assert "backend_broken" in call.record.words[-1][1]


@pytest.mark.parametrize("asked", [True, None])
async def test_a_stream_beyond_its_bound_ends_well_formed(asked: bool | None) -> None:
    host = Host(*(event(f"w{index} ") for index in range(50)), DONE)
    call = a_call(usage_asked=asked)
    call.record.estimated, call.record.reserved = 10, 20
    shown, _ = await streamed(host, call)
    events = [json.loads(line[6:]) for line in shown.split(b"\n\n") if line.startswith(b"data: {")]
    said = [each for each in events if each["choices"] and each["choices"][0]["delta"].get("content")]
    assert len(said) <= 13
    end = events[-2] if asked else events[-1]
    assert end["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert end["forehearth"]["ended_by"] == "output_bound"
    assert shown.endswith(DONE)
    if asked:
        assert events[-1]["usage"]["completion_tokens"] == len(said)
    assert host.closed == 1
    assert call.record.cut


def letters(text: str) -> list[bytes]:
    return [event(letter) for letter in text]


def report(completion: int) -> bytes:
    return (
        b"data: "
        + json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": completion}}).encode()
        + b"\n\n"
    )


async def bounded(counting: CountUsage, pieces: list[bytes], tokens: int) -> bytes:
    """What is seen of a stream for which so many tokens of answer were reserved."""
    call = a_call()
    call.record.estimated, call.record.reserved = 10, 10 + tokens
    reply = await counting(call, Host(*pieces, DONE))
    return b"".join([piece async for piece in reply.stream])


async def test_events_are_taken_for_tokens_only_where_they_are() -> None:
    words, spelt = [event(f"w{index} ") for index in range(30)], letters("as letters")
    counting = policy(Counts(), tokens=None)
    assert b"output_bound" not in await bounded(counting, words, 10)
    assert b"output_bound" not in await bounded(counting, [*words[:4], report(4)], 10)
    assert b"output_bound" in await bounded(counting, words, 10)
    spelling = policy(Counts(), tokens=None)
    assert b"output_bound" not in await bounded(spelling, [*spelt, report(2)], 2)
    assert b"output_bound" not in await bounded(spelling, [*spelt, report(2)], 2)


async def test_what_no_number_of_tokens_can_be_is_too_long_whoever_sends_it() -> None:
    pieces = [event("many words in one event, and more of them " * 5) for _ in range(4)]
    shown = await bounded(policy(Counts(), tokens=None), pieces, 10)
    assert b"output_bound" in shown
    assert shown.count(b"many words") == 5


async def test_a_stream_within_its_bound_is_left_alone() -> None:
    pieces = [event(""), *(event(f"w{index} ") for index in range(10)), event(None, "length"), DONE]
    call = a_call()
    call.record.estimated, call.record.reserved = 10, 20
    shown, _ = await streamed(Host(*pieces), call)
    assert shown == b"".join(pieces)

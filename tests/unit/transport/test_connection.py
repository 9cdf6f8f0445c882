"""Responses, byte by byte: the same answer however they are cut, and one clear verdict on what is none."""

import asyncio
from collections.abc import Iterator

import pytest

from forehearth.core.errors import Broken, TimedOut
from forehearth.transport.failures import StaleConnection
from forehearth.transport.limits import ClientLimits
from tests.unit.dice import by_dice
from tests.unit.transport.exchange import Exchange, drain, judge_cut, judge_damage, run


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_a_response_is_the_same_however_it_is_cut(loop):
    @by_dice()
    def judge(dice):
        judge_cut(loop, dice.getrandbits(64), dice.randbytes(dice.randrange(9)))

    judge()


SAMPLES = {
    "length": b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"a": true}',
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nt: 1\r\n\r\n",
    "interim": b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\na: b\r\n\r\n"
    b"HTTP/1.1 429 No\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n",
    "events": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    b"9\r\ndata: {}\n\r\n1\r\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
    "old": b"HTTP/1.0 200 OK\r\nx: y\r\n\r\nuntil the end",
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_boundary_and_every_pair_of_boundaries(loop, sample):
    raw = SAMPLES[sample]
    whole, _ = run(loop, [raw])
    assert whole[0] in {200, 429}
    for first in range(len(raw) + 1):
        assert run(loop, [raw[:first], raw[first:]])[0] == whole
        for second in range(first, min(len(raw), first + 12)):
            assert run(loop, [raw[:first], raw[first:second], raw[second:]])[0] == whole
    assert run(loop, [raw[i : i + 1] for i in range(len(raw))])[0] == whole


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_response_cut_short_anywhere_is_never_whole(loop, sample):
    raw = SAMPLES[sample]
    head = raw.index(b"\r\n\r\n") + 4
    for cut in range(len(raw)):
        outcome, wire = run(loop, [raw[:cut]])
        assert wire.free == 0
        if sample == "old" and cut >= head:
            assert outcome[0] == 200  # its end is the end of the connection
        elif sample == "events" and cut >= head:
            assert outcome[3] == "The backend closed the connection before its answer was complete."
        else:
            assert outcome[0] is Broken


def test_damaged_responses_end_in_a_response_or_a_clear_error(loop):
    @by_dice()
    def judge(dice):
        noise = dice.randbytes(dice.randrange(4))
        judge_damage(loop, dice.getrandbits(64), dice.randrange(256), noise, dice.randrange(4))

    judge()


def test_a_connection_is_kept_when_the_response_says_so_and_only_then(loop):
    for head, kept in (
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 204 No\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nx", False),
    ):
        outcome, wire = run(loop, [head], close=False)
        assert outcome[0] in {200, 204}
        assert (wire.free, wire.aborted) == ((1, False) if kept else (0, True)), head


def test_a_connection_with_unsent_bytes_of_the_request_is_not_kept(loop):
    exchange = Exchange(loop)
    exchange.wire.unsent = 1
    exchange.feed([b"HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n"])
    assert exchange.outcome()[0] == 413
    assert (exchange.wire.free, exchange.wire.aborted) == (0, True)


def test_bytes_that_nobody_asked_for_close_a_kept_connection(loop):
    exchange = Exchange(loop)
    exchange.feed([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
    assert exchange.wire.free == 1
    exchange.connection.data_received(b"\r\n")
    assert exchange.wire.aborted


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"garbage\r\n\r\n", "well-formed"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", "well-formed"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "well-formed"),
        (b"\x16\x03\x01\x00\xa5", "well-formed"),
        (b"SSH-2.0-OpenSSH\r\n", "well-formed"),
        (OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc", "well-formed"),
        (OK + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc", "well-formed"),
        (OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "well-formed"),
        (OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", "well-formed"),
        (OK + b"content-length: -1\r\n\r\n", "well-formed"),
        (OK + b"content-length: +1\r\n\r\na", "well-formed"),
        (OK + b"content-length: 1, 1\r\n\r\na", "well-formed"),
        (OK + b"content-length: 99999999999999999999999\r\n\r\na", "well-formed"),
        (OK + b"a : b\r\n\r\n", "well-formed"),
        (OK + b" folded: b\r\n\r\n", "well-formed"),
        (OK + b"a: b\r\n folded\r\n\r\n", "well-formed"),
        (OK + b"a: b\0c\r\n\r\n", "well-formed"),
        (OK + b"a\r\n\r\n", "well-formed"),
        (OK + b"transfer-encoding: chunked\r\n\r\nxyz\r\n", "well-formed"),
        (OK + b"transfer-encoding: chunked\r\n\r\n-1\r\n", "well-formed"),
        (OK + b"transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n", "well-formed"),
        (OK + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "well-formed"),
        (OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "transfer coding"),
        (OK + b"transfer-encoding: gzip\r\n\r\n", "transfer coding"),
        (OK + b"content-encoding: gzip\r\n\r\n", "compressed"),
        (OK + b"content-encoding: br\r\ncontent-type: text/event-stream\r\n\r\n", "compressed"),
        (OK + b"content-encoding: identity, gzip\r\n\r\n", "compressed"),
        (OK + b"x: " + b"y" * 5_000, "head is too large"),
        (OK + b"x: " + b"y" * 5_000 + b"\r\n\r\n", "head is too large"),
        (OK + b"".join(b"x%d: y\r\n" % n for n in range(21)) + b"\r\n", "too many header fields"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4, "interim"),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 103 Early\r\ncontent-length: 2\r\n\r\nab", "interim response has a body"),
        (b"HTTP/1.1 199 Odd\r\ntransfer-encoding: chunked\r\n\r\n", "interim response has a body"),
        (OK + b"content-length: 1001\r\n\r\n", "body is too large"),
        (OK + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1_001, "body is too large"),
        (OK + b"\r\n" + b"a" * 1_001, "body is too large"),
        (OK + b"transfer-encoding: chunked\r\n\r\n1;" + b"x" * 9_000, "head is too large"),
        (OK + b"transfer-encoding: chunked\r\n\r\n0\r\nx: " + b"y" * 9_000, "head is too large"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cut", ["whole", "bytes"])
def test_what_is_no_acceptable_response(loop, raw, why, cut):
    pieces = [raw] if cut == "whole" else [raw[i : i + 1] for i in range(len(raw))]
    outcome, wire = run(loop, pieces, close=False)
    assert outcome[0] is Broken
    assert why in outcome[1]
    assert wire.aborted
    assert wire.free == 0


def test_a_stream_has_no_bound_on_its_body_and_an_error_response_is_never_a_stream(loop):
    head = b"content-type: text/event-stream\r\n\r\n"
    outcome, _ = run(loop, [OK + head, b"x" * 5_000])
    assert outcome == (200, {b"content-type": b"text/event-stream"}, b"x" * 5_000, "ended")
    outcome, _ = run(loop, [b"HTTP/1.1 500 No\r\n" + head, b"x" * 500])
    assert outcome == (500, {b"content-type": b"text/event-stream"}, b"x" * 500, "whole")
    outcome, _ = run(loop, [OK + b"content-type: text/event-streams\r\n\r\n", b"x"])
    assert outcome[3] == "whole"


def test_a_held_connection_reads_again_when_its_response_is_complete(loop):
    exchange = Exchange(loop)
    exchange.feed([OK + b"content-type: text/event-stream\r\ncontent-length: 100\r\n\r\n", b"x" * 90])
    assert exchange.wire.paused
    exchange.feed([b"x" * 10])  # was read before the pause took hold
    assert (exchange.wire.paused, exchange.wire.free) == (False, 1)
    assert exchange.outcome()[2:] == (b"x" * 100, "ended")


async def test_a_stream_that_failed_and_was_closed_says_no_more():
    exchange = Exchange(asyncio.get_running_loop())
    exchange.feed([OK + b"content-type: text/event-stream\r\ncontent-length: 100\r\n\r\nabc"])
    exchange.eof()
    stream = (await exchange.answer).stream
    await stream.aclose()
    assert [piece async for piece in stream] == []


def test_a_body_of_single_bytes_is_gathered(loop):
    limits = ClientLimits(body_bytes=10_000)
    outcome, _ = run(
        loop,
        [OK + b"transfer-encoding: chunked\r\n\r\n", *[b"1\r\n%c\r\n" % (n % 256) for n in range(5_000)], b"0\r\n\r\n"],
        limits=limits,
    )
    assert outcome[2] == bytes(n % 256 for n in range(5_000))


def test_the_answer_to_head_has_no_body_and_ends_the_connection(loop):
    outcome, wire = run(loop, [OK + b"content-length: 50\r\n\r\n"], close=False, method=b"HEAD")
    assert outcome == (200, {b"content-length": b"50"}, b"", "whole")
    assert wire.aborted


@pytest.mark.parametrize(
    ("reused", "sent", "error", "after", "expected"),
    [
        (True, b"", None, 0, StaleConnection),
        (True, b"", ConnectionResetError(), 0, StaleConnection),
        (True, b"", BrokenPipeError(), 0.9, StaleConnection),
        (True, b"", None, 1.1, Broken),  # so late, it may have been at work on it
        (True, b"", TimeoutError(), 0, Broken),  # the network, not the peer
        (True, b"H", None, 0, Broken),
        (True, b"HTTP/1.1 100 C\r\n\r\n", None, 0, Broken),
        (False, b"", None, 0, Broken),
        (False, b"", ConnectionResetError(), 0, Broken),
    ],
)
async def test_when_a_closed_connection_is_taken_for_stale(reused, sent, error, after, expected):
    exchange = Exchange(asyncio.get_running_loop(), reused=reused)
    exchange.feed([sent])
    await exchange.clock.advance(after)
    exchange.eof(error)
    assert exchange.outcome()[0] is expected


@pytest.mark.parametrize(
    ("sent", "reset", "expected"),
    [
        (OK + b"\r\nabc", False, 200),
        (OK + b"\r\nabc", True, Broken),
        (OK + b"content-length: 9\r\n\r\nabc", False, Broken),
    ],
)
def test_only_an_orderly_close_ends_a_body(loop, sent, reset, expected):
    exchange = Exchange(loop)
    exchange.feed([sent])
    exchange.eof(ConnectionResetError() if reset else None)
    assert exchange.outcome()[0] == expected


@pytest.mark.parametrize(
    ("sent", "after", "phase"),
    [
        (b"", 4.9, None),
        (b"", 5.1, "first byte"),
        (OK, 5.1, "first byte"),  # a head that drips is no answer
        (OK + b"\r\n", 2.9, None),
        (OK + b"\r\nabc", 3.1, "idle"),
    ],
)
async def test_phases_of_time(sent, after, phase):
    exchange = Exchange(asyncio.get_running_loop())
    exchange.feed([sent])
    await exchange.clock.advance(after)
    assert exchange.connection.check(exchange.clock.monotonic()) == (phase is not None)
    if phase:
        assert exchange.answer.exception().phase == phase
        assert not exchange.answer.exception().retry_elsewhere
        assert exchange.wire.aborted


async def test_a_stream_is_bounded_in_total_and_idle_only_while_it_is_read():
    head = OK + b"content-type: text/event-stream\r\n\r\n"
    exchange = Exchange(asyncio.get_running_loop())
    exchange.feed([head, b"x" * 100])
    assert exchange.wire.paused
    await exchange.clock.advance(10)
    assert not exchange.connection.check(exchange.clock.monotonic())  # its reader is late, not the host
    stream = (await exchange.answer).stream
    assert await anext(stream) == b"x" * 100
    assert not exchange.wire.paused
    assert not exchange.connection.check(exchange.clock.monotonic())
    await exchange.clock.advance(3.1)
    assert exchange.connection.check(exchange.clock.monotonic())
    with pytest.raises(TimedOut) as caught:
        await anext(stream)
    assert caught.value.phase == "idle"

    exchange = Exchange(asyncio.get_running_loop())
    exchange.feed([head])
    for _ in range(59):
        await exchange.clock.advance(1)
        exchange.feed([b"x"])
        assert not exchange.connection.check(exchange.clock.monotonic())
    await exchange.clock.advance(1)
    assert exchange.connection.check(exchange.clock.monotonic())
    body, error = drain((await exchange.answer).stream)
    assert body == b"x" * 59
    assert error == "The backend did not finish its answer within 60 s."

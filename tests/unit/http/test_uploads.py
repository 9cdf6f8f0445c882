"""Bodies that are answered while they arrive."""

import hashlib
import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.settings import InboundLimits
from forehearth.http.connection import LINGER
from forehearth.http.incoming import HELD, SLOWEST
from tests.http_toys import WHOLE, get, in_chunks, post
from tests.unit.http.memory import Memory, settle, statuses

LIMITS = InboundLimits(header_seconds=10, body_seconds=60, idle_seconds=75, write_seconds=30)


def said(body: bytes) -> bytes:
    return b"%d %b" % (len(body), hashlib.sha256(body).hexdigest().encode())


def begun(length: int) -> bytes:
    return post("/up/x").replace(b"Length: 0", b"Length: %d" % length)


def late(protocol: Any, seconds: float) -> None:
    protocol.tick(protocol.loop.time() + seconds)


BODY = bytes(range(256)) * 3


@given(
    body=st.binary(max_size=600),
    chunk_sizes=st.lists(st.integers(1, 200), max_size=12),
    cuts=st.lists(st.integers(0, 2_000), max_size=12),
    chunked=st.booleans(),
)
async def test_however_a_body_is_cut_it_is_taken_whole_and_the_next_request_is_answered(
    body: bytes, chunk_sizes: list[int], cuts: list[int], chunked: bool
) -> None:
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    data = post("/up/x", body)
    if chunked:
        pieces, at = [], 0
        for size in [*chunk_sizes, len(body) or 1]:
            pieces.append(body[at : at + size])
            at += size
        pieces = [each for each in pieces if each]
        head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", post("/up/x"))
        data = head + in_chunks(pieces)
    data += post("/call/echo", b"next")
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(places):
        protocol.data_received(data[start:end])
        await settle(3)
    await settle(20)
    assert statuses(transport.written) == [200, 200]
    assert said(body) in transport.written
    assert memory.toy.bodies == [b"next"]
    transport.close()
    await settle()


async def test_a_client_that_is_faster_than_the_reader_has_to_wait() -> None:
    memory = Memory(LIMITS)
    memory.toy.gate.clear()
    protocol, transport = memory.connect()
    protocol.data_received(begun(3 * HELD))
    protocol.data_received(b"a" * (HELD - 1))
    assert transport.reading
    protocol.data_received(b"a")
    assert not transport.reading
    late(protocol, 100_000)  # the client is not to blame
    assert not transport.closed
    memory.toy.gate.set()
    await settle()
    assert transport.reading
    protocol.data_received(b"a" * 2 * HELD)
    await settle(20)
    assert said(b"a" * 3 * HELD) in transport.written
    assert memory.toy.largest <= 2 * HELD


async def test_time_begins_anew_when_the_client_may_go_on() -> None:
    memory = Memory(LIMITS)
    memory.toy.gate.clear()
    protocol, transport = memory.connect()
    protocol.data_received(begun(3 * HELD) + b"a" * HELD)
    memory.toy.gate.set()
    await settle()
    late(protocol, 59)
    assert not statuses(transport.written)
    late(protocol, 61)
    await settle()
    assert statuses(transport.written) == [408]


async def test_a_slow_client_is_judged_by_what_it_sends() -> None:
    memory = Memory(LIMITS)
    protocol, transport = memory.connect()
    protocol.data_received(begun(10 * SLOWEST) + b"a")
    for minute in range(1, 4):
        for _ in range(2):
            protocol.data_received(b"a" * (SLOWEST // 2))
            await settle()
        protocol.deadline = protocol.loop.time() - 1
        late(protocol, 0)
        await settle()
        assert not statuses(transport.written), minute
    protocol.data_received(b"a" * (SLOWEST - 1))
    await settle()
    protocol.deadline = protocol.loop.time() - 1
    late(protocol, 0)
    await settle()
    assert statuses(transport.written) == [408]
    assert b"send at least" in transport.written
    assert transport.write_ended


@pytest.mark.parametrize(("path", "status"), [("/up/early", 403), ("/up/full", 507)])
async def test_an_answer_before_the_end_is_the_last(path: str, status: int) -> None:
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(post(path).replace(b"Length: 0", b"Length: 1000"))
    await settle()
    protocol.data_received(b"x")
    await settle()
    assert statuses(transport.written) == [status]
    assert b"connection: close" in transport.written
    assert protocol.phase == LINGER
    protocol.data_received(b"x" * 999)
    protocol.data_received(get("/app/x"))
    await settle()
    assert statuses(transport.written) == [status]


@pytest.mark.parametrize(
    ("length", "rest", "status"),
    [(b"Transfer-Encoding: chunked", b"2\r\nabXX", 400), (b"Transfer-Encoding: chunked", b"ZZ\r\n", 400)],
)
async def test_a_body_that_breaks_is_told_to_its_reader(length: bytes, rest: bytes, status: int) -> None:
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(post("/up/x").replace(b"Content-Length: 0", length))
    await settle()
    protocol.data_received(rest)
    await settle()
    assert statuses(transport.written) == [status]
    assert transport.write_ended
    assert memory.toy.seen["taking"] == 1


async def test_a_body_without_a_length_ends_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.http_toys.Taking.max_body", 10)
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(post("/up/x").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
    protocol.data_received(in_chunks([b"x" * 11]))
    await settle()
    assert statuses(transport.written) == [413]


async def test_a_client_that_ends_inside_a_body_is_told() -> None:
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(begun(10) + b"half")
    await settle()
    assert protocol.eof_received()
    await settle()
    assert statuses(transport.written) == [400]
    assert transport.closed


async def test_a_client_that_leaves_inside_a_body_ends_it() -> None:
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(begun(10) + b"half")
    await settle()
    transport.close()
    await settle()
    assert memory.toy.seen["upload cancelled"] == 1
    assert protocol.task is not None
    assert protocol.task.done()


async def test_one_that_is_here_with_its_head_is_given_whole() -> None:
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    for _ in range(2):
        protocol.data_received(post("/up/x", BODY))
        await settle()
    assert memory.toy.seen["came whole"] == 2
    assert memory.toy.seen["again"] == 1
    assert transport.written.count(said(BODY)) == 2


@pytest.mark.parametrize(("query", "whole"), [("2,5,", True), ("1,5,", False), ("3,5,", False), ("2,5,break", False)])
async def test_a_stream_of_known_length_says_it_and_keeps_to_it(query: str, whole: bool) -> None:
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(post(f"/up/sized?{query}"))
    await settle(20)
    assert b"content-length: 10\r\n" in transport.written
    assert b"chunked" not in transport.written
    assert transport.closed is not whole
    assert transport.written.endswith(b"\r\n\r\n" + b"x" * {"1": 5, "2": 10, "3": 10}[query[0]])
    assert memory.toy.seen["closed"] == 1

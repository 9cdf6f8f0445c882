"""A connection's timers, asked at the times that matter instead of waiting for them."""

import pytest

from forehearth.core.settings import InboundLimits
from forehearth.http.border import SLICES
from forehearth.http.connection import IDLE_WHILE_DRAINING, LINGER_SECONDS
from tests.http_toys import get, post
from tests.unit.http.memory import Memory, settle, statuses

LIMITS = InboundLimits(header_seconds=10, body_seconds=60, idle_seconds=75, write_seconds=30)
WAIT = post("/call/wait")


@pytest.fixture
async def memory() -> Memory:
    return Memory(LIMITS)


def late(protocol, seconds: float) -> None:
    protocol.tick(protocol.loop.time() + seconds)


@pytest.mark.parametrize(
    ("before", "seconds", "answers"),
    [
        ([], 10, []),
        ([b"GET /"], 10, [408]),
        ([get("/app/x")], 75, [200]),
        ([get("/app/x"), b"GET"], 10, [200, 408]),
        ([get("/app/x"), b"\r\n"], 75, [200]),
        ([post("/call/echo").replace(b"Length: 0", b"Length: 9")], 60, [408]),
        ([post("/app/echo").replace(b"Length: 0", b"Length: 9"), b"hello"], 60, [408]),
    ],
)
async def test_what_a_client_owes_it_owes_in_time(memory, before, seconds, answers):
    protocol, transport = memory.connect()
    for part in before:
        protocol.data_received(part)
        await settle(20)
    late(protocol, seconds - 0.5)
    assert not transport.closed
    assert 408 not in statuses(transport.written)
    late(protocol, seconds + 0.5)
    await settle()
    assert statuses(transport.written) == answers
    assert transport.closed or transport.write_ended


async def test_an_answer_may_take_as_long_as_it_does(memory):
    protocol, transport = memory.connect()
    protocol.data_received(WAIT)
    await settle()
    late(protocol, 100_000)
    assert not transport.closed
    transport.close()
    await settle()
    assert memory.toy.seen["cancelled"] == 1


async def test_what_is_written_must_be_read_on(memory):
    protocol, transport = memory.connect()
    protocol.data_received(WAIT)
    await settle()
    transport.held = 1_000
    late(protocol, 0)
    late(protocol, 29)
    transport.held = 999
    late(protocol, 31)
    late(protocol, 60)
    assert not transport.closed
    late(protocol, 62)
    assert transport.aborted
    await settle()
    assert memory.toy.seen["cancelled"] == 1


async def test_who_lingers_after_a_refusal_is_closed_in_the_end(memory):
    protocol, transport = memory.connect()
    protocol.data_received(b"BAD\r\n\r\n")
    assert statuses(transport.written) == [400]
    assert transport.write_ended
    protocol.data_received(b"x" * 100_000)
    late(protocol, LINGER_SECONDS - 0.5)
    assert not transport.closed
    late(protocol, LINGER_SECONDS + 0.5)
    assert transport.aborted


async def test_who_lingers_and_sends_without_end_is_closed_before(memory):
    protocol, transport = memory.connect()
    protocol.data_received(b"BAD\r\n\r\n")
    megabyte = b"x" * 1024 * 1024
    for _ in range(64):
        protocol.data_received(megabyte)
    assert not transport.closed
    protocol.data_received(b"x")
    assert transport.aborted


async def test_while_draining_silence_ends_soon_and_a_head_that_has_begun_has_its_time(memory):
    idle, idle_transport = memory.connect()
    begun, begun_transport = memory.connect()
    begun.data_received(b"GET /app/x HTTP/1.1\r\n")
    memory.border.draining = True
    idle.shutdown()
    begun.shutdown()
    late(idle, IDLE_WHILE_DRAINING + 0.5)
    late(begun, IDLE_WHILE_DRAINING + 0.5)
    assert idle_transport.closed
    assert not begun_transport.closed
    begun.data_received(b"Host: toy\r\n\r\n")
    await settle(20)
    assert statuses(begun_transport.written) == [200]
    assert b"connection: close\r\n" in begun_transport.written


async def test_a_sweep_looks_at_every_connection_and_never_at_many_together(memory):
    """So that those who are sent away at one time do not hold up the answers to all others."""
    pairs = [memory.connect() for _ in range(3 * SLICES + 1)]
    for protocol, _ in pairs:
        protocol.deadline = 0.0
    before = 0
    for _ in range(SLICES):
        memory.border.start_sweep()
        memory.border.stop_sweep()
        closed = sum(transport.closed for _, transport in pairs)
        assert 3 <= closed - before <= 4
        before = closed
    assert before == len(pairs)
    await settle()
    assert not memory.border.open

"""Heads that come again: what counts as the same, and that everything else is read and decided anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.settings import InboundLimits
from forehearth.http.faults import Malformed
from forehearth.http.head import Peer, read
from forehearth.http.repeats import LONGEST, Repeated
from tests.http_toys import WHOLE, ToyEntrance, post
from tests.unit.http.memory import Memory, settle, statuses

LIMITS = InboundLimits()
HEAD = b"POST /call/echo HTTP/1.1\r\nHost: a\r\napi-key: k\r\nContent-Length: %b\r\nx-a: 1\r\n\r\n"


def remembered(block):
    return Repeated.of(block, read(block, LIMITS, Peer()), ToyEntrance().accept(read(block, LIMITS, Peer()).head))


@pytest.mark.parametrize(
    ("digits", "length"), [(b"5", 5), (b"17", 17), (b"0", 0), (b"007", 7), (b"9" * 18, 10**18 - 1)]
)
def test_the_same_but_for_the_length_is_the_same(digits, length):
    assert remembered(HEAD % b"12").length(HEAD % digits) == length == read(HEAD % digits, LIMITS, Peer()).length


@pytest.mark.parametrize("digits", [b"", b"-1", b"+1", b"1 2", b"1\r\nx-b: 2", b"9" * 19, b"0x1", b"\xb2", b"1_0"])
def test_no_length_is_another_head(digits):
    assert remembered(HEAD % b"12").length(HEAD % digits) == -1


@pytest.mark.parametrize(
    "block",
    [
        HEAD.replace(b"Content-Length: %b\r\n", b""),
        HEAD.replace(b"Content-Length: %b", b"Transfer-Encoding: chunked"),
        HEAD.replace(b"Content-Length", b"CONTENT-LENGTH") % b"1",
        HEAD.replace(b"x-a: 1", b"x-a: " + b"1" * LONGEST) % b"1",
    ],
)
def test_these_are_not_remembered(block):
    assert remembered(block) is None


@given(st.integers(0, len(HEAD % b"12") - 1), st.binary(max_size=4), st.integers(0, 4))
def test_whatever_is_the_same_reads_the_same(at, put, cut):
    """Whatever the change to a head: where it is taken for the same, reading it says the same."""
    block = HEAD % b"12"
    changed = block[:at] + put + block[at + cut :]
    length = remembered(block).length(changed)
    if length >= 0:
        first, now = read(block, LIMITS, Peer()), read(changed, LIMITS, Peer())
        assert (now.head, now.minor, now.length, now.persistent) == (first.head, first.minor, length, first.persistent)


@given(st.lists(st.sampled_from([b"a", b"1", b":", b" ", b"\r\n", b"\r", b"content-length: 3", b"x-b: 2"]), max_size=6))
def test_no_field_can_be_slipped_in(parts):
    changed = HEAD % b"".join([b"1", *parts])
    length = remembered(HEAD % b"12").length(changed)
    try:
        good = read(changed, LIMITS, Peer()).length
    except Malformed:
        good = -1
    assert length in (-1, good)


async def test_a_head_is_decided_once_and_its_caller_is_looked_at_each_time():
    protocol, transport = (memory := Memory(WHOLE)).connect()
    for body in (b"one", b"three", b""):
        protocol.data_received(post("/call/echo", body))
        await settle(5)
    assert statuses(transport.written) == [200, 200, 200]
    assert memory.toy.bodies == [b"one", b"three", b""]
    assert len(memory.toy.heads) == 1
    assert memory.toy.seen["again"] == 2


async def test_one_that_may_not_come_in_again_is_decided_anew():
    protocol, transport = (memory := Memory(WHOLE)).connect()
    memory.toy.forgetful = True
    for _ in range(3):
        protocol.data_received(post("/call/echo", b"one"))
        await settle(5)
    assert statuses(transport.written) == [200, 200, 200]
    assert len(memory.toy.heads) == 3


async def test_a_mistake_in_it_leads_to_a_new_decision():
    protocol, transport = (memory := Memory(WHOLE)).connect()
    memory.toy.forgetful = LookupError("a secret")
    for _ in range(2):
        protocol.data_received(post("/call/echo", b"one"))
        await settle(5)
    assert statuses(transport.written) == [200, 200]
    assert len(memory.toy.heads) == 2


async def test_another_head_on_the_same_connection_is_another_request():
    protocol, transport = (memory := Memory(WHOLE)).connect()
    for path in ("/call/echo", "/no", "/call/echo", "/app/x"):
        protocol.data_received(post(path, b""))
        await settle(20)
    assert statuses(transport.written) == [200, 401, 200, 200]
    assert [each.raw_path for each in memory.toy.heads] == [b"/call/echo", b"/no", b"/app/x"]

"""How long a client may take, and how many there may be. Bounds are generous: a timer that is late is not the point."""

import time
from collections.abc import Iterator

import msgspec
import pytest

from tests.http_toys import HASTY, WHOLE, Client, Serving, get, post

SOON = 4.0
"""Seconds that any of these timers may take at most on a busy machine."""


@pytest.fixture(scope="module")
def hasty() -> Iterator[Serving]:
    with Serving(limits=HASTY) as serving:
        yield serving


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def hasty_on_each(request: pytest.FixtureRequest) -> Iterator[Serving]:
    with Serving(limits=HASTY, loop=request.param) as serving:
        yield serving


def ended_after(client: Client) -> float:
    began = time.monotonic()
    assert client.is_ended()
    return time.monotonic() - began


def test_a_head_that_does_not_end_is_a_408(hasty_on_each):
    parts = [b"P", b"POST /call/echo HTTP/1.1\r\nHost: toy\r\nX: y", get("/app/x")[:-1]]
    clients = [hasty_on_each.client() for _ in parts]
    for client, part in zip(clients, parts, strict=True):
        client.send(part)
    for client in clients:
        response = client.response()
        assert (response.status, response.headers[b"connection"]) == (408, b"close")
        assert ended_after(client) < SOON


def test_a_head_that_drips_is_a_408_all_the_same(hasty):
    with hasty.client() as client:
        began = time.monotonic()
        while time.monotonic() - began < HASTY.header_seconds / 2:
            client.send(b"A")
            time.sleep(0.05)
        assert client.response().status == 408


def test_the_head_of_a_later_request_has_its_own_time(hasty):
    with hasty.client() as client:
        client.send(get("/app/x"))
        assert client.response().status == 200
        time.sleep(HASTY.header_seconds / 2)
        client.send(get("/app/x")[:-3])
        time.sleep(HASTY.header_seconds / 2)
        client.send(get("/app/x")[-3:])
        assert client.response().status == 200
        client.send(b"GET")
        assert client.response().status == 408


def test_who_says_nothing_is_sent_away_without_a_word(hasty):
    with hasty.client() as client:
        assert ended_after(client) < SOON


def test_who_says_nothing_more_is_sent_away_without_a_word(hasty):
    with hasty.client() as client:
        client.send(get("/app/x"))
        assert client.response().status == 200
        took = ended_after(client)
        assert HASTY.idle_seconds * 0.8 < took < SOON


def test_a_body_that_does_not_end_is_a_408(hasty):
    waiting = []
    for path, says in (("/call/echo", b"toy: "), ("/app/echo", b'{"err')):
        for part in (b"", b"hel"):
            client = hasty.client()
            client.send(post(path).replace(b"Length: 0", b"Length: 5"), part)
            waiting.append((client, says))
    for client, says in waiting:
        response = client.response()
        assert (response.status, response.body[:5]) == (408, says)
        assert client.is_ended()


def test_a_call_may_take_longer_than_any_of_these(hasty):
    with hasty.client() as client:
        client.send(post("/call/number?1500"))
        assert client.response().body == b"1500"


@pytest.mark.parametrize("path", ["/call/stream?100000,10000,", "/call/big?60000000"])
def test_who_does_not_read_is_dropped_and_the_stream_closed(hasty_on_each, path):
    opened = hasty_on_each.seen["opened"]
    with hasty_on_each.client(buffer=4096) as client:
        client.send(post(path))
        if "stream" in path:
            hasty_on_each.until(lambda: hasty_on_each.seen["opened"] > opened)
        hasty_on_each.until(lambda: hasty_on_each.seen["opened"] == hasty_on_each.seen["closed"])
        hasty_on_each.until(lambda: hasty_on_each.server.connections == 0)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_who_reads_slowly_but_does_is_not_dropped(loop):
    # The system's buffers take from ours in leaps, so that a busy machine needs more patience than the others here.
    limits = msgspec.structs.replace(HASTY, write_seconds=2.5)
    with Serving(limits=limits, loop=loop) as serving, serving.client(buffer=4096) as client:
        client.send(post("/call/stream?300,10000,"))
        assert client.head()[0] == 200
        began = time.monotonic()
        size = 0
        while piece := client.chunk():
            size += len(piece)
            time.sleep(0.012)
        assert size == 3_000_000
        assert time.monotonic() - began > limits.write_seconds


@pytest.mark.parametrize("limit", ["connections", "connections_per_client"])
def test_one_connection_too_many_is_told_so_and_closed(limit):
    with Serving(limits=msgspec.structs.replace(WHOLE, **{limit: 3})) as serving:
        clients = [serving.client() for _ in range(3)]
        for client in clients:
            client.send(get("/app/x"))
            assert client.response().status == 200
        with serving.client() as another:
            response = another.response()
            assert (response.status, response.headers[b"connection"]) == (503, b"close")
            assert another.is_ended()
        clients.pop().close()
        serving.until(lambda: serving.server.connections == 2)
        with serving.client() as another:
            another.send(get("/app/x"))
            assert another.response().status == 200
        for client in clients:
            client.close()


def test_far_too_many_are_not_even_told():
    with Serving(limits=msgspec.structs.replace(WHOLE, connections=1)) as serving:
        clients = [serving.client() for _ in range(300)]
        serving.until(lambda: serving.server.connections <= 257)
        for client in clients:
            client.close()

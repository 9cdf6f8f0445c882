"""A client that leaves ends its call, whenever it leaves; one that has merely said all it will does not."""

import socket
import struct
import time

import pytest

from tests.http_toys import Client, Serving, get, in_chunks, post

WITHIN = 1.0
"""Seconds in which a departure must end the call."""


def leave(client: Client, how: str) -> None:
    if how == "reset":
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture(params=["end", "reset"])
def how(request: pytest.FixtureRequest) -> str:
    return request.param


def test_before_the_head_is_complete(either, how):
    client = either.client()
    client.send(b"POST /call/wait HTTP/1.1\r\nHo")
    leave(client, how)
    assert either.until(lambda: either.server.connections == 0) < WITHIN


@pytest.mark.parametrize("path", ["/call/wait", "/app/echo"])
def test_before_the_body_is_complete(either, how, path):
    calls = either.seen["calls"]
    client = either.client()
    client.send(post(path).replace(b"Length: 0", b"Length: 10"), b"hello", pause=0.02)
    leave(client, how)
    assert either.until(lambda: either.server.connections == 0) < WITHIN
    assert either.seen["calls"] == calls


def test_before_the_answer(either, how):
    waiting, cancelled = either.seen["waiting"], either.seen["cancelled"]
    client = either.client()
    client.send(post("/call/wait", b"hello"))
    either.until(lambda: either.seen["waiting"] == waiting + 1)
    leave(client, how)
    assert either.until(lambda: either.seen["cancelled"] == cancelled + 1) < WITHIN
    assert either.until(lambda: either.server.connections == 0) < WITHIN


def test_between_two_pieces_with_the_first_unread(either, how):
    hanging = either.seen["hanging"]
    client = either.client()
    client.send(post("/call/stream?2,5,hang"))
    either.until(lambda: either.seen["hanging"] == hanging + 1)
    leave(client, how)
    assert either.until(lambda: either.seen["opened"] == either.seen["closed"]) < WITHIN


def test_between_two_pieces_with_all_read(either, how):
    client = either.client()
    client.send(post("/call/stream?2,5,hang"))
    client.head()
    assert client.chunk() + client.chunk() == b"x" * 10
    leave(client, how)
    assert either.until(lambda: either.seen["opened"] == either.seen["closed"]) < WITHIN
    assert either.until(lambda: either.server.connections == 0) < WITHIN


def test_with_the_connection_full(either, how):
    client = either.client(buffer=4096)
    pieces = either.seen["pieces"]
    client.send(post("/call/stream?100000,10000,"))
    either.until(lambda: either.seen["pieces"] > pieces + 10)
    time.sleep(0.1)
    leave(client, how)
    assert either.until(lambda: either.seen["opened"] == either.seen["closed"]) < WITHIN


def test_with_requests_sent_ahead_none_of_them_is_begun(fast, how):
    waiting, calls = fast.seen["waiting"], fast.seen["calls"]
    client = fast.client()
    client.send(post("/call/wait"), post("/call/echo"), post("/call/echo"))
    fast.until(lambda: fast.seen["waiting"] == waiting + 1)
    leave(client, "reset")
    assert fast.until(lambda: fast.server.connections == 0) < WITHIN
    assert fast.seen["calls"] == calls + 1


@pytest.mark.parametrize(
    "request_",
    [
        post("/call/number?300", b"hello"),
        post("/call/number?300").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + in_chunks([b"hello"]),
        get("/call/number?300", version="1.0"),
        get("/call/number?300", "Connection: close"),
    ],
    ids=["length", "chunks", "1.0", "close"],
)
def test_a_half_close_before_the_answer_is_no_departure(fast, request_):
    with fast.client() as client:
        client.send(request_)
        client.half_close()
        assert client.response().body == b"300"
        assert client.is_ended()


@pytest.mark.parametrize(("path", "body"), [("/call/stream?10,5,slow", b"x" * 50), ("/app/stream", b"012")])
def test_a_half_close_inside_the_answer_is_no_departure(fast, path, body):
    with fast.client() as client:
        client.send(post(path))
        status, _ = client.head()
        client.half_close()
        assert status == 200
        assert b"".join(iter(client.chunk, b"")) == body
        assert client.is_ended()


def test_a_half_close_after_several_requests_leaves_none_unanswered(fast):
    with fast.client() as client:
        client.send(post("/call/number?50"), get("/app/x"), post("/call/stream?2,2,slow"), get("/no"))
        client.half_close()
        assert [client.response().body for _ in range(4)] == [b"50", b"/app/x", b"xxxx", b"who are you"]
        assert client.is_ended()


@pytest.mark.parametrize("path", ["/call/echo", "/app/echo"])
def test_a_half_close_inside_the_body_is_answered(fast, path):
    with fast.client() as client:
        client.send(post(path).replace(b"Length: 0", b"Length: 10"), b"hello")
        client.half_close()
        assert client.response().status == 400
        assert client.is_ended()


def test_a_departure_over_tls(server_tls, client_tls):
    with Serving(tls=server_tls) as serving:
        client = serving.client(tls=client_tls)
        client.send(post("/call/wait"))
        serving.until(lambda: serving.seen["waiting"] == 1)
        client.close()
        assert serving.until(lambda: serving.seen["cancelled"] == 1) < WITHIN
        client = serving.client(tls=client_tls)
        client.send(post("/call/stream?2,5,hang"))
        serving.until(lambda: serving.seen["hanging"] == 1)
        client.close()
        assert serving.until(lambda: serving.seen["closed"] == 1) < WITHIN


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_departures_and_half_closes_on_a_unix_socket(tmp_path, loop):
    with Serving(unix=tmp_path / "s", loop=loop) as serving:
        client = serving.client()
        client.send(post("/call/wait"))
        serving.until(lambda: serving.seen["waiting"] == 1)
        client.close()
        assert serving.until(lambda: serving.seen["cancelled"] == 1) < WITHIN
        with serving.client() as client:
            client.send(post("/call/number?200"))
            client.half_close()
            assert client.response().body == b"200"
            assert client.is_ended()


def test_a_client_that_reads_nothing_costs_a_bounded_buffer(fast):
    pieces = fast.seen["pieces"]
    with fast.client(buffer=4096) as client:
        client.send(post("/call/stream?100000,10000,"))
        fast.until(lambda: fast.seen["pieces"] > pieces)
        before, taken = -1, 0
        while before != taken:  # it would not end were it not held
            time.sleep(0.3)
            before, taken = taken, fast.seen["pieces"]
        assert (taken - pieces) * 10_000 < 1_500_000
        client.head()
        for _ in range(500):
            assert len(client.chunk()) == 10_000
    fast.until(lambda: fast.seen["opened"] == fast.seen["closed"])

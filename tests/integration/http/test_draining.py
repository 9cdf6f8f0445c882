"""How the server ends: in order, and nobody is reset; or at once."""

import socket
import threading
import time

import pytest

from tests.http_apart import Apart
from tests.http_toys import Client, Serving, get, post

SOON = 4.0


@pytest.fixture(params=[("fast", "uvloop"), ("fast", "asyncio"), ("asgi", "uvloop")], ids="-".join)
def form(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"protocol": request.param[0], "loop": request.param[1]}


@pytest.fixture(params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest) -> str:
    return request.param


def test_with_nothing_in_flight_it_ends_soon(form):
    with Serving(**form) as serving:
        began = time.monotonic()
        serving.stop()
        serving.join(SOON)
        assert serving.drained.is_set()
        assert serving.server.draining
        assert time.monotonic() - began < SOON
        with pytest.raises(ConnectionRefusedError):
            serving.client()


def test_calls_and_streams_in_flight_finish(form):
    with Serving(**form) as serving:
        call, stream, page = serving.client(), serving.client(), serving.client()
        call.send(post("/call/number?600"))
        stream.send(post("/call/stream?40,5,slow"))
        assert stream.head()[0] == 200
        page.send(post("/app/echo").replace(b"Length: 0", b"Length: 5"), b"hel")
        serving.until(lambda: serving.seen["calls"] == 2)
        time.sleep(0.05)
        serving.stop()
        assert serving.drained.wait(5)
        time.sleep(0.1)
        page.send(b"lo")
        assert page.response().body == b"hello"
        response = call.response()
        assert (response.body, response.headers[b"connection"]) == (b"600", b"close")
        assert b"".join(iter(stream.chunk, b"")) == b"x" * 200
        for client in (call, stream, page):
            assert client.is_ended()
        serving.join(SOON)
        assert serving.seen["cancelled"] == 0


def test_a_request_that_was_on_its_way_is_still_answered(loop):
    with Serving(loop=loop) as serving:
        idle, fresh, sent_ahead = serving.client(), serving.client(), serving.client()
        idle.send(get("/app/x"))
        assert idle.response().status == 200
        serving.until(lambda: serving.server.connections == 3)
        sent_ahead.send(post("/call/stream?10,5,slow"))
        sent_ahead.head()
        serving.stop()
        assert serving.drained.wait(5)
        for client in (idle, fresh):
            client.send(post("/call/echo", b"late"))
            response = client.response()
            assert (response.body, response.headers[b"connection"]) == (b"late", b"close")
            assert client.is_ended()
        sent_ahead.send(post("/call/echo", b"next"))
        assert b"".join(iter(sent_ahead.chunk, b"")) == b"x" * 50
        response = sent_ahead.response()
        assert (response.body, response.headers[b"connection"]) == (b"next", b"close")
        serving.join(SOON)


def test_who_waits_in_the_listeners_queue_is_served(loop):
    """The server's thread is kept busy while clients connect and it is told to stop; then all are in the queue."""
    with Serving(loop=loop) as serving:
        busy, go_on = threading.Event(), threading.Event()

        def block() -> None:
            busy.set()
            go_on.wait(10)

        serving._loop.call_soon_threadsafe(block)
        assert busy.wait(5)
        serving.stop()
        clients = [serving.client() for _ in range(200)]
        for number, client in enumerate(clients):
            client.send(post("/call/echo", b"%d" % number))
        go_on.set()
        for number, client in enumerate(clients):
            assert client.response().body == b"%d" % number
            assert client.is_ended()
        serving.join(SOON)


def test_who_keeps_connecting_and_calling_is_turned_away_or_served_but_not_dropped(loop):
    with Apart(loop) as serving:
        outcomes: list[str] = []

        def call_until_turned_away() -> None:
            while True:
                try:
                    client = Client(serving.address)
                except ConnectionError:
                    outcomes.append("turned away")
                    return
                try:
                    with client:
                        client.send(post("/call/number?5"))
                        assert client.response().body == b"5"
                except (OSError, AssertionError) as error:
                    outcomes.append(repr(error))
                    return

        callers = [threading.Thread(target=call_until_turned_away) for _ in range(8)]
        for caller in callers:
            caller.start()
        time.sleep(0.3)
        serving.stop()
        for caller in callers:
            caller.join(20)
        serving.join(SOON)
        # Between the last look into the queue and its close one may still slip in, and only the kernel knows of it.
        assert outcomes.count("turned away") >= len(callers) - 1, outcomes


def test_after_the_grace_what_is_left_is_cut_off(form):
    with Serving(grace=0.5, **form) as serving:
        call, stream = serving.client(), serving.client()
        call.send(post("/call/wait"))
        stream.send(post("/call/stream?2,5,hang"))
        serving.until(lambda: serving.seen["waiting"] + serving.seen["hanging"] == 2)
        serving.stop()
        serving.join(SOON)
        assert serving.seen["cancelled"] == 1
        assert serving.seen["opened"] == serving.seen["closed"] == 1


def test_stop_now_waits_for_nobody(form):
    with Serving(grace=60, **form) as serving:
        call, idle = serving.client(), serving.client()
        call.send(post("/call/wait"))
        idle.send(get("/app/x"))
        idle.response()
        serving.until(lambda: serving.seen["waiting"] == 1)
        serving.stop()
        assert serving.drained.wait(5)
        began = time.monotonic()
        serving.stop_now()
        serving.join(SOON)
        assert time.monotonic() - began < 2.0
        assert serving.seen["cancelled"] == 1


def test_stop_now_alone_ends_it_too(loop):
    with Serving(loop=loop, grace=60) as serving:
        serving.stop_now()
        serving.join(SOON)


def test_tls_connections_that_say_nothing_do_not_hold_up_the_end(server_tls, client_tls):
    with Serving(tls=server_tls, grace=20) as serving:
        idle = serving.client(tls=client_tls)
        idle.send(get("/app/x"))
        assert idle.response().status == 200
        serving.stop()
        serving.join(6)


def test_a_tls_handshake_that_had_begun_is_finished_and_served(server_tls, client_tls):
    with Serving(tls=server_tls) as serving:
        raw = socket.create_connection(serving.address, timeout=5)
        time.sleep(0.1)
        serving.stop()
        assert serving.drained.wait(5)
        with client_tls.wrap_socket(raw, server_hostname="localhost") as secure:
            secure.sendall(post("/call/echo", b"late"))
            received = secure.recv(10_000)
            assert received.startswith(b"HTTP/1.1 200 ")
            assert received.endswith(b"late")
        serving.join(SOON)

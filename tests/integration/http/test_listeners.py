"""What the server listens on, and what it hands on."""

import asyncio
import logging
import socket
from typing import Any

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.http.server import HttpServer, Listener
from tests.http_toys import Client, Serving, ToyEntrance, get, post, toy_app


def bound() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("protocol", ["fast", "asgi"])
def test_https(loop, protocol, server_tls, client_tls):
    with Serving(loop=loop, protocol=protocol, tls=server_tls) as serving, serving.client(tls=client_tls) as client:
        for body in (b"hello", b"y" * 90_000):
            client.send(post("/call/echo", body))
            assert client.response().body == body
        assert serving.toy.heads[-1].scheme == "https"
        client.send(post("/call/stream?50,10000,"))
        assert len(client.response().body) == 500_000
        client.send(b"BAD\r\n\r\n")
        assert client.response().status == 400


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("protocol", ["fast", "asgi"])
def test_a_unix_socket(tmp_path, loop, protocol):
    path = tmp_path / "s"
    with Serving(unix=path, loop=loop, protocol=protocol) as serving:
        with serving.client() as client:
            client.send(post("/call/echo", b"hello"), get("/app/x"))
            assert client.response().body == b"hello"
            assert client.response().body == b"/app/x"
            assert serving.toy.heads[0].client == ""
        with Client(str(path)) as client:
            client.send(post("/call/stream?500,10000,"))
            assert len(client.response().body) == 5_000_000


async def test_http_https_and_unix_in_one_process(tmp_path, server_tls, client_tls):
    plain, secure, local = bound(), bound(), socket.socket(socket.AF_UNIX)
    local.bind(str(tmp_path / "s"))
    plain_address, secure_address = plain.getsockname(), secure.getsockname()
    stop = asyncio.Event()
    server = HttpServer(ToyEntrance(), toy_app)
    listeners = [Listener(socket=plain), Listener(socket=secure, tls=server_tls), Listener(socket=local)]
    serving = asyncio.create_task(server.serve(listeners, stop))
    await server.started.wait()

    def ask(address: Any, tls: Any) -> bytes:
        with Client(address, tls=tls) as client:
            client.send(post("/call/echo", b"hello"))
            return client.response().body

    for address, tls in ((plain_address, None), (secure_address, client_tls), (str(tmp_path / "s"), None)):
        assert await asyncio.to_thread(ask, address, tls) == b"hello"
    stop.set()
    await serving


async def test_an_application_that_does_not_start_says_so():
    async def failing(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(Misconfigured), bound() as listening:
        await HttpServer(ToyEntrance(), failing).serve([Listener(socket=listening)], asyncio.Event())


async def test_the_application_starts_before_and_ends_after_serving():
    events: list[str] = []

    async def app(scope, receive, send):
        events.append((await receive())["type"])
        await send({"type": "lifespan.startup.complete"})
        events.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})

    stop = asyncio.Event()
    server = HttpServer(ToyEntrance(), app, on_drain=lambda: events.append("drain"))
    serving = asyncio.create_task(server.serve([Listener(socket=bound())], stop))
    await server.started.wait()
    assert events == ["lifespan.startup"]
    stop.set()
    await serving
    assert events == ["lifespan.startup", "drain", "lifespan.shutdown"]


class ToyWebSocket(asyncio.Protocol):
    """Agrees to anything, then echoes, as uvicorn's WebSocket protocols are made and called."""

    def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
        self.connections = server_state.connections
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)

    def shutdown(self) -> None:
        self.transport.write(b"bye")
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if not self.received:
            self.received = data
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        else:
            self.transport.write(b"echo:" + data)


UPGRADE = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_websocket_is_handed_over(loop):
    with Serving(loop=loop, websocket=ToyWebSocket) as serving:
        with serving.client() as client:
            client.send(get("/app/x"))
            assert client.response().status == 200
            client.send(get("/app/ws?a=b", *UPGRADE))
            assert client.socket.recv(100) == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
            client.send(b"one")
            assert client.socket.recv(100) == b"echo:one"
            (websocket,) = serving.run(lambda: list(serving.server._border.connections))
            assert websocket.received.startswith(b"GET /app/ws?a=b HTTP/1.1\r\nhost: toy\r\n")
            serving.stop()
            assert client.socket.recv(100) == b"bye"
        serving.join()


def test_a_websocket_that_an_entrance_takes_is_an_ordinary_request(fast):
    with fast.client() as client:
        client.send(get("/call/echo", *UPGRADE))
        assert client.response().status == 200
        client.send(get("/app/ws", *UPGRADE))
        assert client.response().body == b"/app/ws"


def test_nothing_of_uvicorn_is_heard(caplog):
    with caplog.at_level(logging.INFO):
        with Serving() as serving, serving.client() as client:
            client.send(get("/app/x"))
            assert client.response().status == 200
            serving.stop()
            serving.join()
        assert not [record for record in caplog.records if record.name != "forehearth.http"]

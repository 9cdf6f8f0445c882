"""A toy entrance and application, the server in a thread, and a client that speaks bytes."""

import asyncio
import contextlib
import hashlib
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
import uvloop

from forehearth.core.errors import BodyTooLarge, BodyTooSlow, Refused, UnsupportedMediaType
from forehearth.core.exchange import Head, OnePiece, Reply, Stream
from forehearth.core.settings import InboundLimits
from forehearth.http.server import HttpServer, Listener
from forehearth.ports.entrance import Undecided

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
MAX_BODY = 100_000
PIECE = b"data: " + b"x" * 994
WHOLE = InboundLimits(header_seconds=30, body_seconds=30, body_bytes=MAX_BODY)
HASTY = InboundLimits(header_seconds=0.5, body_seconds=0.6, idle_seconds=0.7, write_seconds=0.8)


class Pieces:
    """A stream that counts how it ends."""

    def __init__(self, toy: "ToyEntrance", query: bytes) -> None:
        found = re.fullmatch(rb"(\d+),(\d+),([a-z]*)", query)
        assert found is not None
        self._toy = toy
        self._left = int(found[1])
        self._size = int(found[2])
        self._end = found[3]
        toy.seen["opened"] += 1

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            if self._end == b"hang":
                self._toy.seen["hanging"] += 1
                await asyncio.Event().wait()
            if self._end == b"break":
                raise ConnectionError("the backend went away")
            raise StopAsyncIteration
        self._left -= 1
        self._toy.seen["pieces"] += 1
        if self._end == b"slow":
            await asyncio.sleep(0.02)
        return b"x" * self._size

    async def aclose(self) -> None:
        self._toy.seen["closed"] += 1


class Call:
    """The toy's admission."""

    max_body = MAX_BODY
    streamed = None

    def __init__(self, toy: "ToyEntrance", head: Head) -> None:
        self._toy = toy
        self._head = head

    async def answer(self, body: bytes) -> Reply:
        toy, head = self._toy, self._head
        toy.seen["calls"] += 1
        toy.bodies.append(body)
        try:
            return await self._answer(head.raw_path.removeprefix(b"/call/"), body)
        except asyncio.CancelledError:
            toy.seen["cancelled"] += 1
            raise

    async def _answer(self, name: bytes, body: bytes) -> Reply:  # noqa: PLR0911 - a table of answers
        match name:
            case b"echo":
                return Reply(status=200, headers=((b"content-type", b"text/plain"),), body=body)
            case b"number":
                await asyncio.sleep(int(self._head.query) / 1000)
                return Reply(status=200, body=self._head.query)
            case b"stream":
                return Reply(status=200, stream=Pieces(self._toy, self._head.query))
            case b"big":
                return Reply(status=200, body=b"b" * int(self._head.query))
            case b"empty":
                return Reply(status=204)
            case b"wait":
                self._toy.seen["waiting"] += 1
                await asyncio.Event().wait()
                raise AssertionError
            case b"raise":
                raise LookupError("a secret")
            case b"split":
                return Reply(status=200, headers=((b"x-a", b"b\r\nx-evil: 1"),))
            case _:
                return Reply(status=404, body=b"no such toy")

    def again(self) -> "Call | None":
        self._toy.seen["again"] += 1
        if isinstance(self._toy.forgetful, Exception):
            raise self._toy.forgetful
        return None if self._toy.forgetful else Call(self._toy, self._head)

    def refuse(self, error: Refused) -> Reply:
        self._toy.seen["refused"] += 1
        status = {BodyTooLarge: 413, BodyTooSlow: 408, UnsupportedMediaType: 415}.get(type(error), 400)
        return Reply(status=status, body=b"toy: " + error.message.encode())


class Taking(Call):
    """An admission that takes its body as it arrives. `held` closes the gate before the next piece."""

    max_body = 600_000_000

    @property
    def streamed(self) -> Any:
        return self.take

    async def answer(self, body: bytes) -> Reply:
        self._toy.seen["came whole"] += 1
        return await self.take(OnePiece(body))

    async def take(self, body: Stream) -> Reply:
        toy, name = self._toy, self._head.raw_path.removeprefix(b"/up/")
        toy.seen["taking"] += 1
        digest, size = hashlib.sha256(), 0
        try:
            if name == b"early":
                return Reply(status=403, body=b"not you")
            await toy.gate.wait()
            async for piece in body:
                digest.update(piece)
                size += len(piece)
                toy.largest = max(toy.largest, len(piece))
                if name == b"full":
                    return Reply(status=507, body=b"full")
                await toy.gate.wait()
        except Refused as error:
            return self.refuse(error)
        except asyncio.CancelledError:
            toy.seen["upload cancelled"] += 1
            raise
        if name == b"sized":
            return Reply(status=200, stream=Pieces(toy, self._head.query), length=10)
        return Reply(status=200, body=b"%d %b" % (size, digest.hexdigest().encode()))

    def again(self) -> "Taking":
        self._toy.seen["again"] += 1
        return Taking(self._toy, self._head)


class ToyEntrance:
    """Lets in `/call/…`, turns away `/no`, and leaves the rest to the application; `/later/…` it has to think about.

    Bodies of `/up/…` are taken as they arrive, while the `gate` is open.
    """

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.forgetful: bool | Exception = False
        self.heads: list[Head] = []
        self.bodies: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.largest = 0
        """Bytes of the largest piece of a body that was taken as it arrived."""

    def accept(self, head: Head) -> Call | Reply | Undecided | None:
        self.heads.append(head)
        if head.raw_path.startswith(b"/later/"):
            return Undecided(self._think(head))
        if head.raw_path.startswith(b"/call/"):
            return Call(self, head)
        if head.raw_path.startswith(b"/up/"):
            return Taking(self, head)
        if head.raw_path == b"/no":
            return Reply(status=401, headers=((b"www-authenticate", b"Bearer"),), body=b"who are you")
        if head.raw_path == b"/no/stream":
            return Reply(status=402, stream=Pieces(self, b"3,5,"))
        if head.raw_path == b"/trap":
            raise LookupError("a secret")
        return None

    async def _think(self, head: Head) -> Call | Reply:
        self.seen["thinking"] += 1
        try:
            await asyncio.sleep(int(head.query or 20) / 1000)
        except asyncio.CancelledError:
            self.seen["given up"] += 1
            raise
        if head.raw_path == b"/later/trap":
            raise LookupError("a secret")
        if head.raw_path == b"/later/no":
            return Reply(status=401, body=b"who are you")
        path = head.raw_path.replace(b"/later/", b"/call/")
        return Call(self, msgspec.structs.replace(head, raw_path=path, query=b"5"))


async def toy_app(scope: Any, receive: Any, send: Any) -> None:
    """The application behind the entrance."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    more = scope["path"] == "/app/echo"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["path"] == "/app/raise":
        raise LookupError("a secret")
    headers = [(b"content-type", b"text/plain")]
    if scope["path"] == "/app/stream":
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
        await send({"type": "http.response.body"})
        return
    body = body or scope["path"].encode()
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Serving:
    """The server in a thread of its own, with a loop of its own."""

    def __init__(
        self,
        *,
        loop: str = "uvloop",
        limits: InboundLimits = WHOLE,
        protocol: Literal["fast", "asgi"] = "fast",
        tls: ssl.SSLContext | None = None,
        unix: Path | None = None,
        grace: float = 10.0,
        websocket: Any = "none",
        app: Any = toy_app,
    ) -> None:
        self.toy = ToyEntrance()
        self.seen = self.toy.seen
        self.drained = threading.Event()
        self.ended = threading.Event()
        self._ready = threading.Event()
        self._factory = LOOPS[loop]
        if unix is None:
            self._listening = socket.socket()
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listening.bind(("127.0.0.1", 0))
        else:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(str(unix))
        self._listening.listen(1024)
        self.address = self._listening.getsockname()
        self._tls = tls
        self.server = HttpServer(
            self.toy,
            app,
            limits=limits,
            grace_seconds=grace,
            protocol=protocol,
            websocket=websocket,
            on_drain=self.drained.set,
        )
        self._clients: list[Client] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._factory) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            self.error = error
        finally:
            self._ready.set()
            self.ended.set()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(
            self.server.serve([Listener(socket=self._listening, tls=self._tls)], self._stop)
        )
        started = asyncio.ensure_future(self.server.started.wait())
        await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        self._ready.set()
        await serving

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        if self.error is not None:
            raise self.error
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        if not self.ended.is_set():
            self.stop_now()
        self.join()

    def stop(self) -> None:
        """Begin an orderly end."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def stop_now(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.server.stop_now)

    def join(self, seconds: float = 10) -> None:
        self._thread.join(seconds)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def run(self, function: Callable[[], Any]) -> Any:
        """What `function` returns when the server's own thread calls it."""

        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def client(self, **options: Any) -> "Client":
        """A client that is closed with the server at the latest."""
        client = Client(self.address, **options)
        self._clients.append(client)
        return client

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> float:
        """Wait until it is so; return how many seconds that took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, "it did not become so"
            time.sleep(0.002)
        return time.monotonic() - began


class Response:
    """One response as it came over the wire."""

    def __init__(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """Sends bytes, and reads responses one by one."""

    def __init__(
        self, address: Any, *, tls: ssl.SSLContext | None = None, buffer: int | None = None, timeout: float = 10.0
    ) -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        if not isinstance(address, str):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes, pause: float = 0.0) -> None:
        for part in parts:
            self.socket.sendall(part)
            if pause:
                time.sleep(pause)

    def send_until_refused(self, data: bytes) -> None:
        """Send what the server takes; it may have answered and ended before all is sent."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self._held += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        while len(self._held) < size:
            assert self._more(), "the connection ended inside a response"
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _line(self) -> bytes:
        while b"\r\n" not in self._held:
            assert self._more(), "the connection ended inside a response"
        line, _, self._held = self._held.partition(b"\r\n")
        return line

    def head(self) -> tuple[int, dict[bytes, bytes]]:
        """The next status and headers, interim responses passed over."""
        while True:
            version, status, _ = self._line().split(b" ", 2)
            assert version == b"HTTP/1.1"
            headers = {}
            while line := self._line():
                name, _, value = line.partition(b": ")
                assert name == name.lower()
                assert name not in headers
                headers[name] = value
            if int(status) >= 200:
                return int(status), headers

    def chunk(self) -> bytes:
        data = self._take(int(self._line(), 16))
        assert self._take(2) == b"\r\n"
        return data

    def response(self, method: str = "GET") -> Response:
        status, headers = self.head()
        if method == "HEAD" or status in {204, 304}:
            return Response(status, headers, b"")
        if headers.get(b"transfer-encoding") == b"chunked":
            assert b"content-length" not in headers
            body = b"".join(iter(self.chunk, b""))
        elif b"content-length" in headers:
            body = self._take(int(headers[b"content-length"]))
        else:
            body = self.rest()
        return Response(status, headers, body)

    def rest(self) -> bytes:
        """Everything until the end of the stream."""
        while self._more():
            pass
        held, self._held = self._held, b""
        return held

    def is_ended(self) -> bool:
        """Whether the server has ended the connection, with nothing more to read."""
        return not self._held and self.socket.recv(1) == b""


def post(path: str, body: bytes = b"", *extra: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: toy", f"Content-Length: {len(body)}", *extra, "", ""]
    return "\r\n".join(lines).encode() + body


def get(path: str, *extra: str, version: str = "1.1", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: toy", *extra, "", ""]).encode()


def in_chunks(pieces: Sequence[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])

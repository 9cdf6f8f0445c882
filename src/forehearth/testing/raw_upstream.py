r"""A model host that is scripted byte by byte: what a test wants to come over the wire, comes over the wire.

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with RawUpstream(script) as upstream:
        await client.send(Request(origin=upstream.origin(), target=b"/"))

The script runs once for each connection, and the connection is closed when it returns. What it does to the client on
purpose is counted in `fired`, so that a test can show that the fault took place.
"""

import asyncio
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from forehearth.core.upstream import Origin, TlsFiles

_NO_LINGER = struct.pack("ii", 1, 0)


def set_to_reset(writer: asyncio.StreamWriter) -> None:
    """Make the next close of this connection a reset (RST), not an orderly end (FIN)."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


class Peer:
    """The host's end of one connection."""

    def __init__(
        self, upstream: "RawUpstream", number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        """Which connection this is, from 0."""
        self._upstream = upstream
        self._reader = reader
        self._writer = writer

    def fire(self, fault: str) -> None:
        """Count that a fault took place."""
        self._upstream.fired[fault] += 1
        self._upstream.changed()

    async def request(self) -> bytes:
        """One request with its body, as it came; empty when the client has closed."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        try:
            request = head + await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self._upstream.requests.append(request)
        self._upstream.changed()
        return request

    async def receive(self, size: int) -> bytes:
        """Up to `size` bytes as they come; empty at the end."""
        try:
            return await self._reader.read(size)
        except ConnectionError:
            return b""

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Write the pieces, each on its own, `pause` seconds apart. Stops quietly when the client has closed."""
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(pause)
            if self._writer.transport.is_closing():
                return
            self._writer.write(piece)
            try:
                await self._writer.drain()
            except ConnectionError:
                return

    async def hang(self) -> None:
        """Send nothing until the client closes."""
        self.fire("hang")
        await self.closed()

    async def closed(self) -> None:
        """Wait until the client closes, dropping what it sends."""
        while await self.receive(65_536):
            pass

    def half_close(self) -> None:
        """End our side, and go on reading."""
        self.fire("half_close")
        if not self._writer.transport.is_closing():
            self._writer.write_eof()

    def reset(self) -> None:
        """Close with RST."""
        self.fire("reset")
        set_to_reset(self._writer)
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class RawUpstream:
    """Listens on a loopback port of its own (or on a Unix socket) and runs `script` for each connection."""

    def __init__(
        self, script: Script, *, tls: ssl.SSLContext | None = None, path: str | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._script = script
        self._tls = tls
        self._path = path
        self._host = host
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None
        self.port = 0
        self.connections = 0
        """Connections accepted so far."""
        self.requests: list[bytes] = []
        """Requests read so far, by all connections."""
        self.fired: Counter[str] = Counter()
        """How often each fault took place."""
        self._changed = asyncio.Event()

    @property
    def open(self) -> int:
        """Connections whose script is still running."""
        return len(self._running)

    def origin(self, *, host: str | None = None, tls: TlsFiles | None = None, proxy: str | None = None) -> Origin:
        """How a client reaches it."""
        return Origin(
            scheme="https" if self._tls else "http",
            host=host or self._host,
            port=self.port,
            socket=self._path,
            tls=tls or TlsFiles(),
            proxy=proxy,
        )

    async def until(self, condition: Callable[[], bool], within: float = 5.0) -> None:
        """Wait until `condition` holds; it is looked at when a connection or a request comes, ends or is harmed.

        Raises `TimeoutError` when it does not hold `within` so many seconds.
        """
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def changed(self) -> None:
        """Have `until` look again."""
        self._changed.set()

    async def __aenter__(self) -> Self:
        if self._path is not None:
            self._server = await asyncio.start_unix_server(self._accept, self._path, ssl=self._tls)
        else:
            self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._tls)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if self._failure is not None and kind is None:
            raise self._failure

    async def stop(self) -> None:
        """Stop listening, end all scripts and close all connections."""
        if self._server is not None:
            self._server.close()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(self, self.connections, reader, writer)
        self.connections += 1
        task = asyncio.ensure_future(self._run(peer))
        self._running.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            if not writer.transport.is_closing():
                writer.close()
            self.changed()

        task.add_done_callback(ended)
        self.changed()

    async def _run(self, peer: Peer) -> None:
        try:
            await self._script(peer)
        except ConnectionError:
            pass  # the client left while the script spoke
        except Exception as error:  # noqa: BLE001 - a mistake in the script is the test's to show
            self._failure = error

"""The server's end of one HTTP/1.1 connection of a fake host: reads requests, writes what its host replies.

Only what well-behaved clients need. It is strict about framing, so that a client that gets it wrong is noticed.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Protocol

import msgspec

from forehearth.core.errors import Failed
from forehearth.core.exchange import Header, Reply

_LONGEST_HEAD = 1 << 20
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = frozenset({204, 304})


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it arrived; the names of its headers in lower case, its body without transfer coding."""

    method: bytes
    target: bytes
    headers: tuple[Header, ...]
    body: bytes
    connection: int
    """Which connection it came by: its place in the host's `connections`."""

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of that name (in lower case); None where there is none."""
        return next((value for key, value in self.headers if key == name), None)


class Connection(msgspec.Struct, kw_only=True):
    """The record of a connection. Times are the clock's monotonic seconds."""

    number: int
    opened: float
    closed: float | None = None
    requests: int = 0
    written: int = 0
    """Bytes of answers, whether the client has read them or not."""
    malformed: bytes | None = None
    """What it sent that is no request; it was answered 400 and the connection closed."""
    error: Exception | None = None
    """What went wrong while its host made up an answer."""


class Host(Protocol):
    """Whom a connection serves."""

    def opened(self, serving: "HttpConnection") -> Connection:
        """A connection was made. Returns its record."""
        ...

    def closed(self, serving: "HttpConnection") -> None:
        """It ended, whoever ended it."""
        ...

    def reply(self, seen: Seen) -> Awaitable[Reply]:
        """Answer a request. Raises `Failed` to reset the connection instead, also from within a stream."""
        ...


class _Malformed(Exception):
    pass


class HttpConnection(asyncio.Protocol):
    """One connection, and the task that serves it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._reader = asyncio.StreamReader(limit=_LONGEST_HEAD)
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's transport is one
        self._transport = transport
        self.record = self._host.opened(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        """Keep what came for whoever reads."""
        self._reader.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own parameter
        """Stop serving."""
        self._task.cancel()
        self._host.closed(self)

    def pause_writing(self) -> None:
        """Hold back, for the client does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on, for it reads again."""
        self._writable.set()

    def drop(self) -> asyncio.Task[None]:
        """Reset the connection. The task that is returned ends soon."""
        self._reset()
        self._task.cancel()
        return self._task

    async def _serve(self) -> None:
        try:
            while await self._exchange():
                pass
            self._transport.close()
        except Failed:
            self._reset()
        except Exception as error:  # noqa: BLE001 - the border of a background task; the host's owner raises it
            self.record.error = error
            self._reset()

    async def _exchange(self) -> bool:
        """Serve one request. Returns whether the connection can go on."""
        head = b""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            seen = await self._read(head)
        except (_Malformed, ValueError, asyncio.LimitOverrunError):
            self.record.malformed = head
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            return False
        self.record.requests += 1
        return await self._write(seen, await self._host.reply(seen))

    def _reset(self) -> None:
        if self._transport.is_closing():
            return
        # Without this a socket that has nothing unread says an orderly goodbye instead.
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    async def _read(self, head: bytes) -> Seen:
        request_line, *lines = head[:-4].split(b"\r\n")
        method, target, version = request_line.split(b" ")
        fields = [line.partition(b":") for line in lines]
        headers = tuple((name.lower(), value.strip()) for name, _, value in fields)
        if version != b"HTTP/1.1" or not all(colon and name == name.strip() for name, colon, _ in fields):
            raise _Malformed
        names = [name for name, _ in headers]
        framing = [(name, value) for name, value in headers if name in (b"content-length", b"transfer-encoding")]
        if names.count(b"host") != 1 or len(framing) > 1:
            raise _Malformed
        body = await self._body(*framing[0]) if framing else b""
        return Seen(method=method, target=target, headers=headers, body=body, connection=self.record.number)

    async def _body(self, name: bytes, value: bytes) -> bytes:
        if name == b"content-length":
            if not value.isdigit():
                raise _Malformed
            return await self._reader.readexactly(int(value))
        if value != b"chunked":
            raise _Malformed
        chunks: list[bytes] = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            chunks.append(await self._reader.readexactly(size))
            if await self._reader.readexactly(2) != b"\r\n":
                raise _Malformed
        if await self._reader.readexactly(2) != b"\r\n":
            raise _Malformed
        return b"".join(chunks)

    async def _write(self, seen: Seen, reply: Reply) -> bool:
        """Send the reply. Returns whether the connection can go on."""
        headers = list(reply.headers)
        if reply.stream is not None:
            headers.append((b"transfer-encoding", b"chunked"))
        elif reply.status not in _BODILESS:
            headers.append((b"content-length", b"%d" % len(reply.body)))
        phrase = _PHRASES.get(reply.status, "Unknown").encode()
        lines = [b"HTTP/1.1 %d %s" % (reply.status, phrase), *(b"%s: %s" % header for header in headers)]
        head = b"\r\n".join([*lines, b"", b""])
        if reply.stream is None:
            await self._send(head + reply.body)
        else:
            try:
                await self._send(head)
                async for piece in reply.stream:
                    if piece:
                        await self._send(b"%x\r\n%s\r\n" % (len(piece), piece))
            finally:
                await reply.stream.aclose()
            await self._send(b"0\r\n\r\n")
        return (b"connection", b"close") not in headers and seen.header(b"connection") != b"close"

    async def _send(self, data: bytes) -> None:
        self._transport.write(data)
        self.record.written += len(data)
        await self._writable.wait()

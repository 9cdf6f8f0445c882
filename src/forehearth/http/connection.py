"""The life of one inbound connection: how replies are written to it, how long it may wait, how it ends.

A client that leaves while it waits ends its call. To TCP, leaving looks like having sent all one will (a half-close):
both are an end of stream, and only a write tells them apart, because one who left answers it with a reset. So after
an end of stream a few bytes without a meaning are written: `100 Continue` before a response, the leading zero of the
next chunk's size inside a chunked one. TLS has no half-close here: its end of stream is a departure.

To close with input unread resets the connection, and a reset can overtake the answer. So after a refusal our side is
ended, and what still comes is read and dropped for a while (LINGER).

Timers: a connection has one `deadline`, for what it waits for, and `Border` looks at all of them four times a second.
"""

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from forehearth.core.exchange import Reply, Stream
from forehearth.core.tap import pour
from forehearth.http.asgi_cycle import Cycle
from forehearth.http.border import Border
from forehearth.http.faults import UNAVAILABLE, explain, internal_error
from forehearth.http.head import Peer
from forehearth.http.log import LOG, report
from forehearth.http.replies import CONTINUE, LAST_CHUNK, has_body, opening, whole

HEAD: Final = 0
"""Waiting for a head, or for the rest of it."""
BODY: Final = 1
"""Reading a body."""
ANSWER: Final = 2
"""The request is here, its answer is being made or written."""
LINGER: Final = 3
"""All is said; what still comes is dropped."""
GONE: Final = 4
"""Closed, closing, or another protocol's."""

LINGER_SECONDS = 5.0
LINGER_BYTES = 64 * 1024 * 1024
IDLE_WHILE_DRAINING = 1.0
"""Seconds in which a request that is on its way when the server begins to stop is still answered."""
PROBE_SECONDS = 0.02
"""How long a client's reset may take at first; the sweep asks again."""


_Body = TypeVar("_Body", bytes, Stream)


class Connection(HttpToolsProtocol):
    """What the connection does besides reading requests, which is `protocol.InboundProtocol`'s part."""

    server_state: Border
    cycle: Cycle | None  # type: ignore[assignment] # uvicorn says it is there before it is

    def __init__(
        self,
        config: Config,
        server_state: Border,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = LOG
        self.border = server_state
        self.limits = server_state.limits
        self.entrance = server_state.entrance
        self.peer = Peer()
        self.phase = HEAD
        self.deadline = math.inf
        self.served = False
        """Whether a request was taken from this connection before."""
        self.tail = b""
        """What has come and is not yet read: the rest of a head, or requests sent ahead."""
        self.ended = False
        """Whether the client's end of stream has come."""
        self.unread = False
        """Whether input of the current request is still to come that nobody will read."""
        self.task: asyncio.Task[None] | None = None
        self.keep = True
        """Whether the connection goes on after the current answer."""
        self.minor = 1
        self.head_only = False
        self.started = False
        """Whether the current answer has begun."""
        self.in_chunks = False
        self._unsent = 0
        self._unsent_since = 0.0
        self._dropped = 0

    def advance(self) -> None:
        """Take up what has come in `tail`."""
        raise NotImplementedError

    def too_slow(self) -> None:
        """The head or the body did not come in time."""
        raise NotImplementedError

    # ---- beginning and end

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it too
        """See asyncio."""
        super().connection_made(transport)
        secure = self.scheme == "https"
        self.peer = Peer(scheme="https" if secure else "http", client=self.client[0] if self.client else "")
        room = self.border.join(self, self.peer.client)
        self.deadline = self.loop.time() + self.limits.header_seconds
        if self.border.draining:
            self.deadline = self.loop.time() + IDLE_WHILE_DRAINING
        if room:
            return
        LOG.warning("connection refused: too many are open")
        if self.border.overflows:
            self.drop()
        else:
            self.refuse(explain(UNAVAILABLE, "too_many_connections", "Too many connections are open. Try again later."))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio. Whatever was being done for the client ends."""
        self.phase = GONE
        self.border.leave(self, self.peer.client)
        super().connection_lost(exc)
        if self.task is not None:
            self.task.cancel()

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn says None; True keeps our side open
        """See asyncio. True keeps our side open."""
        self.ended = True
        if self.phase == BODY:
            self.cut_short()
            return self.phase == ANSWER and self.peer.scheme != "https"
        if self.phase != ANSWER or self.peer.scheme == "https":
            return False
        self._probe()
        return True

    def cut_short(self) -> None:
        """The client ended its stream inside a body."""
        raise NotImplementedError

    def drain(self) -> None:
        """The server is about to stop: finish what there is."""
        if self.phase == HEAD and not self.tail:
            self.deadline = min(self.deadline, self.loop.time() + IDLE_WHILE_DRAINING)
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """As `drain`, by the name that uvicorn has for it."""
        self.drain()

    def drop(self) -> None:
        """Cut the connection off."""
        self.transport.abort()

    def tick(self, now: float) -> None:
        """Look at the timers."""
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            if not self._unsent or unsent < self._unsent:
                self._unsent_since = now
            elif now - self._unsent_since > self.limits.write_seconds:
                self.drop()
                return
        self._unsent = unsent
        if now >= self.deadline:
            self._overdue()
        elif self.ended and self.phase == ANSWER:
            self._check_departure()

    def _overdue(self) -> None:
        self.deadline = math.inf
        if self.phase == BODY or (self.phase == HEAD and self.tail):
            self.too_slow()
        elif self.phase == HEAD:
            self.hang_up()
        elif self.phase == GONE and self._unsent:
            self.deadline = self.loop.time() + LINGER_SECONDS  # it is being read, if slowly
        else:
            self.drop()

    # ---- an end of stream: has the client left?

    def _probe(self) -> None:
        cycle = self.cycle
        started = self.started if cycle is None else cycle.response_started
        in_chunks = self.in_chunks if cycle is None else bool(cycle.chunked_encoding)
        if not started and self.minor:
            self.transport.write(CONTINUE)
        elif started and in_chunks:
            self.transport.write(b"0")
        self.loop.call_later(PROBE_SECONDS, self._check_departure)

    def _check_departure(self) -> None:
        ours: socket.socket | None = self.transport.get_extra_info("socket")
        if self.phase == ANSWER and ours is not None and ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.drop()

    # ---- answers

    async def call(self, answer: Callable[[_Body], Awaitable[Reply]], body: _Body) -> None:
        """Answer one admitted request. Runs as the task that the client's departure cancels."""
        try:
            reply = await answer(body)
            if reply.stream is None:
                self.send(reply)
            else:
                await self.stream(reply, reply.stream)
        except asyncio.CancelledError:
            self.drop()
            raise
        except Exception as error:  # noqa: BLE001 - a border: the connection must not hang on somebody's mistake
            report(error, "a call was not answered as it should")
            self.fail()
        self.task = None
        self.answered()
        if self.phase == HEAD:
            self.advance()

    def send(self, reply: Reply) -> None:
        """Write a whole reply."""
        self.keep = self.keep and not self.border.draining
        self.transport.write(whole(reply, self.border.date, close=not self.keep, head_only=self.head_only))
        self.started = True

    async def stream(self, reply: Reply, pieces: Stream) -> None:
        """Write a reply piece by piece, no faster than the client reads."""
        try:
            empty = self.head_only or not has_body(reply.status)
            sized = reply.length is not None
            self.in_chunks = self.minor == 1 and has_body(reply.status) and not sized
            self.keep = self.keep and not self.border.draining and (self.in_chunks or empty or sized)
            write = self.transport.write
            write(opening(reply, self.border.date, close=not self.keep, chunked=self.in_chunks))
            self.started = True
            if empty:
                return
            if reply.length is not None:
                await self._write_sized(pieces, reply.length)
                return
            poured = pour(pieces, self._write_piece, self._write_end)
            if poured is not None:
                await poured
                await self.flow.drain()
            async for piece in pieces:
                if piece and not self._write_piece(piece):
                    await self.flow.drain()
            self._write_end()
        finally:
            await pieces.aclose()

    async def _write_sized(self, pieces: Stream, length: int) -> None:
        """Write a stream of which it was said how long it is. Raises `ValueError` where it is not, and breaks off."""
        left = length
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                break
            if not self._write_piece(piece):
                await self.flow.drain()
        if left:
            raise ValueError("a stream was not as long as was said")

    def _write_piece(self, piece: bytes) -> bool:
        """Write a piece of a stream, which is not empty; whether the client reads fast enough for more."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self.in_chunks else piece)
        return not self.flow.write_paused

    def _write_end(self) -> None:
        """Write what ends a stream in chunks, once."""
        if self.in_chunks:
            self.in_chunks = False
            self.transport.write(LAST_CHUNK)

    def fail(self) -> None:
        """Answer for a mistake of ours; an answer that has begun is cut short, so that it does not seem whole."""
        self.keep = False
        if not self.started:
            self.send(internal_error())

    def refuse(self, reply: Reply) -> None:
        """Write the last answer of this connection, whatever the client is still sending."""
        self.keep = False
        self.unread = True
        try:
            self.send(reply)
        except ValueError as error:
            report(error, "a refusal could not be written")
        self.answered()

    def answered(self) -> None:
        """The current answer is written: wait for the next head, or end."""
        if self.phase == GONE:
            return
        if not self.keep:
            self.hang_up()
            return
        self.cycle = None
        self.phase = HEAD
        self.started = self.in_chunks = False
        self.deadline = self.loop.time() + (IDLE_WHILE_DRAINING if self.border.draining else self.limits.idle_seconds)
        self.flow.resume_reading()

    def hang_up(self) -> None:
        """End the connection so that the client gets all that was written."""
        if self.phase in {LINGER, GONE}:
            return
        if self.ended or not (self.unread or self.tail or self.phase == BODY):
            self.phase = GONE
            self.deadline = self.loop.time() + (IDLE_WHILE_DRAINING if self.border.draining else LINGER_SECONDS)
            self.transport.close()
            return
        self.phase = LINGER
        self.tail = b""
        self.deadline = self.loop.time() + LINGER_SECONDS
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def drop_input(self, size: int) -> None:
        """Input while lingering."""
        self._dropped += size
        if self._dropped > LINGER_BYTES:
            self.drop()

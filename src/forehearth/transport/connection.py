"""One connection to a model host: a request's bytes go out, a response is parsed as it comes in.

The parser is llhttp, which refuses what is ambiguous in framing: two lengths, a length beside chunks, bad chunk sizes.
Added here: bounds on head, fields, interim responses and body; refusal of content and transfer codings nobody asked
for (`accept-encoding: identity` is sent, so decoding, with its bombs, is not needed); and the end of a body that runs
until the connection closes, which is an end only when the close was orderly.

A connection belongs to one call at a time. When its response is complete it goes back to its owner within the same
callback, and whoever sent the call has no hold on it any more: `answer` futures and streams are what callers keep.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

import httptools

from forehearth.core.errors import Broken, Failed
from forehearth.core.upstream import Request, Response
from forehearth.transport import failures
from forehearth.transport.limits import ClientLimits
from forehearth.transport.response_head import is_event_stream, objection
from forehearth.transport.sending import Sending
from forehearth.transport.stream import BodyStream

_log = logging.getLogger("forehearth.transport")

_SWITCHING = 101
_FINAL = 200
"""Statuses below are interim."""
_SUCCESS_BELOW = 300
_NO_BODY: Final = frozenset({204, 304})
_STALE_WITHIN = 1.0
"""Seconds within which a close without an answer is taken for a close that crossed the request on its way. Later, the
host may have been at work on it."""
_JOIN_UP_TO = 65_536
"""Bodies up to this are sent in one write with their head; larger ones are not copied for it."""
_PIECES_KEPT = 512
"""Pieces of a body that are kept apart: a host may send it byte by byte, and an object each weighs 50 times more."""


class Owner(Protocol):
    """Who keeps connections between calls."""

    def released(self, connection: "Connection") -> None:
        """A response is complete and the connection can carry another request."""
        ...

    def lost(self, connection: "Connection") -> None:
        """The connection is closed."""
        ...


class _Rejected(Exception):
    """Stops the parser at something that is well-formed but not accepted."""


class Connection(asyncio.Protocol):
    """The protocol of one connection. `owner` hears when it is free and when it is gone; `label` is for logs."""

    __slots__ = (
        "_answer",
        "_bound",
        "_complete",
        "_first_byte_by",
        "_head_done",
        "_headers",
        "_heard",
        "_held",
        "_interim",
        "_keep",
        "_label",
        "_limits",
        "_monotonic",
        "_most",
        "_no_body",
        "_overhead",
        "_owner",
        "_parser",
        "_pieces",
        "_reason",
        "_sending",
        "_sent",
        "_size",
        "_status",
        "_stream",
        "_streams",
        "_timeouts",
        "_total_by",
        "_transport",
        "_until_close",
        "born",
        "busy",
        "closed",
        "free_since",
        "reused",
    )

    def __init__(self, owner: Owner, limits: ClientLimits, monotonic: Callable[[], float], label: str) -> None:
        self._owner = owner
        self._label = label
        self._limits = limits
        self._monotonic = monotonic
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._answer: asyncio.Future[Response] | None = None
        self._stream: BodyStream | None = None
        self._sending: Sending | None = None
        """The body of the request, where it is read while it is sent."""
        self.born = self.free_since = monotonic()
        self.busy = False
        """A request is out whose response is not complete."""
        self.closed = False
        self.reused = False
        """It has carried another request before."""
        self._complete = False
        self._reason = ""

    # What the client does.

    def start(
        self, head: bytes, request: Request, began: float, loop: asyncio.AbstractEventLoop
    ) -> asyncio.Future[Response]:
        """Send, and return the future response. `began` is when the call began, for its total time."""
        now = self._monotonic()
        timeouts = request.timeouts
        self._answer = answer = loop.create_future()
        self.busy = True
        self._timeouts = timeouts
        self._sent = self._heard = now
        self._first_byte_by = now + timeouts.first_byte
        self._total_by = began + timeouts.total
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes | bytearray] = []
        self._most = request.most_bytes
        self._bound = self._limits.body_bytes if self._most is None else self._most
        self._size = self._overhead = self._interim = 0
        self._head_done = self._complete = self._held = self._until_close = False
        self._no_body = request.method == b"HEAD"
        self._streams = request.streams
        self._sending = None if request.source is None else Sending(self, request.source, loop)
        body = request.body
        if len(body) <= _JOIN_UP_TO:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        return answer

    def abandon(self, answer: asyncio.Future[Response]) -> None:
        """The call behind `answer` was cancelled: close, unless the connection has already moved on from it."""
        if self._answer is answer:
            self.abort()
        elif not answer.cancelled() and answer.exception() is None:
            stream = answer.result().stream
            if isinstance(stream, BodyStream):
                stream.close()

    # What the owner does.

    def check(self, now: float) -> bool:
        """Fail a call that is over one of its times; True if it was."""
        phase, due = failures.TOTAL, self._total_by
        if not self._head_done and self._first_byte_by < due:
            phase, due = failures.FIRST_BYTE, self._first_byte_by
        elif self._head_done and not self._held and self._heard + self._timeouts.idle < due:
            phase, due = failures.IDLE, self._heard + self._timeouts.idle
        if now < due:
            return False
        _log.info("%s: over its time for %s", self._label, phase)
        self.fail(failures.timed_out(phase, self._timeouts))
        return True

    def fail(self, error: Failed) -> None:
        """End the call with `error` and close."""
        self._deliver(error)
        self.abort()

    def abort(self) -> None:
        """Close at once; no stream and no future is told."""
        self.closed = True
        self._stop_sending()
        self.busy = False
        self._answer = self._stream = None
        self._transport.abort()

    # What the sending of a body does.

    def write(self, piece: bytes) -> None:
        """Send a piece of it. The host's time for its first byte begins when it has all of it."""
        self._first_byte_by = self._monotonic() + self._timeouts.first_byte
        self._transport.write(piece)

    def unreadable(self, error: BaseException) -> None:
        """The call cannot be sent to its end."""
        self._deliver(error)
        self.abort()

    # What the stream does.

    def hold(self) -> None:
        """Stop reading: the reader is behind."""
        self._held = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on; the time it was held does not count as idle."""
        self._held = False
        self._heard = self._monotonic()
        self._transport.resume_reading()

    # What the event loop does.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; when that completes the response, deliver it."""
        if not self.busy:
            if not self.closed:
                _log.debug("%s: bytes that nobody asked for; closing", self._label)
                self.abort()
            return
        self._heard = self._monotonic()
        self._overhead += len(data)
        broken: Exception | None = None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # What follows a complete response spoils the connection, not the response.
            self._keep = False
            broken = error
        if self._stream is not None and self._pieces:
            self._stream.feed(b"".join(self._pieces))
            self._pieces = []
        if self._complete:
            self._finish()
        elif broken is not None:
            _log.info("%s: unusable answer: %s", self._label, self._reason or broken)
            self.fail(failures.not_an_answer(self._reason or "it is not well-formed HTTP/1.1"))
        elif self._overhead > self._limits.head_bytes:
            self.fail(failures.not_an_answer("its head is too large"))

    def pause_writing(self) -> None:
        """The host reads more slowly than a body is sent."""
        if self._sending is not None:
            self._sending.hold()

    def resume_writing(self) -> None:
        """It caught up."""
        if self._sending is not None:
            self._sending.go_on()

    def eof_received(self) -> None:
        """Nothing more will come: the transport closes, and `connection_lost` judges."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Deliver what the close means for the call, and tell the owner."""
        self.closed = True
        self._stop_sending()
        if self.busy:
            if self._head_done and self._until_close and exc is None:
                self._keep = False
                self._finish()
            else:
                _log.debug("%s: closed before its answer was complete: %r", self._label, exc)
                self._deliver(self._meaning_of(exc))
                self.busy = False
                self._answer = self._stream = None
        self._parser = None
        self._owner.lost(self)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A second response to one request spoils the connection."""
        if self._complete:
            raise _Rejected

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field; trailers are dropped."""
        if self._head_done:
            return
        name = name.lower()
        headers = self._headers
        value = value.rstrip(b" \t")
        headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        """Judge the head: interim, acceptable, a stream or not."""
        status = self._parser.get_status_code()
        if status < _FINAL:
            self._skip(status)
            return
        self._status = status
        self._head_done = True
        headers = self._headers
        reason = objection(headers, self._overhead, self._limits)
        if reason:
            self._reject(reason)
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            self._until_close = status not in _NO_BODY
        if self._no_body:
            self._complete = True
            self._keep = False
            raise _Rejected
        if status < _SUCCESS_BELOW and (self._streams or is_event_stream(headers.get(b"content-type", b""))):
            self._open_stream()
        elif b"content-length" in headers and int(headers[b"content-length"]) > self._bound:
            self._reject("its body is too large")

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._overhead = 0
        self._size += len(piece)
        if self._size > self._bound:
            self._reject("its body is too large")
        pieces = self._pieces
        pieces.append(piece)
        if len(pieces) > _PIECES_KEPT:
            bulk = pieces[0] if isinstance(pieces[0], bytearray) else bytearray(pieces[0])
            bulk += b"".join(pieces[1:])
            self._pieces = [bulk]

    def on_message_complete(self) -> None:
        """Note the end. Whether the connection may be kept can only be asked here: afterwards the flags are gone."""
        if self._head_done:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    # Within.

    def _skip(self, status: int) -> None:
        self._interim += 1
        if status == _SWITCHING:
            self._reject("it switches to another protocol")
        if self._interim > self._limits.interim_responses:
            self._reject("it has too many interim responses")
        if b"transfer-encoding" in self._headers or self._headers.get(b"content-length", b"0") != b"0":
            self._reject("an interim response has a body")
        self._headers = {}

    def _reject(self, reason: str) -> None:
        self._reason = reason
        raise _Rejected

    def _open_stream(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            self._reject("nobody waits for it")
            return
        self._bound = sys.maxsize if self._most is None else self._most
        self._stream = stream = BodyStream(self, self._limits.stream_bytes, answer.get_loop())
        answer.set_result(Response(status=self._status, headers=self._headers, stream=stream))

    def _finish(self) -> None:
        """Deliver a complete response, and give the connection back or close it."""
        answer, stream = self._answer, self._stream
        self._answer = self._stream = None
        self.busy = False
        if stream is not None:
            stream.end()
            if self._held and not self.closed:
                self._transport.resume_reading()
        elif answer is not None and not answer.done():
            body = b"".join(self._pieces)
            answer.set_result(Response(status=self._status, headers=self._headers, body=body))
        self._pieces = []
        # A host that answered before it read the whole request would take the rest of it for the next one.
        sent = self._sending is None or self._sending.over
        if self._keep and sent and not self._transport.get_write_buffer_size():
            self._owner.released(self)
        else:
            self.abort()

    def _stop_sending(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.stop()

    def _deliver(self, error: BaseException) -> None:
        if self._stream is not None:
            self._stream.fail(cast("Failed", error))
        elif self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _meaning_of(self, exc: Exception | None) -> Exception:
        """What it means that the peer closed before the response was complete."""
        untouched = not self._head_done and not self._overhead
        by_peer = exc is None or isinstance(exc, ConnectionError)
        if untouched and self.reused and by_peer and self._monotonic() < self._sent + _STALE_WITHIN:
            return failures.StaleConnection()
        if untouched:
            return Broken("The backend closed the connection without an answer.")
        return failures.cut_short()

"""Reading bodies: those that are collected, those that are answered while they arrive, and the application's.

An answer that comes before the end of the body that it is read from is the connection's last.
"""

import math

from forehearth.core.errors import BodyTooLarge, BodyTooSlow, MalformedBody, Refused
from forehearth.http.chunks import MOST_CHUNKS, ChunkedBody
from forehearth.http.connection import ANSWER, BODY, Connection
from forehearth.http.faults import BAD_REQUEST, BODY_TOO_LARGE, REQUEST_TIMEOUT, Malformed, explain, internal_error
from forehearth.http.head import CHUNKED, Request
from forehearth.http.incoming import SLOWEST, SMALLEST_CHUNK, Incoming, Pace
from forehearth.http.log import report
from forehearth.ports.entrance import Admission, Streamed

_STATUS = {BodyTooLarge: BODY_TOO_LARGE, BodyTooSlow: REQUEST_TIMEOUT}


class BodyReading(Connection):
    """The connection while a body arrives; heads are `protocol.InboundProtocol`'s part."""

    request: Request
    admission: Admission | None = None
    """Whose body is being collected; None when it is the application's, or answered while it arrives."""
    _incoming: Incoming | None = None
    """The body that is answered while it arrives; None for all others."""
    _pace: Pace
    _chunks: ChunkedBody | None = None
    _missing = 0
    """Bytes of a body with a length that are still to come."""
    _taken = 0
    """Bytes of the current body so far."""
    _most = 0
    """Bytes of body that are accepted."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type] # handed on as they are
        self._body = bytearray()

    def start(self, admission: Admission, body: bytes) -> None:
        """Answer a request that is here whole."""
        self.admission = None
        self.phase = ANSWER
        self.deadline = math.inf
        self.task = self.loop.create_task(self.call(admission.answer, body))

    def give_over(self) -> None:
        """The application has the whole request."""
        self.phase = ANSWER
        self.deadline = math.inf
        if self.cycle is not None:
            self.cycle.complete(keep_alive=self.keep and not self.border.draining)

    def begin_body(self, length: int, most: int) -> None:
        """Read a body of that length, which may be `CHUNKED`; of more than `most` bytes it is refused."""
        self._chunks = self._new_chunks(most) if length == CHUNKED else None
        self._missing = length
        self._most = most
        self._taken = 0
        self.phase = BODY
        self.deadline = self.loop.time() + self.limits.body_seconds
        if self.tail:
            here, self.tail = self.tail, b""
            self._read_body(here)

    def _new_chunks(self, most: int) -> ChunkedBody:
        return ChunkedBody() if self._incoming is None else ChunkedBody(MOST_CHUNKS + most // SMALLEST_CHUNK)

    def begin_stream(self, streamed: Streamed) -> None:
        """Answer while the body arrives. Until it is whole, the connection would end with the answer."""
        self.admission = None
        self._pace = Pace()
        self._incoming = Incoming(self._hold, self._go_on)
        self.keep = False
        self.unread = True
        self.task = self.loop.create_task(self.call(streamed, self._incoming))

    def _hold(self) -> None:
        """Whoever reads the body is behind: the client has to wait, and is not to blame."""
        self.flow.pause_reading()
        self.deadline = math.inf

    def _go_on(self) -> None:
        if self.phase == BODY:
            self._pace.restart(self._taken)
            self.deadline = self.loop.time() + self.limits.body_seconds
            self.flow.resume_reading()

    def _read_body(self, data: bytes) -> None:
        if self._chunks is None:
            piece = data[: self._missing]
            self._missing -= len(piece)
            is_whole, rest = not self._missing, data[len(piece) :]
        else:
            try:
                piece = self._chunks.feed(data)
            except Malformed as fault:
                self.refuse_body(MalformedBody(fault.message))
                return
            is_whole, rest = self._chunks.done, self._chunks.rest
        self._taken += len(piece)
        if self._taken > self._most:
            self.refuse_body(too_large(self._most))
            return
        if self.admission is not None:
            self._body += piece
        elif piece and self._incoming is not None:
            self._incoming.feed(piece)
        elif piece and self.cycle is not None:
            self.cycle.feed(piece)
        if is_whole:
            self.tail = rest
            self._body_is_whole()

    def _body_is_whole(self) -> None:
        if self._incoming is not None:
            self._stream_is_whole(self._incoming)
            return
        if self.admission is None:
            self.give_over()
            return
        body = bytes(self._body)
        self._body = bytearray()
        self.start(self.admission, body)

    def _stream_is_whole(self, incoming: Incoming) -> None:
        self._incoming = None
        self.phase = ANSWER
        self.deadline = math.inf
        self.unread = False
        self.keep = self.request.persistent and not self.started
        self.flow.resume_reading()
        incoming.end()

    def _break_off(self, incoming: Incoming, error: Refused) -> None:
        """Tell whoever reads the body that it does not come whole; what they answer is the connection's last."""
        self._incoming = None
        self.phase = ANSWER
        self.deadline = math.inf
        incoming.fail(error)

    def cut_short(self) -> None:
        """The client ended its stream inside a body."""
        self.refuse_body(MalformedBody("The body ended before it was complete."))

    def too_slow(self) -> None:
        """The head or the body did not come in time."""
        seconds = self.limits.body_seconds
        if self.phase == BODY and self._incoming is not None and self._pace.keeps_up(self._taken):
            self.deadline = self.loop.time() + seconds
        elif self.phase == BODY:
            self.refuse_body(too_late(seconds, streamed=self._incoming is not None))
        else:
            seconds = self.limits.header_seconds
            text = f"The request's head did not arrive within {seconds:g} seconds."
            self.refuse(explain(REQUEST_TIMEOUT, "request_timeout", text))

    def refuse_body(self, error: Refused) -> None:
        """Refuse what is wrong with a body's transfer: in the words of its surface, where it has one."""
        if self._incoming is not None:
            self._break_off(self._incoming, error)
            return
        admission, self.admission = self.admission, None
        self._body = bytearray()
        if admission is not None:
            try:
                reply = admission.refuse(error)
            except Exception as failure:  # noqa: BLE001 - a border: the connection must not hang on somebody's mistake
                report(failure, "a body was refused, but not said why")
                reply = internal_error()
            self.refuse(reply)
            return
        cycle = self.cycle
        if cycle is not None:
            cycle.interrupt()
        if cycle is not None and cycle.response_started:
            self.keep = False
            self.unread = True
            self.hang_up()
        else:
            self.refuse(explain(_STATUS.get(type(error), BAD_REQUEST), error.code, error.message))


def too_late(seconds: float, *, streamed: bool) -> BodyTooSlow:
    """The refusal of a body that did not come in time; of one that is `streamed`, not fast enough."""
    if streamed:
        return BodyTooSlow(f"The body came too slowly: send at least {SLOWEST} bytes in {seconds:g} seconds.")
    return BodyTooSlow(f"The body did not arrive within {seconds:g} seconds.")


def too_large(most: int) -> BodyTooLarge:
    """The refusal of a body of more than so many bytes."""
    return BodyTooLarge(f"The body is longer than {most} bytes.")

"""Reading: from bytes to admitted requests, one at a time.

    HEAD --a whole head--> entrance --None-------> the ASGI application --+
      ^                     |    |                                       |
      |                     |    +--Admission--> BODY --whole--> ANSWER -+
      |                     +--Reply--+                                  |
      +-- answered -------------------+----------------------------------+
                                      +-- or the connection ends

An entrance that has to ask somebody first is waited for as if the answer were being made: no body is read meanwhile.
One that has something `streamed` is answered in BODY already, while its body arrives; an answer that comes before the
body's end is the connection's last.

What a client sends ahead waits until the answer is written, and past a bound it is not even read, so answers come in
order by themselves. uvicorn hands over its connection (`Config(http=…)`), its ASGI cycle and its WebSocket
hand-over; its parser is not fed, for the reasons that `head` gives.
"""

import asyncio
import math
from typing import cast

from forehearth.core.errors import Refused, UnsupportedMediaType
from forehearth.core.exchange import Reply
from forehearth.http.asgi_cycle import Cycle
from forehearth.http.body_reading import BodyReading, too_large
from forehearth.http.connection import ANSWER, BODY, GONE, HEAD, LINGER
from forehearth.http.faults import BODY_TOO_LARGE, Malformed, explain, internal_error
from forehearth.http.head import Request, examine, read
from forehearth.http.log import report
from forehearth.http.repeats import Repeated
from forehearth.http.replies import CONTINUE, Unwritable
from forehearth.ports.entrance import Admission, Undecided

SENT_AHEAD = 64 * 1024
"""Bytes of later requests that are taken in while one is being answered."""

_CR = ord("\r")
_END = b"\r\n\r\n"


class Ready:
    """An admission whose answer is there already."""

    max_body = 0
    streamed = None

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def answer(self, body: bytes) -> Reply:  # noqa: ARG002 - there is none
        """The answer."""
        return self._reply

    def refuse(self, error: Refused) -> Reply:  # noqa: ARG002 - no body is read that could be refused
        """The answer."""
        return self._reply

    def again(self) -> None:
        """It was for one request."""


class InboundProtocol(BodyReading):
    """uvicorn's protocol class for this server: `Config(http=InboundProtocol)`, with a `Border` as server state."""

    _seen = 0
    """Bytes of `tail` in which there is no head's end."""
    _blank = False
    """Whether an empty line before the head was passed over."""
    _block = b""
    """The head of the current request, as it came."""
    _repeated: Repeated | None = None
    """The head that was let in last."""

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        phase = self.phase
        if phase == HEAD:
            self.tail = self.tail + data if self.tail else data
            self.advance()
        elif phase == BODY:
            self._read_body(data)
        elif phase == ANSWER:
            self.tail += data
            if len(self.tail) > SENT_AHEAD:
                self.flow.pause_reading()
        elif phase == LINGER:
            self.drop_input(len(data))

    def advance(self) -> None:
        """Take up the requests in `tail`, as far as they are complete and their turn has come."""
        while self.phase == HEAD and self.tail:
            try:
                block = self._take_head()
                if block is None:
                    break
                if not self._admit_again(block):
                    self._block = block
                    self._admit(read(block, self.limits, self.peer))
            except Malformed as fault:
                self.minor = 1
                self.head_only = False
                self.refuse(fault.reply())
                return
        if self.phase == HEAD and self.ended:
            self.hang_up()

    def _take_head(self) -> bytes | None:
        """A whole head, its empty line included; None where it is not here yet. Raises `Malformed`."""
        if self.tail[0] == _CR and not self._pass_blank():
            return None
        data = self.tail
        end = data.find(_END, self._seen) + len(_END)
        if not len(_END) <= end <= self.limits.header_bytes:
            examine(data, self._seen, self.limits)
            if self._seen == 0 and (self.served or self.border.draining):
                self.deadline = self.loop.time() + self.limits.header_seconds
            self._seen = max(0, len(data) - len(_END) + 1)
            return None
        self._seen = 0
        self._blank = False
        self.served = True
        self.tail = data[end:]
        return data[:end]

    def _pass_blank(self) -> bool:
        """Pass over one empty line before a head, as RFC 9112 section 2.2 asks. Whether there is more to look at."""
        if self.tail == b"\r":
            return False
        if self.tail.startswith(b"\r\n") and not self._blank:
            self._blank = True
            self.tail = self.tail[2:]
        return bool(self.tail)

    def _admit_again(self, block: bytes) -> bool:
        """Let in what was let in before; whether it was, and may be still."""
        repeated = self._repeated
        length = -1 if repeated is None else repeated.length(block)
        if repeated is None or length < 0:
            return False
        try:
            admission = repeated.admission.again()
        except Exception as error:  # noqa: BLE001 - a border: the connection must not hang on somebody's mistake
            report(error, "a request was not let in again")
            admission = None
        if admission is None:
            self._repeated = None
            return False
        self._begin(repeated.request)
        self._let_in(repeated.request, admission, length)
        return True

    def _begin(self, request: Request) -> None:
        self.request = request
        self.minor = request.minor
        self.keep = request.persistent
        self.head_only = request.head.method == b"HEAD"
        self.unread = False
        self.deadline = math.inf

    def _admit(self, request: Request) -> None:
        self._begin(request)
        try:
            outcome = self.entrance.accept(request.head)
        except Exception as error:  # noqa: BLE001 - a border: the connection must not hang on somebody's mistake
            report(error, "a request was neither let in nor refused")
            outcome = internal_error()
        if isinstance(outcome, Undecided):
            self.phase = ANSWER
            self.task = self.loop.create_task(self._await(request, outcome))
        else:
            self._settle(request, outcome)

    def _settle(self, request: Request, outcome: Admission | Reply | None) -> None:
        if outcome is None:
            self._to_application(request)
        elif isinstance(outcome, Reply):
            self._turn_away(request, outcome)
        else:
            self._repeated = Repeated.of(self._block, request, outcome)
            self._let_in(request, outcome, request.length)

    async def _await(self, request: Request, undecided: Undecided) -> None:
        """Go on once it is decided. Runs as the task that the client's departure cancels."""
        outcome: Admission | Reply
        try:
            outcome = await undecided.decision
        except asyncio.CancelledError:
            self.drop()
            raise
        except Exception as error:  # noqa: BLE001 - a border: the connection must not hang on somebody's mistake
            report(error, "a request was neither let in nor refused")
            outcome = internal_error()
        self.task = None
        self.flow.resume_reading()
        self._settle(request, outcome)
        if self.ended and self.phase == BODY:
            self.cut_short()
        if self.phase == HEAD:
            self.advance()

    def _turn_away(self, request: Request, reply: Reply) -> None:
        """Answer at once. A body that comes with the request is not read, so the connection ends with the answer."""
        if request.length:
            self.keep = False
            self.unread = True
        if reply.stream is None:
            try:
                self.send(reply)
            except Unwritable as error:
                report(error, "a reply could not be written")
                self.fail()
            self.answered()
        else:
            self.start(Ready(reply), b"")

    def _let_in(self, request: Request, admission: Admission, length: int) -> None:
        self.admission = admission
        if request.head.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            self.refuse_body(
                UnsupportedMediaType("The body is compressed. Send it as it is, without Content-Encoding.")
            )
        elif length > admission.max_body:
            self.refuse_body(too_large(admission.max_body))
        elif 0 <= length <= len(self.tail):
            body = self.tail[:length]
            self.tail = self.tail[length:]
            self.start(admission, body)
        else:
            if request.expects_continue and not self.tail:
                self.transport.write(CONTINUE)
            if admission.streamed is not None:
                self.begin_stream(admission.streamed)
            self.begin_body(length, admission.max_body)

    # ---- the ASGI application

    def _to_application(self, request: Request) -> None:
        if request.length > self.limits.body_bytes:
            error = too_large(self.limits.body_bytes)
            self.refuse(explain(BODY_TOO_LARGE, error.code, error.message))
            return
        if request.upgrade == b"websocket" and request.head.method == b"GET" and self._should_upgrade_to_ws():
            self._to_websocket(request)
            return
        self.cycle = Cycle(self, request, self.border.date, self.hang_up)
        self._start_asgi_task(self.cycle, self.app)
        if request.length:
            self.begin_body(request.length, self.limits.body_bytes)
        else:
            self.give_over()

    def on_response_complete(self) -> None:
        """The application has answered."""
        if self.phase == ANSWER:
            self.answered()
        if self.phase == HEAD:
            self.advance()

    def _to_websocket(self, request: Request) -> None:
        head = request.head
        self.url = head.raw_path + b"?" + head.query if head.query else head.raw_path
        self.scope = {"method": head.method.decode("ascii"), "headers": list(request.fields)}  # type: ignore[typeddict-item] # all it reads
        early, self.tail = self.tail, b""
        self.phase = GONE
        self.border.leave(self, self.peer.client)
        self.handle_websocket_upgrade()
        if early:
            cast("asyncio.Protocol", self.transport.get_protocol()).data_received(early)

"""A small model host on a loopback port, for tests that need a real connection.

    async with Upstream() as upstream:
        upstream.answers.append(Answer(status=429, headers=((b"retry-after", b"1"),)))
        ...  # call upstream.url: the first call is answered 429, the next ones by the script (an echo, without rules)
        await upstream.until(lambda: upstream.open == 0)
        assert upstream.requests[0].header(b"api-key") == b"..."

It speaks plain, correct HTTP/1.1, keeps connections alive, and keeps a record of every request and connection. Hosts
that break the protocol are other fakes' business, but for the resets that a script or a test asks for.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Self

import msgspec

from forehearth.core.clock import Clock, SystemClock
from forehearth.core.errors import Broken
from forehearth.core.exchange import Header, Reply
from forehearth.core.upstream import Origin, Request, Timeouts
from forehearth.providers.scripted import ScriptedSettings
from forehearth.testing.http_connection import Connection, HttpConnection, Seen
from forehearth.transport.scripted import ScriptedSender

_NEVER = 1e9
_PATIENT = Timeouts(first_byte=_NEVER, idle=_NEVER, total=_NEVER)
"""The script's own timers do not run here: the client under test has its own."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is answered with: a whole `body`, or `pieces`, each a chunk and a write of its own."""

    status: int = 200
    headers: tuple[Header, ...] = ()
    """Sent as they are. Without a content-type: JSON for a body, server-sent events for pieces."""
    body: bytes = b""
    pieces: tuple[bytes | float, ...] | None = None
    """Bytes to send, and numbers: seconds to pause."""
    delay: float = 0.0
    """Seconds before the head."""
    close: bool = False
    """Whether the connection ends with this answer, as its `connection: close` then says."""
    reset: bool = False
    """Whether the connection is reset: at the end of the pieces, or in the answer's place where there are none."""


class Upstream:
    """The host. Each request takes the next of `answers`, else what `respond` says, else the script's answer.

    What `respond` raises resets the connection, and is raised again where the host is left.
    """

    def __init__(
        self,
        settings: ScriptedSettings | None = None,
        *,
        respond: Callable[[Seen], Answer | None] | None = None,
        tls: ssl.SSLContext | None = None,
        socket: str | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.answers: deque[Answer] = deque()
        self.requests: list[Seen] = []
        self.connections: list[Connection] = []
        self._respond = respond
        self._tls = tls
        self._socket = socket
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._script = ScriptedSender("upstream", settings or ScriptedSettings(), clock=self._clock, sleep=sleep)
        self._serving: set[HttpConnection] = set()
        self._changed = asyncio.Event()
        self._port = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            self._server = await loop.create_unix_server(lambda: HttpConnection(self), self._socket, ssl=self._tls)
        else:
            self._server = await loop.create_server(lambda: HttpConnection(self), "127.0.0.1", 0, ssl=self._tls)
            self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        await asyncio.gather(*(serving.drop() for serving in list(self._serving)), return_exceptions=True)
        await self._server.wait_closed()
        broken = next((each.error for each in self.connections if each.error is not None), None)
        if broken is not None and error is None:
            raise broken

    @property
    def origin(self) -> Origin:
        """Where to dial."""
        scheme = "https" if self._tls else "http"
        if self._socket is not None:
            return Origin(scheme=scheme, host="localhost", socket=self._socket)
        return Origin(scheme=scheme, host="127.0.0.1", port=self._port)

    @property
    def url(self) -> str:
        """The same as a URL, without a slash at its end; not for a Unix socket."""
        return f"{self.origin.scheme}://127.0.0.1:{self._port}"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._serving)

    async def until(self, condition: Callable[[], bool], within: float = 10.0) -> None:
        """Wait until `condition` holds; it is looked at whenever a connection or a request comes or ends.

        Raises `TimeoutError` when it does not hold `within` so many seconds.
        """
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def opened(self, serving: HttpConnection) -> Connection:
        """Take note of a connection that was made."""
        record = Connection(number=len(self.connections), opened=self._clock.monotonic())
        self.connections.append(record)
        self._serving.add(serving)
        self._changed.set()
        return record

    def closed(self, serving: HttpConnection) -> None:
        """Take note of a connection that ended."""
        serving.record.closed = self._clock.monotonic()
        self._serving.discard(serving)
        self._changed.set()

    async def reply(self, seen: Seen) -> Reply:
        """Record a request and answer it. Raises `Failed` where its connection is to be reset."""
        self.requests.append(seen)
        self._changed.set()
        answer = self.answers.popleft() if self.answers else self._respond and self._respond(seen)
        if answer is not None:
            return await self._given(answer)
        request = Request(
            origin=self.origin,
            method=seen.method,
            target=seen.target,
            headers=seen.headers,
            body=seen.body,
            timeouts=_PATIENT,
        )
        response = await self._script.send(request)
        headers = tuple(response.headers.items())
        return Reply(status=response.status, headers=headers, body=response.body, stream=response.stream)

    async def _given(self, answer: Answer) -> Reply:
        await self._sleep(answer.delay)
        if answer.reset and answer.pieces is None:
            raise Broken("reset, as the test asked")
        headers = list(answer.headers)
        if not any(name.lower() == b"content-type" for name, _ in headers):
            kind = b"application/json" if answer.pieces is None else b"text/event-stream"
            headers.append((b"content-type", kind))
        if answer.close:
            headers.append((b"connection", b"close"))
        stream = None if answer.pieces is None else self._pieces(answer.pieces, reset=answer.reset)
        return Reply(status=answer.status, headers=headers, body=answer.body, stream=stream)

    async def _pieces(self, pieces: tuple[bytes | float, ...], *, reset: bool) -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                await self._sleep(piece)
        if reset:
            raise Broken("reset, as the test asked")

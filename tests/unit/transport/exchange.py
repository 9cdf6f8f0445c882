"""A connection of the client without a socket: what is fed to it, and what comes of it."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from forehearth.core.errors import Broken, ForehearthError, TimedOut
from forehearth.core.upstream import Origin, Request, Timeouts
from forehearth.testing.clock import VirtualClock
from forehearth.transport.connection import Connection
from forehearth.transport.limits import ClientLimits

LIMITS = ClientLimits(head_bytes=4_096, body_bytes=1_000, header_count=20, interim_responses=3, stream_bytes=64)
ORIGIN = Origin(scheme="http", host="host")


class Wire:
    """A transport without a socket, and the owner of the connection on it."""

    def __init__(self) -> None:
        self.unsent = 0
        self.aborted = False
        self.paused = False
        self.free = 0
        self.gone = 0

    def write(self, data: bytes) -> None:
        assert data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def released(self, connection: Connection) -> None:
        self.free += 1

    def lost(self, connection: Connection) -> None:
        self.gone += 1


class Exchange:
    """One request on one connection, and what came of it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        method: bytes = b"POST",
        limits: ClientLimits = LIMITS,
        reused: bool = False,
    ) -> None:
        self.loop = loop
        self.clock = VirtualClock()
        self.wire = Wire()
        self.connection = Connection(self.wire, limits, self.clock.monotonic, "host")
        self.connection.connection_made(self.wire)  # type: ignore[arg-type] # what is used of a transport
        self.connection.reused = reused
        request = Request(origin=ORIGIN, method=method, target=b"/", timeouts=Timeouts(first_byte=5, idle=3, total=60))
        self.answer = self.connection.start(b"HEAD", request, self.clock.monotonic(), loop)

    def feed(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            if piece and not self.wire.aborted:
                self.connection.data_received(piece)

    def eof(self, error: Exception | None = None) -> None:
        if not self.connection.closed:
            self.connection.connection_lost(error)

    def outcome(self) -> Any:
        """Status, headers and body, streamed or not; or the kind of error and its message."""
        if not self.answer.done():
            return "waiting"
        error = self.answer.exception()
        if error is not None:
            return (type(error), error.message if isinstance(error, ForehearthError) else "")
        response = self.answer.result()
        body, ended = response.body, "whole"
        if response.stream is not None:
            body, ended = drain(response.stream)
        return (response.status, dict(response.headers), body, ended)


def step(awaitable: Any) -> Any:
    """The result of an awaitable that does not wait, or None when it would."""
    try:
        awaitable.send(None)
    except StopIteration as done:
        return done.value
    awaitable.close()
    return None


def drain(stream: Any) -> tuple[bytes, str]:
    body = b""
    while True:
        if not stream._pieces and stream._source is not None:
            return body, "open"
        try:
            body += step(stream.__anext__())
        except StopAsyncIteration:
            return body, "ended"
        except (Broken, TimedOut) as error:
            return body, error.message


def run(
    loop: asyncio.AbstractEventLoop, pieces: Sequence[bytes], *, close: bool = True, **options: Any
) -> tuple[Any, Wire]:
    exchange = Exchange(loop, **options)
    exchange.feed(pieces)
    if close:
        exchange.eof()
    return exchange.outcome(), exchange.wire


NAMES = (b"x-a", b"X-B", b"retry-after", b"set-cookie", b"x-long-name-of-a-field")
VALUES = (b"", b"1", b"a b", b"\xc3\xa9", b"v" * 40)
INTERIM = (b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n")
MEDIA = (None, b"application/json", b"text/event-stream", b"Text/Event-Stream; charset=utf-8")


def response_from(seed: int) -> tuple[bytes, Any]:
    """A well-formed response as bytes, and what must come of it. One number decides all: far cheaper to draw."""
    dice = random.Random(seed)
    status = dice.choice((200, 201, 204, 304, 400, 404, 429, 500, 503))
    framing = dice.choice(("length", "chunked", "close"))
    media = dice.choice(MEDIA)
    fields = [(dice.choice(NAMES), dice.choice(VALUES)) for _ in range(dice.randrange(5))]
    chunks = [dice.randbytes(dice.randint(1, 30)) for _ in range(dice.randrange(5))]
    body = b"".join(chunks)
    if media is not None:
        fields.append((b"content-type", media))
    if status in {204, 304}:
        body = payload = b""
    elif framing == "length":
        fields.append((b"content-length", b"%d" % len(body)))
        payload = body
    elif framing == "chunked":
        fields.append((b"transfer-encoding", b"chunked"))
        extension, trailer = dice.choice((b"", b";a=b")), dice.choice((b"", b"x-trailer: t\r\n"))
        payload = b"".join(b"%x%b\r\n%b\r\n" % (len(c), extension, c) for c in chunks) + b"0\r\n" + trailer + b"\r\n"
    else:
        payload = body
    head = b"HTTP/1.1 %d Reason\r\n" % status + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
    expected: dict[bytes, bytes] = {}
    for name, value in fields:
        key = name.lower()
        expected[key] = expected[key] + b", " + value if key in expected else value
    streamed = media is not None and b"vent" in media and status < 300
    return dice.choice(INTERIM) + head + payload, (status, expected, body, "ended" if streamed else "whole")


def cut(raw: bytes, cuts: bytes) -> list[bytes]:
    """`raw` in pieces: each byte of `cuts` is a place, from 0 at its beginning to 255 at its end."""
    places = sorted(len(raw) * place // 255 for place in cuts)
    return [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]


def judge_cut(loop: asyncio.AbstractEventLoop, seed: int, cuts: bytes) -> None:
    """A response is the same however it is cut."""
    raw, expected = response_from(seed)
    outcome, wire = run(loop, cut(raw, cuts))
    assert outcome == expected
    # Kept when framed, closed when the end of the connection was the end of the body; never both, never neither.
    assert wire.free + wire.gone >= 1
    assert wire.free <= 1


def judge_damage(loop: asyncio.AbstractEventLoop, seed: int, place: int, noise: bytes, gone: int) -> None:
    """A damaged response ends in a response or in a clear error, and in the same one however it is cut."""
    raw, _ = response_from(seed)
    place = len(raw) * place // 255
    damaged = raw[:place] + noise + raw[place + gone :]
    outcome, wire = run(loop, [damaged])
    assert outcome != "waiting"
    if outcome[0] is Broken:
        assert wire.free == 0
    else:
        assert outcome[0] >= 200
        assert outcome[3] != "open"
    assert run(loop, [damaged[:place], damaged[place:]])[0] == outcome
    assert run(loop, [damaged[i : i + 1] for i in range(len(damaged))])[0] == outcome

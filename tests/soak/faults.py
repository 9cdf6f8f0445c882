"""What model hosts get wrong, one fault a name, and what a caller is told about it.

`MARK` stands wherever a host could put words of its own that no caller may see, `SECRET` where it could show a
credential.
"""

import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from forehearth.testing.raw_upstream import Peer

MARK = "words-of-the-host-5c1e"
SECRET = "sk-5c1e0123456789abcdef"

Play = Callable[[Peer, bool], Awaitable[bool]]
"""Answer a request, which asked for a stream or not; whether the connection goes on."""
Told = tuple[int, str]
"""The status, and the code of the error: the answer's, or that of a stream's last event. No code: none of either."""

GOOD: Told = (200, "")
BAD: Told = (502, "BadGateway")
LATE: Told = (504, "Timeout")
NOBODY: Told = (503, "ServiceUnavailable")
CUT: Told = (200, "BadGateway")
STALLED: Told = (200, "Timeout")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a host does with every request, and what becomes of the call."""

    play: Play | None
    """None where there is nobody to play."""
    whole: Told
    stream: Told
    headers: dict[str, str | None] = field(default_factory=dict)
    """Headers that the whole answer must have, or must not."""


def body_of(**members: object) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "good"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps({key: value for key, value in (answer | members).items() if value is not ...}).encode()


def answer(body: bytes = b"", *fields: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    """A whole answer, whose head has words of the host."""
    size = b"content-length: %d" % (len(body) if length is None else length)
    kind = (
        () if any(line.lower().startswith(b"content-type") for line in fields) else (b"content-type: application/json",)
    )
    words = (b"server: " + MARK.encode(), b"x-internal: " + MARK.encode())
    return b"\r\n".join([b"HTTP/1.1 " + status, *kind, *words, size, *fields, b"", b""]) + body


def event(text: str, **members: object) -> bytes:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return (
        b"data: "
        + json.dumps(chunk | {"choices": [{"index": 0, "delta": {"content": text}}]} | members).encode()
        + b"\n\n"
    )


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


DONE = b"data: [DONE]\n\n"
EVENTS = event("one") + event(" two")
LONG = "x" * 10_000_000
_KIND = b"content-type: text/event-stream\r\nserver: " + MARK.encode() + b"\r\n"
OPEN = b"HTTP/1.1 200 OK\r\n" + _KIND + b"transfer-encoding: chunked\r\n\r\n"
UNFRAMED = b"HTTP/1.1 200 OK\r\n" + _KIND + b"connection: close\r\n\r\n"


def stream_of(*pieces: bytes) -> bytes:
    return OPEN + b"".join(map(chunk, pieces)) + b"0\r\n\r\n"


STREAM = stream_of(EVENTS, DONE)
WHOLE = answer(body_of())


def says(*pieces: bytes, stream: tuple[bytes, ...] = (), then: str = "go on", pause: float = 0.0) -> Play:
    """Say the pieces, those of `stream` to who asked for one; then go on, end, reset or hang."""

    async def play(peer: Peer, streamed: bool) -> bool:
        await peer.send(*(stream if streamed and stream else pieces), pause=pause)
        if then == "reset":
            peer.reset()
        elif then == "hang":
            await peer.hang()
        return then == "go on"

    return play


def refuses(
    status: bytes, *fields: bytes, told: Told, body: bytes = b"", headers: dict[str, str | None] | None = None
) -> Fault:
    """An error answer, the same to all."""
    return Fault(play=says(answer(body, *fields, status=status)), whole=told, stream=told, headers=headers or {})


def breaks(
    *pieces: bytes, stream: tuple[bytes, ...] = (), then: str = "end", told: Told = BAD, late: Told = BAD
) -> Fault:
    """An answer that breaks: `told` to who asked for it whole, `late` to who asked for a stream."""
    return Fault(play=says(*pieces, stream=stream, then=then), whole=told, stream=late)


def passes(whole: bytes, stream: bytes, then: str = "go on") -> Fault:
    """Odd, and yet an answer."""
    return Fault(play=says(whole, stream=(stream,), then=then), whole=GOOD, stream=GOOD)


ERROR = json.dumps(
    {
        "error": {
            "message": f"Key {SECRET} at https://inner.example/v1?key={SECRET} is over its limit.",
            "code": "over",
            "trace": MARK,
        },
        "host": MARK,
    }
).encode()
PAGE = b"<html><h1>" + MARK.encode() + b"</h1></html>"
HALF = len(WHOLE) - 40
NO_RETRY = {"x-should-retry": "false"}
UNSAID = {"retry-after": None, "retry-after-ms": None}

TIMES: dict[str, Fault] = {
    "refused": Fault(play=None, whole=NOBODY, stream=NOBODY),
    "unanswered": Fault(play=None, whole=LATE, stream=LATE),
    "black-hole": Fault(play=None, whole=LATE, stream=LATE),
    "tls-stall": Fault(play=says(then="hang"), whole=LATE, stream=LATE),
    "hang": Fault(play=says(then="hang"), whole=LATE, stream=LATE),
    "hang-in-head": breaks(WHOLE[:30], then="hang", told=LATE, late=LATE),
    "hang-in-body": breaks(WHOLE[:HALF], stream=(OPEN, chunk(EVENTS)), then="hang", told=LATE, late=STALLED),
    "drip-of-head": Fault(play=says(*(WHOLE[at : at + 1] for at in range(HALF)), pause=0.1), whole=LATE, stream=LATE),
    "drip-of-body": Fault(
        play=says(
            WHOLE[:HALF],
            *(WHOLE[at : at + 1] for at in range(HALF, len(WHOLE))),
            stream=(OPEN, *(chunk(EVENTS[at : at + 1]) for at in range(60))),
            pause=0.1,
        ),
        whole=LATE,
        stream=STALLED,
    ),
    "drip-in-time": Fault(
        play=says(
            *(WHOLE[at : at + 1] for at in range(len(WHOLE))),
            stream=tuple(STREAM[at : at + 1] for at in range(len(STREAM))),
            pause=0.001,
        ),
        whole=GOOD,
        stream=GOOD,
    ),
}

BREAKS: dict[str, Fault] = {
    "reset-before-head": breaks(then="reset"),
    "end-before-head": breaks(),
    "reset-in-head": breaks(WHOLE[:50], then="reset"),
    "end-in-head": breaks(WHOLE[:50]),
    "reset-in-body": breaks(WHOLE[:HALF], stream=(OPEN, chunk(EVENTS)), then="reset", late=CUT),
    "end-in-body": breaks(WHOLE[:HALF], stream=(OPEN, chunk(EVENTS)), late=CUT),
    "end-in-chunk": breaks(WHOLE[:HALF], stream=(OPEN, b"ff\r\n" + EVENTS[:100]), late=CUT),
    "no-done": passes(WHOLE, stream_of(EVENTS)),
    "no-done-unframed": passes(WHOLE, UNFRAMED + EVENTS, then="end"),
    "length-too-long": breaks(
        answer(body_of(), length=9_999),
        stream=(b"HTTP/1.1 200 OK\r\n" + _KIND + b"content-length: 9999\r\n\r\n" + EVENTS + DONE,),
        late=CUT,
    ),
    "length-too-short": breaks(
        answer(body_of(), length=50),
        stream=(b"HTTP/1.1 200 OK\r\n" + _KIND + b"content-length: %d\r\n\r\n" % len(EVENTS) + EVENTS + DONE,),
        late=GOOD,
    ),
    "two-lengths": breaks(answer(body_of(), b"content-length: 3")),
    "length-and-chunks": breaks(answer(chunk(body_of()) + b"0\r\n\r\n", b"transfer-encoding: chunked")),
    "broken-chunks": breaks(
        OPEN.replace(b"text/event-stream", b"application/json") + b"xyz\r\n",
        stream=(OPEN, chunk(EVENTS), b"xyz\r\n"),
        late=CUT,
    ),
    "gzip": breaks(
        answer(gzip.compress(body_of()), b"content-encoding: gzip"),
        stream=(OPEN[:-2] + b"content-encoding: gzip\r\n\r\n" + chunk(gzip.compress(EVENTS)) + b"0\r\n\r\n",),
    ),
    "bad-json": breaks(answer(b'{"choices": [' + MARK.encode())),
    "bad-json-in-event": passes(WHOLE, stream_of(b'data: {"choices": [\n\n', DONE)),
    "deep-json": breaks(answer(b'{"choices":' + b"[" * 200_000)),
    "empty": breaks(answer(), stream=(stream_of(),), late=GOOD),
    "another-form": breaks(STREAM, stream=(WHOLE,)),
    "garbage": breaks(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK.encode() * 9),
    "another-protocol": breaks(b"220 " + MARK.encode() + b" ESMTP\r\n"),
    "folded-header": breaks(answer(body_of(), b"x-a: 1\r\n folded")),
    "bare-cr": breaks(answer(body_of(), b"x-a: 1\rset-cookie: a=" + MARK.encode())),
    "head-too-large": breaks(answer(body_of(), b"x-a: " + b"a" * 100_000)),
    "too-many-headers": breaks(answer(body_of(), *(b"x-%d: a" % n for n in range(300)))),
    "body-too-large": breaks(answer(body_of(), length=100_000_000)),
    "interim-flood": breaks(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 1_000 + WHOLE),
    "other-protocol": breaks(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
}

REFUSALS: dict[str, Fault] = {
    "redirect": refuses(b"307 Temporary Redirect", b"location: http://127.0.0.1:9/" + MARK.encode(), told=BAD),
    "created": refuses(b"201 Created", body=body_of(), told=BAD),
    "no-content": refuses(b"204 No Content", told=BAD),
    "400": refuses(b"400 " + MARK.encode(), body=ERROR, told=(400, "over")),
    "401": refuses(b"401 " + MARK.encode(), body=ERROR, told=BAD, headers=NO_RETRY),
    "403": refuses(b"403 " + MARK.encode(), body=ERROR, told=BAD, headers=NO_RETRY),
    "404": refuses(b"404 " + MARK.encode(), body=PAGE, told=BAD, headers=NO_RETRY),
    "418": refuses(b"418 " + MARK.encode(), body=PAGE, told=(418, "invalid_request")),
    "429-seconds": refuses(
        b"429 " + MARK.encode(), b"retry-after: 7", body=ERROR, told=(429, "over"), headers={"retry-after": "7"}
    ),
    "429-millis": refuses(
        b"429 " + MARK.encode(),
        b"retry-after-ms: 1500",
        body=ERROR,
        told=(429, "over"),
        headers={"retry-after": "2", "retry-after-ms": "1500"},
    ),
    "429-date": refuses(
        b"429 " + MARK.encode(), b"retry-after: Wed, 21 Oct 2099 07:28:00 GMT", told=(429, "429"), headers=UNSAID
    ),
    "429-absurd": refuses(b"429 " + MARK.encode(), b"retry-after: " + b"9" * 40, told=(429, "429"), headers=UNSAID),
    "429-missing": refuses(b"429 " + MARK.encode(), body=PAGE, told=(429, "429"), headers=UNSAID),
    "500": refuses(b"500 " + MARK.encode(), body=PAGE, told=(500, "BackendFailed")),
    "503": refuses(
        b"503 " + MARK.encode(), b"retry-after: 3", told=(503, "BackendFailed"), headers={"retry-after": "3"}
    ),
    "529": refuses(b"529 " + MARK.encode(), body=ERROR, told=BAD),
    "999": refuses(b"999 " + MARK.encode(), body=ERROR, told=BAD),
}

ODDITIES: dict[str, Fault] = {
    "ten-megabytes-in-a-line": passes(answer(body_of(system_fingerprint=LONG)), stream_of(event(LONG), DONE)),
    "no-usage": passes(answer(body_of(usage=...)), STREAM),
    "usage-of-another-type": passes(
        answer(body_of(usage={"prompt_tokens": "3"})), stream_of(EVENTS, event("", usage=[1]), DONE)
    ),
    "usage-below-nothing": passes(
        answer(body_of(usage={"prompt_tokens": -3})), stream_of(EVENTS, event("", usage={"prompt_tokens": -3}), DONE)
    ),
    "usage-beyond-all-numbers": passes(
        answer(body_of(usage={"prompt_tokens": 10**400})),
        stream_of(EVENTS, event("", usage={"prompt_tokens": 10**400}), DONE),
    ),
    "same-chunk-twice": passes(WHOLE, stream_of(EVENTS, EVENTS, DONE, DONE)),
    "two-answers": passes(WHOLE + WHOLE, STREAM + STREAM),
    "half-close": passes(answer(body_of(), b"connection: close"), UNFRAMED + EVENTS + DONE, then="end"),
    "interim": passes(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + WHOLE, b"HTTP/1.1 103 Early Hints\r\n\r\n" + STREAM),
    "not-utf-8": passes(
        answer(body_of().replace(b"good", b"\xff\xfe\xc3")), stream_of(EVENTS.replace(b"one", b"\xff\xfe"), DONE)
    ),
}

FAULTS = TIMES | BREAKS | REFUSALS | ODDITIES

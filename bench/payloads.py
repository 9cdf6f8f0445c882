"""The bytes that every stack is measured with: one call, its reply, and two paced streams of the same events."""

import json
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

REQUEST_BYTES = 1_078
REPLY_BYTES = 757
EVENTS = 102
MARKER = "the melt is even"
"""Stands in every good reply, whoever wrote it down again on the way."""
SLOW_DRIP = "slow-drip"
"""A request that says this gets the stream in 102 writes; the mock looks for it anywhere in the body."""

_ID = "chatcmpl-5pQm0c2nXrYt8sVb1kWz7HdL"
_CREATED = 1_764_000_000
_PROSE = (
    "A forehearth stands between the furnace and the moulds. It gathers the glass, lets the hot part cool and the cool "
    "part warm, and taps it off only when the melt is even. "
)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """How a stream reaches the gateway: its events in `writes` pieces, `pause_us` microseconds apart."""

    name: str
    writes: int
    pause_us: int


FEW_WRITES = Stream(name="10", writes=10, pause_us=2_000)
MANY_WRITES = Stream(name="102", writes=102, pause_us=500)
STREAMS = (FEW_WRITES, MANY_WRITES)


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _prose(length: int) -> str:
    text = _PROSE * (length // len(_PROSE) + 1)
    return text[:length]


def completion_body(content: str) -> bytes:
    """A chat completion that says something."""
    message = {"role": "assistant", "content": content, "refusal": None}
    completion = {
        "id": _ID,
        "object": "chat.completion",
        "created": _CREATED,
        "model": "bench",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 215, "completion_tokens": 82, "total_tokens": 297},
        "system_fingerprint": "fp_bench",
    }
    return _compact(completion)


def reply_body() -> bytes:
    """A chat completion of exactly `REPLY_BYTES`."""
    return completion_body(_prose(REPLY_BYTES - len(completion_body(""))))


def events() -> list[bytes]:
    """The server-sent events of a stream: 99 words, the end, the usage, and `[DONE]`."""

    def event(delta: dict[str, str] | None, finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {
            "id": _ID,
            "object": "chat.completion.chunk",
            "created": _CREATED,
            "model": "bench",
            "system_fingerprint": "fp_bench",
            "choices": [] if delta is None else [choice],
            "usage": usage,
        }
        return b"data: " + _compact(chunk) + b"\n\n"

    words = [event({"content": " melt"})] * (EVENTS - 4)
    usage = {"prompt_tokens": 215, "completion_tokens": 99, "total_tokens": 314}
    opening = event({"role": "assistant", "content": "The"})
    return [opening, *words, event({}, "stop"), event(None, usage=usage), b"data: [DONE]\n\n"]


def call_response(content: str | None = None) -> bytes:
    """What the mock answers to a call, head and body: the reply that all are measured with, or one that says this."""
    return http_response(reply_body() if content is None else completion_body(content))


def http_response(body: bytes) -> bytes:
    """A good answer with this body, which is JSON."""
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: bench\r\n"
    head += f"content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def response_body(content: str) -> bytes:
    """What a host with a Responses API answers when its model says something."""
    part = {"type": "output_text", "text": content, "annotations": []}
    message = {"type": "message", "id": "msg_bench", "status": "completed", "role": "assistant", "content": [part]}
    response = {
        "id": "resp_bench",
        "object": "response",
        "created_at": _CREATED,
        "status": "completed",
        "model": "bench",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 215,
            "output_tokens": 82,
            "total_tokens": 297,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }
    return _compact(response)


def script(stream: Stream) -> bytes:
    """What the mock reads for one paced stream: the pause, then each write behind its length."""
    every = events()
    bounds = [i * len(every) // stream.writes for i in range(stream.writes + 1)]
    pieces = [b"".join(every[a:b]) for a, b in pairwise(bounds)]
    writes = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    writes[0] = head + b"transfer-encoding: chunked\r\n\r\n" + writes[0]
    writes[-1] += b"0\r\n\r\n"
    return struct.pack("<I", stream.pause_us) + b"".join(struct.pack("<I", len(w)) + w for w in writes)


def request_body(model: str, stream: Stream | None = None) -> bytes:
    """A chat request of exactly `REQUEST_BYTES`, whatever the model is called at that gateway."""
    message = {"role": "user", "content": ""}
    asked: dict[str, object] = {"model": model, "messages": [message], "max_tokens": 256}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    opening = f"{SLOW_DRIP}. " if stream is MANY_WRITES else ""
    message["content"] = opening + _prose(REQUEST_BYTES - len(_compact(asked)) - len(opening))
    return _compact(asked)


def write_request(path: Path, target: str, headers: dict[str, str], body: bytes) -> Path:
    """Write down the request as it goes on the wire, and return where."""
    lines = [f"POST {target} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", "accept: */*"]
    lines += [f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
    path.write_bytes("\r\n".join([*lines, "", ""]).encode() + body)
    return path

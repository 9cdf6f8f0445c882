"""Answers of chat completions, as far as they say something here: whole ones, and streams in pieces cut anywhere.

A whole answer reads as a stream of one chunk, so that there is one way from an answer to a response.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from forehearth.core.errors import AllBusy, Broken, ForehearthError, QuotaExceeded, TooManyRequests
from forehearth.core.usage import Usage
from forehearth.dialects import openai_errors, usage

_LONGEST_EVENT: Final = 8 << 20
_STREAM_FAILED: Final = 500
_TOO_MANY: Final = 429
DONE: Final = b"[DONE]"


class TopLogprob(msgspec.Struct, frozen=True, kw_only=True):
    """One of the likeliest tokens in a place."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(TopLogprob, frozen=True, kw_only=True):
    """A token and how likely it was, as a logarithm."""

    top_logprobs: list[TopLogprob] = []


class _Logprobs(msgspec.Struct, frozen=True):
    content: list[Logprob] | None = None


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function's name, whole, and its arguments, or a piece of them."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function = Function()


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says: a whole message or what a chunk adds to it."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    tool_calls: list[ToolCall] | None = None

    @property
    def thought(self) -> str | None:
        """What it thinks before it answers, by either of the names that hosts have for it."""
        return self.reasoning_content or (self.reasoning if isinstance(self.reasoning, str) else None)


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    index: int = 0
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Chunk(msgspec.Struct, frozen=True, kw_only=True):
    choices: list[_Choice] = []
    service_tier: str | None = None
    error: Any = None


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What one chunk says of the one answer that is asked for."""

    said: Said = Said()
    logprobs: list[Logprob] = []
    finish: str | None = None
    """Why the answer ends here: `stop`, `length`, …"""
    usage: Usage | None = None
    service_tier: str | None = None


_decoder = msgspec.json.Decoder(_Chunk)


def read(text: bytes) -> Piece:
    """A whole answer, or one chunk of a stream. Raises `Broken`, and `BackendRefused` where it tells of an error."""
    try:
        chunk = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Broken("The model's host sent an answer that is not one of chat completions.") from None
    if chunk.error is not None:
        raise openai_errors.read(_STREAM_FAILED, {}, text, backend="")
    choice = next((each for each in chunk.choices if each.index == 0), _Choice())
    return Piece(
        said=choice.delta or choice.message or Said(),
        logprobs=(choice.logprobs.content if choice.logprobs else None) or [],
        finish=choice.finish_reason,
        usage=usage.read(text) if b'"usage"' in text else None,
        service_tier=chunk.service_tier,
    )


class Events:
    """The data of server-sent events, from pieces of a stream that are cut anywhere. Raises `Broken`."""

    __slots__ = ("_data", "_rest", "_size")

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that end in this piece."""
        self._rest.append(piece)
        self._size += len(piece)
        if self._size > _LONGEST_EVENT:
            raise Broken("The model's host sent an event that is too long.")
        if b"\n" in piece or b"\r" in piece or (len(self._rest) > 1 and self._rest[-2].endswith(b"\r")):
            yield from self._lines()

    def finish(self) -> Iterator[bytes]:
        """The event that nobody closed, at the stream's end. Hosts forget the last empty lines."""
        self._rest.append(b"\n\n")
        yield from self._lines()

    def _lines(self) -> Iterator[bytes]:
        """Takes whole lines from the rest. A carriage return at its very end may be the first half of a line's end."""
        text = b"".join(self._rest)
        held = b"\r" if text.endswith(b"\r") else b""
        lines = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = [lines.pop() + held]
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                event, self._data = b"\n".join(self._data), []
                yield event
        self._size = len(self._rest[0]) + sum(map(len, self._data))


_USED_UP: Final = frozenset({AllBusy.code, TooManyRequests.code, QuotaExceeded.code})
"""Codes of failures that end by themselves: a limit, of ours or of all hosts, is reached."""


def told(error: ForehearthError) -> dict[str, str]:
    """A failure as the `error` of a response."""
    busy = getattr(error, "status", 0) == 429 or error.code in _USED_UP  # noqa: PLR2004 - its name is RFC 6585's
    return {"code": "rate_limit_exceeded" if busy else "server_error", "message": error.message}

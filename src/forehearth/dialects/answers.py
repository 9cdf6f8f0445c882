"""What an answer says, as text: whole, or piece by piece as a stream passes. For counting, never for changing."""

import re
from collections.abc import Iterator

import msgspec

from forehearth.core.usage import Usage
from forehearth.dialects.usage import StreamUsage

_LINE = re.compile(rb"^data:[ \t]*(\{.*)$", re.MULTILINE)
_DONE = b"data: [DONE]\n\n"
_KEPT = 65_536
"""Bytes of a stream that are kept before they are read: most streams end before, and report their usage."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Said(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    function_call: _Function | None = None
    tool_calls: list[_ToolCall] | None = None

    def texts(self) -> Iterator[str]:
        """All that was said."""
        yield from (text for text in (self.reasoning_content, self.content, self.refusal) if text)
        functions = [each.function for each in self.tool_calls or ()]
        for function in (*functions, self.function_call):
            if function is not None:
                yield (function.name or "") + (function.arguments or "")


class _Choice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None

    def said(self) -> str:
        """What this choice says here."""
        said = self.delta or self.message
        return self.text or ("".join(said.texts()) if said is not None else "")


class Chunk(msgspec.Struct):
    """What is common to a whole answer and to one event of a stream."""

    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    choices: list[_Choice] = []


_decoder = msgspec.json.Decoder(Chunk)


def texts(body: bytes) -> list[str]:
    """What each choice of a whole answer says."""
    return [choice.said() for choice in _read(body).choices]


class StreamText:
    """Follows a stream of server-sent events, in pieces cut anywhere.

    Events are read only when there are many of them, or when it is asked what they said or reported. `usage` looks for
    what is reported, and says how long a line may be that is looked into.
    """

    __slots__ = (
        "_kept",
        "_read_at",
        "_said",
        "_said_size",
        "_spoken",
        "_usage",
        "counted",
        "events",
        "finished",
        "last",
        "open",
        "size",
    )

    def __init__(self, usage: StreamUsage | None = None) -> None:
        self._kept: list[bytes] = []
        self._read_at = _KEPT
        self._usage = usage or StreamUsage()
        self._said_size = 0
        self.size = 0
        """Bytes that have passed."""
        self.counted = 0
        """For who counts tokens now and then: how many bytes had been said the last time."""
        self._said: dict[int, list[str]] = {}
        self._spoken = 0
        self.events = 0
        """For who bounds an answer: events that have passed, and perhaps a few that only look like ones."""
        self.last = Chunk()
        """The latest event that was read."""
        self.open: set[int] = set()
        self.finished: set[int] = set()

    def feed(self, piece: bytes) -> None:
        """The next piece passes."""
        self._kept.append(piece)
        self.size += len(piece)
        if self.size > self._read_at:
            self._read(whole_only=True)

    def count(self, piece: bytes) -> None:
        """Count the events of a piece, for who bounds the answer."""
        self.events += piece.count(b"data:")

    def usage(self) -> Usage | None:
        """The last usage that was reported, once the stream has ended; None where none was."""
        self._usage.feed(b"".join(self._kept))
        return self._usage.finish()

    def cut_short(self, message: str, reported: Usage | None) -> bytes:
        """The end of a stream whose budget is used up; with what it used, where that is to be reported."""
        end = cut_short(self, message)
        if reported is not None:
            end += usage_event(self, reported.prompt, reported.completion)
        return end + _DONE

    def texts(self) -> list[str]:
        """What each choice said."""
        self._read(whole_only=False)
        return ["".join(parts) for parts in self._said.values()]

    def spoken(self) -> int:
        """How many events said something, each choice's counted by itself."""
        self._read(whole_only=True)
        return self._spoken

    def said_size(self) -> int:
        """How many bytes of text were said."""
        self._read(whole_only=True)
        return self._said_size

    def _read(self, *, whole_only: bool) -> None:
        text = b"".join(self._kept)
        end = text.rfind(b"\n") + 1 if whole_only else len(text)
        rest = text[end:]
        self._kept, self._read_at = [rest if len(rest) <= self._usage.longest else b""], self.size + _KEPT
        self._usage.feed(text[:end])
        for line in _LINE.finditer(text, 0, end):
            self.take(line.group(1))

    def take(self, data: bytes) -> None:
        """Look at the data of one event."""
        chunk = _read(data)
        self.last = chunk if chunk.id or not self.last.id else self.last
        for choice in chunk.choices:
            (self.finished if choice.finish_reason else self.open).add(choice.index)
            if said := choice.said():
                self.say(choice.index, said)

    def say(self, choice: int, said: str) -> None:
        """An event says something."""
        self._spoken += 1
        self._said_size += len(said.encode("utf-8", "surrogatepass"))
        self._said.setdefault(choice, []).append(said)


def cut_short(text: StreamText, message: str) -> bytes:
    """The events that end a stream before its model did: every choice that is open has reached its length."""
    last = text.last
    choices = [
        {"index": index, "delta": {}, "finish_reason": "length"}
        if last.object.startswith("chat")
        else {"index": index, "text": "", "finish_reason": "length"}
        for index in sorted(text.open - text.finished)
    ]
    event = {
        "id": last.id,
        "object": last.object,
        "created": last.created,
        "model": last.model,
        "choices": choices,
        "forehearth": {"ended_by": "output_bound", "message": message},
    }
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def usage_event(text: StreamText, prompt: int, completion: int) -> bytes:
    """The event that reports usage, where nobody else does."""
    last = text.last
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    event = {
        "id": last.id,
        "object": last.object,
        "created": last.created,
        "model": last.model,
        "choices": [],
        "usage": usage,
    }
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def _read(text: bytes) -> Chunk:
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Chunk()

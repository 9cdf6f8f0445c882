"""From one answer of a model to messages, steps and events of a run, while it streams.

A text is a message, with a step that says so; calls of functions are one step, which stays open until it is told what
they gave. What the events show is what is to be kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.errors import BackendRefused, Broken, ContextTooLong, ForehearthError, InvalidField
from forehearth.core.usage import Usage
from forehearth.dialects.assistants.objects import (
    Early,
    Error,
    Item,
    Json,
    Message,
    Reason,
    Run,
    Step,
    Tokens,
    ended,
    text_part,
)
from forehearth.dialects.assistants.states import Move
from forehearth.dialects.responses import chunks
from forehearth.dialects.responses.chunks import DONE, Piece, ToolCall

Event = tuple[str, Any]
"""Its name, and what it shows."""
NewId = Callable[[str], str]
STEP: Final = "thread.run.step"
MESSAGE: Final = "thread.message"
STEP_DELTA: Final = f"{STEP}.delta"
MESSAGE_DELTA: Final = f"{MESSAGE}.delta"
_OPENING: Final = ("created", "in_progress")
_LONGEST_ANSWER: Final = 600_000
"""Characters, so that a job can record it however its JSON is written."""
_LENGTH, _FILTER = "length", "content_filter"
EARLY: Final[Mapping[Move, Early]] = {Move.CANCEL: "cancelled", Move.EXPIRE: "expired", Move.FAIL: "failed"}
"""How what is open in a run ends when the run does."""
_LOST: Final = Error(code="server_error", message="Whoever worked at this was lost; it was begun again.")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a run by one answer."""

    move: Move
    items: list[Item] = []
    """What is still to be kept and told, in its order."""
    calls: list[Json] = []
    """Those that whoever asked for the run is to carry out."""
    usage: Tokens | None = None
    reason: str | None = None
    """Why it is incomplete."""
    error: Error | None = None


class Answer:
    """One answer while it comes into being."""

    def __init__(self, run: Run, new_id: NewId, unix: Callable[[], float]) -> None:
        self._run = run
        self._new_id = new_id
        self._unix = unix
        self._reader = chunks.Events()
        self._due: list[Event] = []
        self._size = 0
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._message: tuple[Step, Message] | None = None
        self._calling: Step | None = None
        self._calls: list[_Call] = []
        self._usage: Usage | None = None
        self._finish: str | None = None

    def feed(self, piece: bytes) -> list[Event]:
        """A piece of the stream of chat completions arrives, cut anywhere. Raises `Broken` or `BackendRefused`."""
        self._read(self._reader.feed(piece))
        return self.untold()

    def whole(self, body: bytes) -> list[Event]:
        """The answer is there, whole. Raises `Broken` or `BackendRefused`."""
        piece = chunks.read(body)
        self._take(msgspec.structs.replace(piece, finish=piece.finish or "stop"))
        return self.untold()

    def finish(self) -> tuple[list[Event], Outcome]:
        """The stream is over. Raises `Broken` where the model was not, and `BackendRefused`."""
        self._read(self._reader.finish())
        if self._finish is None:
            raise Broken("The model's host broke off its answer.")
        if self._message is None and self._calling is None:
            self._open_message()
        return self.untold(), self._outcome(self._finish)

    def untold(self) -> list[Event]:
        """The events that are due, such as those of a piece in which something went wrong after them."""
        due, self._due = self._due, []
        return due

    def leave(self, how: Move, error: ForehearthError | None = None) -> Outcome:
        """It ends before its model did: cancelled, expired or failed."""
        word = EARLY.get(how, "failed")
        shown = None if error is None else told(error)
        now = int(self._unix())
        items: list[Item] = []
        if self._message is not None:
            step, message = self._message
            items = [ended(self._written(message), word, now), ended(step, word, now, shown)]
        if self._calling is not None:
            items.append(ended(self._called(self._calling), word, now, shown))
        return Outcome(move=how, items=items, usage=self._used, error=shown)

    @property
    def _used(self) -> Tokens | None:
        return None if self._usage is None else Tokens.of(self._usage)

    def _read(self, found: Iterable[bytes]) -> None:
        for data in found:
            if data.strip() == DONE:
                self._finish = self._finish or "stop"
            else:
                self._take(chunks.read(data))

    def _take(self, piece: Piece) -> None:
        self._usage = piece.usage or self._usage
        said = piece.said
        if said.content:
            self._say(said.content, self._texts, "text")
        if said.refusal:
            self._say(said.refusal, self._refusals, "refusal")
        for place, call in enumerate(said.tool_calls or ()):
            self._call(place if call.index is None else call.index, call)
        self._finish = self._finish or piece.finish

    def _say(self, text: str, texts: list[str], kind: str) -> None:
        self._grow(text)
        if self._message is None:
            self._open_message()
        index = 1 if kind == "refusal" and self._texts else 0
        texts.append(text)
        part = {"value": text, "annotations": []} if kind == "text" else text
        content = [{"index": index, "type": kind, kind: part}]
        self._delta(MESSAGE_DELTA, self._require_message().id, {"role": "assistant", "content": content})

    def _require_message(self) -> Message:
        if self._message is None:
            raise Broken("The model's host went on with a text that was complete.")
        return self._message[1]

    def _open_message(self) -> None:
        if self._calling is not None:
            raise Broken("The model's host sent a text after its calls of functions.")
        run, now, id_ = self._run, int(self._unix()), self._new_id("msg")
        message = Message(
            id=id_,
            created_at=now,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            run_id=run.id,
            status="in_progress",
            role="assistant",
            content=[],
        )
        details = {"type": "message_creation", "message_creation": {"message_id": id_}}
        step = self._step("message_creation", details)
        self._message = (step, message)
        self._due += [(f"{MESSAGE}.{word}", message) for word in _OPENING]

    def _step(self, kind: Any, details: Json) -> Step:
        run = self._run
        step = Step(
            id=self._new_id("step"),
            created_at=int(self._unix()),
            run_id=run.id,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            type=kind,
            step_details=details,
        )
        self._due += [(f"{STEP}.{word}", step) for word in _OPENING]
        return step

    def _call(self, index: int, piece: ToolCall) -> None:
        """A piece of a call. Another id at the same index is another call: some hosts number all of them 0."""
        call = next((each for each in reversed(self._calls) if each.index == index), None)
        if call is None or (piece.id and piece.id != call.id):
            if not piece.function.name:
                raise Broken("The model's host sent a call of a function without its name.")
            if self._calling is None:
                self._close_message()
                self._calling = self._step("tool_calls", {"type": "tool_calls", "tool_calls": []})
            call = _Call(index, piece.id or self._new_id("call"), piece.function.name)
            self._calls.append(call)
            self._call_delta(call, {"name": call.name, "arguments": "", "output": None})
        arguments = piece.function.arguments
        if arguments:
            self._grow(arguments)
            call.pieces.append(arguments)
            self._call_delta(call, {"arguments": arguments})

    def _call_delta(self, call: "_Call", function: Json) -> None:
        told_once = {"id": call.id} if "name" in function else {}
        place = self._calls.index(call)
        shown = {"index": place, **told_once, "type": "function", "function": function}
        if self._calling is not None:
            self._delta(STEP_DELTA, self._calling.id, {"step_details": {"type": "tool_calls", "tool_calls": [shown]}})

    def _delta(self, name: str, id_: str, delta: Json) -> None:
        self._due.append((name, {"id": id_, "object": name, "delta": delta}))

    def _close_message(self) -> None:
        """The text is over, because functions are called."""
        if self._message is not None:
            self._due += events(self._said(self._message, None))
            self._message = None

    def _said(self, open_: tuple[Step, Message], usage: Tokens | None) -> list[Item]:
        step, message = open_
        now = int(self._unix())
        done = msgspec.structs.replace(step, status="completed", completed_at=now, usage=usage)
        reason = {_LENGTH: "max_tokens", _FILTER: "content_filter"}.get(self._finish or "")
        written = self._written(message)
        if reason is None:
            return [msgspec.structs.replace(written, status="completed", completed_at=now), done]
        cut = {"incomplete_details": Reason(reason), "incomplete_at": now}
        return [msgspec.structs.replace(written, status="incomplete", **cut), done]

    def _written(self, message: Message) -> Message:
        parts = [text_part("".join(self._texts))] if self._texts or not self._refusals else []
        if self._refusals:
            parts.append({"type": "refusal", "refusal": "".join(self._refusals)})
        return msgspec.structs.replace(message, content=parts)

    def _called(self, step: Step) -> Step:
        calls = [call.shown() for call in self._calls]
        return msgspec.structs.replace(step, step_details={"type": "tool_calls", "tool_calls": calls})

    def _outcome(self, finish: str) -> Outcome:
        used = self._used
        if self._calling is not None:
            step = msgspec.structs.replace(self._called(self._calling), usage=used)
            if finish == _LENGTH:
                failed = ended(step, "failed", int(self._unix()), Error(code="server_error", message="It was cut."))
                return Outcome(move=Move.CUT, items=[failed], usage=used, reason="max_completion_tokens")
            calls = [call.required() for call in self._calls]
            return Outcome(move=Move.CALL, items=[step], calls=calls, usage=used)
        items = [] if self._message is None else self._said(self._message, used)
        if finish == _LENGTH:
            return Outcome(move=Move.CUT, items=items, usage=used, reason="max_completion_tokens")
        return Outcome(move=Move.COMPLETE, items=items, usage=used)

    def _grow(self, text: str) -> None:
        self._size += len(text)
        if self._size > _LONGEST_ANSWER:
            raise Broken("The model's host sent an answer that is too long.")


class _Call:
    """A call of a function while it is being written."""

    __slots__ = ("id", "index", "name", "pieces")

    def __init__(self, index: int, id: str, name: str) -> None:  # noqa: A002 - what it is
        self.index = index
        self.id = id
        self.name = name
        self.pieces: list[str] = []

    def shown(self) -> Json:
        """As a step has it."""
        function = {"name": self.name, "arguments": "".join(self.pieces), "output": None}
        return {"id": self.id, "type": "function", "function": function}

    def required(self) -> Json:
        """As a run asks for it to be carried out."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": "".join(self.pieces)}}


def events(items: Iterable[Item]) -> list[Event]:
    """What tells of messages and steps as they are now; of a step that goes on nothing."""
    kinds = {Message: MESSAGE, Step: STEP}
    return [
        (f"{kinds[type(item)]}.{item.status}", item)
        for item in items
        if not (isinstance(item, Step) and item.status == "in_progress")
    ]


def shown(told: Iterable[tuple[str, Json]]) -> list[Item]:
    """The messages and steps that these events show, as the last of them shows each."""
    found: dict[str, Item] = {}
    for name, body in told:
        if name.startswith((STEP, MESSAGE)) and not name.endswith(".delta"):
            found[body["id"]] = msgspec.convert(body, Item)
    return list(found.values())


def left_open(told: Sequence[tuple[str, Json]], now: int) -> list[Item]:
    """The messages and steps that whoever told these events left open, as they end."""
    texts: dict[str, list[str]] = {}
    for name, body in told:
        if name == MESSAGE_DELTA:
            said = (part["text"]["value"] for part in body["delta"]["content"] if part["type"] == "text")
            texts.setdefault(body["id"], []).extend(said)
    items: list[Item] = []
    for item in reversed(shown(told)):  # a message before the step that tells of it, which was begun first
        if item.status != "in_progress":
            continue
        if isinstance(item, Message):
            content = [text_part("".join(texts.get(item.id, ())))]
            items.append(ended(msgspec.structs.replace(item, content=content), "failed", now))
        else:
            items.append(ended(item, "failed", now, _LOST))
    return items


def is_too_long(error: ForehearthError) -> bool:
    """Whether it says that a model's context does not take what it was shown."""
    if isinstance(error, BackendRefused):
        return error.error_code == ContextTooLong.code
    return isinstance(error, ContextTooLong)


def told(error: ForehearthError) -> Error:
    """A failure as the `last_error` of a run."""
    if is_too_long(error) or isinstance(error, InvalidField):
        return Error(code="invalid_prompt", message=error.message)
    return Error(**chunks.told(error))

"""From an answer of chat completions to a response: whole, or as events while it streams.

Which events follow on what says the table in `states`; here they get their members. A whole answer goes the same way
as a stream of one chunk, so both give the same response.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.errors import BackendRefused, Broken, ForehearthError
from forehearth.core.usage import Usage
from forehearth.dialects.responses import chunks, objects, retold, states
from forehearth.dialects.responses.chunks import DONE, Piece, ToolCall
from forehearth.dialects.responses.items import NewId
from forehearth.dialects.responses.objects import Frame
from forehearth.dialects.responses.spent import Spent
from forehearth.dialects.responses.states import TABLE, State, Step
from forehearth.dialects.responses.tool_items import ToolItem
from forehearth.dialects.responses.written import Called, Happening, Item, Said, happen

Event = dict[str, Any]
"""One event, `type` and `sequence_number` among its members."""
_REASONS: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why a response is incomplete, by the reason that chat completions give for the end of an answer."""
_CONTENTS: Final = {Step.REASONING: "reasoning_text", Step.TEXT: "output_text", Step.REFUSAL: "refusal"}
_LONGEST_ANSWER: Final = 32 << 20
"""Characters."""
_CARRIED_OUT: Final = frozenset(
    {"function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"}
    | {"mcp_approval_request"}
)
"""Items that somebody who hears of them carries out, or decides on."""
_CUT: Final = "length"
"""A reason for which what is open counts as cut."""
_BROKE_OFF: Final = "The model's host broke off its answer."


class Answer:
    """One response while it comes into being. Each method returns the events that are due, in their order."""

    def __init__(self, frame: Frame, new_id: NewId, unix: Callable[[], float]) -> None:
        self._frame = frame
        self._new_id = new_id
        self._unix = unix
        self._reader = chunks.Events()
        self._state = State.NEW
        self._due: list[Event] = []
        self._sequence = 0
        self._size = 0
        self._items: list[Item] = []
        self._calls: dict[int, Called] = {}
        """The latest call at each index that the host gave."""
        self._theirs: frozenset[str] | None = None
        self._wanted: list[Called] = []
        self._spent = Spent()
        self._finish: str | None = None
        self._became = objects.State()
        self._made_by = objects.made_by(frame, "agent_reference", "response_id")
        self.failure: ForehearthError | None = None
        """Why it failed, where it did."""

    @property
    def over(self) -> bool:
        """Whether the last event was given."""
        return self._state is State.OVER

    @property
    def usage(self) -> Usage | None:
        """What the host says was used."""
        return self._became.usage

    @property
    def response(self) -> dict[str, Any]:
        """The response as it is now, whole."""
        output = [item.shown() for item in self._items]
        return objects.whole(self._frame, msgspec.structs.replace(self._became, output=output))

    @property
    def said(self) -> bool:
        """Whether the model has said all, though its usage may still come."""
        return self._state in (State.SAID, State.OVER)

    @property
    def became(self) -> objects.State:
        """What has become of it, but for its output."""
        return self._became

    def queue(self) -> list[Event]:
        """It has to wait for its turn."""
        self._became = msgspec.structs.replace(self._became, status="queued")
        self._step(Step.QUEUE)
        return self._given()

    def again(self, told: Iterable[Event]) -> list[Event]:
        """Go on behind these events, which end anywhere: what is open in them is closed as incomplete.

        From here on the numbers of events are not those that a client sees: whoever tells them on knows how many were.

        Of a call whose arguments were closed somebody may have heard, so that it stands: see `called`.
        """
        begun = False
        for event in told:
            retold.tell(self._items, event, here=bool(self._frame.question.tools.remote))
            begun = True
        retold.interrupted(self._items)
        if not begun:
            return []
        for item in self._items:
            item.made_by = self._made_by
        self._became = msgspec.structs.replace(self._became, status="in_progress")
        self._finish = _CUT
        for item in self._items:
            if item.status == "in_progress":
                self._state = retold.state(item)
                closing = [name for name in TABLE[self._state, Step.AGAIN][0] if name in states.CLOSING]
                self._close(closing if isinstance(item, ToolItem) else closing or [states.ITEM_DONE], item)
        self._finish = None
        self._state = State.IDLE if self.unanswered is None else retold.state(self.unanswered)
        return self._given()

    @property
    def called(self) -> bool:
        """Whether somebody else has the word: a call of theirs is whole, or one waits for approval.

        Whoever heard of it may be carrying it out.
        """
        return any(item.kind in _CARRIED_OUT and item.status == "completed" for item in self._items)

    def hold(self, theirs: frozenset[str]) -> None:
        """Calls of these names are the client's to make; all others are `wanted` when the model has said all."""
        self._theirs = theirs

    def _is_held(self, call: Called) -> bool:
        return self._theirs is not None and call.name not in self._theirs

    def earlier(self, usages: Sequence[Usage | None]) -> None:
        """What earlier answers of this response took; None of one where it is not known."""
        self._spent.add(usages)
        self._became = msgspec.structs.replace(self._became, usage=self._spent.total)

    @property
    def used(self) -> Usage | None:
        """What this answer of the model took."""
        return self._spent.now

    @property
    def wanted(self) -> list[Called]:
        """The calls that are to be made before the model goes on; none where its answer was cut."""
        return [] if self._finish in _REASONS else self._wanted

    @property
    def unanswered(self) -> ToolItem | None:
        """The call of a tool that was begun, and of which it is not known what became."""
        last = self._items[-1] if self._items else None
        return last if isinstance(last, ToolItem) and last.status == "in_progress" else None

    def onward(self) -> list[Called]:
        """The calls that are wanted, once: tools are called now, and then the model is asked again."""
        wanted, self._wanted = self.wanted, []
        self._step(Step.ONWARD)
        self._spent.onward()
        self._reader, self._calls, self._finish = chunks.Events(), {}, None
        return wanted

    def tool(self, step: Step, item: ToolItem | None = None, arguments: str = "") -> list[Event]:
        """What happens to a tool: the `item` begins, or the latest one goes on."""
        self._step(step, Happening(item=item, text=arguments))
        return self._given()

    def stop_here(self, *, cut: bool = False) -> list[Event]:
        """What there is of it is the answer, or, `cut`, all that may be written of it."""
        self._end(_CUT if cut else "tool_calls")
        self._last()
        return self._given()

    def restore(self, became: objects.State) -> None:
        """It is over, and this had become of it."""
        self._became = became
        self._state = State.OVER
        for item in self._items:
            if item.status == "in_progress":
                item.status = "incomplete"

    def begin(self) -> list[Event]:
        """The call begins."""
        self._became = msgspec.structs.replace(self._became, status="in_progress")
        self._step(Step.BEGIN)
        return self._given()

    def feed(self, piece: bytes) -> list[Event]:
        """A piece of the stream of chat completions arrives, cut anywhere."""
        try:
            self._read(self._reader.feed(piece))
        except (Broken, BackendRefused) as error:
            self._fail(error)
        return self._given()

    def finish(self) -> list[Event]:
        """The stream is over."""
        try:
            self._read(self._reader.finish())
            self._last()
        except (Broken, BackendRefused) as error:
            self._fail(error)
        return self._given()

    def fail(self, error: ForehearthError) -> list[Event]:
        """The stream cannot be read to its end."""
        self._fail(error)
        return self._given()

    def whole(self, body: bytes) -> list[Event]:
        """The answer is there, whole. Raises `Broken`, or `BackendRefused` where it tells of an error."""
        piece = chunks.read(body)
        if piece.finish is None and piece.said == chunks.Said():
            raise Broken("The model's host sent an answer in which nothing is said.")
        self._take(msgspec.structs.replace(piece, finish=piece.finish or "stop"))
        self._last()
        return self._given()

    def cancel(self) -> None:
        """Nobody waits for it any more: it stays as it is."""
        if not self.over:
            self._state = State.OVER
            self._leave("cancelled")

    def error(self, code: str, message: str) -> list[Event]:
        """Something went wrong beside the answer itself; nothing comes after this."""
        self._state = State.OVER
        self._add(states.ERROR, {"code": code, "message": message, "param": None})
        return self._given()

    def _given(self) -> list[Event]:
        due, self._due = self._due, []
        return due

    def _read(self, found: Iterable[bytes]) -> None:
        for data in found:
            if self.over:
                return
            if data.strip() == DONE:
                self._end("stop")
            else:
                self._take(chunks.read(data))

    def _take(self, piece: Piece) -> None:
        """What one chunk says."""
        became = self._became
        if piece.usage is not None or piece.service_tier is not None:
            self._spent.now = piece.usage or self._spent.now
            self._became = msgspec.structs.replace(
                became,
                usage=self._spent.total,
                service_tier=piece.service_tier or became.service_tier,
            )
        if self._state is State.SAID:
            return
        said = piece.said
        for step, text in (
            (Step.REASONING, said.thought),
            (Step.TEXT, said.content),
            (Step.REFUSAL, said.refusal),
        ):
            if text:
                self._grow(text)
                logprobs = piece.logprobs if step is Step.TEXT else []
                self._step(step, Happening(kind=_CONTENTS[step], text=text, logprobs=logprobs))
        for place, call in enumerate(said.tool_calls or ()):
            self._call(place if call.index is None else call.index, call)
        if piece.finish is not None:
            self._end(piece.finish)

    def _call(self, index: int, piece: ToolCall) -> None:
        """A piece of a call. Another id at the same index is another call: some hosts number all of them 0."""
        call = self._calls.get(index)
        if call is None or (piece.id and piece.id != call.call_id):
            if not piece.function.name:
                raise Broken("The model's host sent a call of a function without its name.")
            call = Called(self._new_id("fc"), piece.id or self._new_id("call"), piece.function.name)
            self._calls[index] = call
            if self._is_held(call):
                self._wanted.append(call)
            else:
                self._step(Step.CALL, Happening(item=call))
        arguments = piece.function.arguments
        if not arguments:
            return
        if call.status != "in_progress":
            raise Broken("The model's host went on with a call that was complete.")
        self._grow(arguments)
        if self._is_held(call):
            call.add(arguments)
        elif self._state is State.CALL:
            self._step(Step.ARGUMENTS, Happening(item=call, text=arguments))
        else:  # one that was left open while something else was said
            self._happen(states.ARGUMENTS_DELTA, Happening(item=call, text=arguments))

    def _grow(self, text: str) -> None:
        self._size += len(text)
        if self._size > _LONGEST_ANSWER:
            raise Broken("The model's host sent an answer that is too long.")

    def _end(self, finish: str) -> None:
        """The model has said all; its usage may still come."""
        if self._state is State.SAID:
            return
        self._finish = finish
        current = self._items[-1] if self._state is State.CALL else None
        for call in self._items:
            if isinstance(call, Called) and call.status == "in_progress" and call is not current:
                self._close(states.CALLED, call)
        self._step(Step.END)

    def _last(self) -> None:
        if self.over:
            return
        if self._state is not State.SAID:
            raise Broken(_BROKE_OFF)
        if self.wanted:
            return
        reason = _REASONS.get(self._finish or "")
        if reason is not None:
            self._became = msgspec.structs.replace(self._became, status="incomplete", reason=reason)
            self._step(Step.CUT)
        else:
            now = int(self._unix())
            self._became = msgspec.structs.replace(self._became, status="completed", completed_at=now)
            self._step(Step.COMPLETE)

    def _fail(self, error: ForehearthError) -> None:
        if self.over:
            return
        self.failure = error
        self._leave("failed", chunks.told(error))
        self._step(Step.BREAK)

    def _leave(self, status: str, error: Mapping[str, str] | None = None) -> None:
        """It ends before its model did."""
        self._became = msgspec.structs.replace(self._became, status=status, error=error)
        for item in self._items:
            if item.status == "in_progress":
                item.status = "incomplete"

    def _step(self, step: Step, what: Happening | None = None) -> None:
        """Go on by the table."""
        before = self._state
        names, self._state = TABLE[before, step]
        closing = [name for name in names if name in states.CLOSING]
        if closing and not self._stays_open(before, step):
            self._close(closing, self._items[-1])
        for name in names[len(closing) :]:
            if name == states.ITEM_ADDED:
                self._open(step, what)
            if name in states.OF_RESPONSE:
                self._add(name, {"response": self.response})
            else:
                self._happen(name, what or Happening())

    def _stays_open(self, before: State, step: Step) -> bool:
        """Whether a call is not closed though something else begins: its host writes several at the same time."""
        return before is State.CALL and step is not Step.END and not self._items[-1].is_whole

    def _open(self, step: Step, what: Happening | None) -> None:
        if what is not None and what.item is not None:
            item: Item = what.item
        else:
            kind = "reasoning" if step is Step.REASONING else "message"
            item = Said(kind, self._new_id("rs" if step is Step.REASONING else "msg"))
        item.index = len(self._items)
        item.made_by = self._made_by
        self._items.append(item)

    def _close(self, names: Iterable[str], item: Item) -> None:
        for name in names:
            if name == states.ITEM_DONE and item.status == "in_progress":
                is_cut = self._finish in _REASONS and (item is self._items[-1] or not item.is_whole)
                item.status = "incomplete" if is_cut else "completed"
            self._happen(name, Happening(item=item))

    def _happen(self, name: str, what: Happening) -> None:
        item = what.item or self._items[-1]
        self._add(name, happen(name, item, what))

    def _add(self, name: str, members: Mapping[str, Any]) -> None:
        self._due.append({"type": name, "sequence_number": self._sequence, **members})
        self._sequence += 1


def encoded(event: Event) -> bytes:
    """The event as the stream has it."""
    raw: bytes | None = getattr(event, "raw", None)
    if raw is not None:  # of a host whose events are passed through
        return raw
    kind: str = event["type"]
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"

"""The answer of a host that has this API itself, passed through: every byte as it came, but for what is kept here.

In the response, whole or within an event, `id`, `previous_response_id`, `conversation`, `store` and `background` are
those of here; documented members that the host left out are added, as null where there is nothing to say. An event
without its `sequence_number`, `output_index` or `content_index` gets it. All else, what nobody here knows included,
stays as it is.

It answers to the same calls as `answer.Answer` does for chat completions.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from forehearth.core.errors import Broken, ForehearthError
from forehearth.dialects import json_members, openai_errors
from forehearth.dialects.responses import blocks, chunks, objects, states
from forehearth.dialects.responses.answer import Event
from forehearth.dialects.responses.growing import Output, require_item
from forehearth.dialects.responses.items import Resource
from forehearth.dialects.responses.objects import Frame

_ENDS: Final = frozenset({states.COMPLETED, states.INCOMPLETE, states.FAILED})
_BEGINS: Final = frozenset({states.CREATED, states.QUEUED, states.IN_PROGRESS})
_OF_ITEM: Final = frozenset({states.ITEM_ADDED, states.ITEM_DONE})
_STREAM_FAILED: Final = 500
_NO_RESPONSE: Final = "The model's host sent an answer that is no response."
_STATUSES: Final = frozenset({"queued", "in_progress", "completed", "incomplete", "failed", "cancelled"})


class AsItCame(dict[str, Any]):
    """An event with its bytes. `dialects.responses.answer.encoded` gives these."""

    raw: bytes


class Passed:
    """One response while its host answers. Each method returns the events that are due, in their order.

    `before` are items of the output that are there already, of a worker that died. Where the response is `told` by
    whoever makes it in the background, the events of the response itself are left out.
    """

    def __init__(
        self, frame: Frame, unix: Callable[[], float], *, before: Iterable[Resource] = (), told: bool = False
    ) -> None:
        self._frame = frame
        self._unix = unix
        self._told = told
        self._blocks = blocks.Blocks()
        self._output = Output(list(before))
        self._before = list(before)
        self._sequence = 0
        self._host: dict[str, Any] = {}
        """The response as its host last showed it, with what is of here."""
        self._held: list[Event] = []
        """The last event and what is behind it: sent when the stream has ended, and the response is kept."""
        self._became: objects.State | None = None
        self._made_by = objects.made_by(frame, "agent_reference", "response_id")
        self.body = b""
        """Of an answer that is whole: the response as it is sent."""
        self.over = False
        self.failure: ForehearthError | None = None
        """Why it failed, where it did."""

    @property
    def said(self) -> bool:
        """Whether the host has told the end."""
        return self._became is not None

    @property
    def response(self) -> dict[str, Any]:
        """The response as it is now, whole."""
        return objects.whole(self._frame, self.became)

    @property
    def became(self) -> objects.State:
        """What has become of it."""
        became = self._became or objects.State(output=self._output.shown("in_progress"))
        return msgspec.structs.replace(became, host=self._host or None)

    def begin(self) -> list[Event]:
        """The call begins: its host tells so."""
        return []

    def feed(self, piece: bytes) -> list[Event]:
        """A piece of the host's stream arrives, cut anywhere."""
        due: list[Event] = []
        try:
            for block in self._blocks.feed(piece):
                due += self._take(block)
        except ForehearthError as error:
            due += self.fail(error)
        return due

    def finish(self) -> list[Event]:
        """The stream is over."""
        due: list[Event] = []
        try:
            rest = self._blocks.finish()
            if rest.strip():
                due += self._take(rest.rstrip() + b"\n\n")
            if self._became is None:
                raise Broken("The model's host broke off its answer.")
        except ForehearthError as error:
            return due + self.fail(error)
        return due + self._last()

    def fail(self, error: ForehearthError) -> list[Event]:
        """The stream cannot be read to its end. What the host said of the end stays true."""
        if self.over:
            return []
        if self._became is not None:
            return self._last()
        self.failure = error
        self._leave("failed", chunks.told(error))
        return [{"type": states.FAILED, "sequence_number": self._sequence, "response": self.response}]

    def whole(self, body: bytes) -> list[Event]:
        """The answer is there, whole. Raises `Broken`, or `BackendRefused` where it tells of an error."""
        response = _object(body)
        if response.get("object", "response") != "response" or not isinstance(response.get("output"), list):
            raise Broken(_NO_RESPONSE)
        self.body = self._end(response, body, "completed")
        self.over = True
        return []

    def cancel(self) -> None:
        """Nobody waits for it any more: it stays as it is."""
        if not self.over:
            self._became = None
            self._leave("cancelled", None)
            self.over = True

    def restore(self, became: objects.State) -> None:
        """It is over, and this had become of it."""
        self._became = became
        self.over = True

    def _last(self) -> list[Event]:
        self.over = True
        due, self._held = self._held, []
        return due

    def _leave(self, status: str, error: dict[str, str] | None) -> None:
        self.over = True
        output = self._output.shown("incomplete")
        self._became = objects.State(status=status, error=error, output=output)

    def _take(self, block: bytes) -> list[Event]:
        """One event of the host; what is sent of it now."""
        data = blocks.data(block)
        if not data or data.strip() == chunks.DONE:
            return self._sent({}, block)
        event = _object(data)
        kind = event.get("type")
        if not isinstance(kind, str) or kind == states.ERROR:
            return self._error(event, data, block)
        values: dict[str, Any] = {}
        response = event.get("response")
        if kind in _ENDS and isinstance(response, dict):
            status = kind.removeprefix("response.")
            values["response"] = msgspec.Raw(self._end(response, _member(data, "response"), status))
        elif kind in _BEGINS and isinstance(response, dict):
            values["response"] = msgspec.Raw(self._shown(response, _member(data, "response"), kind))
        else:
            values |= self._output.tell(event, len(data))
        if kind in _OF_ITEM and self._made_by and isinstance(event.get("item"), dict):
            event["item"] |= self._made_by
            values["item"] = event["item"]
        number = event.get("sequence_number")
        if not isinstance(number, int):
            values["sequence_number"] = number = self._sequence
        self._sequence = number + 1
        if not values:
            return self._sent(event, block)
        data = json_members.put(data, {name: msgspec.json.encode(value) for name, value in values.items()})
        return self._sent(event | values, blocks.with_data(block, data))

    def _sent(self, event: Event, block: bytes) -> list[Event]:
        """Send it now; the last one, and what is behind it, later."""
        if self._told and event.get("type", states.CREATED) in (_BEGINS | _ENDS | {states.ERROR}):
            return []
        sent = AsItCame(event)
        sent.raw = block
        if self._became is None:
            return [sent]
        if event or not self._held:
            sent.setdefault("sequence_number", self._sequence)
        else:  # a mark behind the last event, which has to stay the last one
            last = self._held[-1]
            sent.update(last)
            sent.raw = getattr(last, "raw", b"") + block
            self._held.pop()
        self._held.append(sent)
        return []

    def _error(self, event: dict[str, Any], data: bytes, block: bytes) -> list[Event]:
        """The host tells of an error, as an event of this API or in another form."""
        error = openai_errors.read(_STREAM_FAILED, {}, data, backend="")
        if event.get("type") != states.ERROR:
            if "error" not in event:
                raise Broken(_NO_RESPONSE)
            raise error
        self.failure = error
        self._became = objects.State(status="failed", error=chunks.told(error), output=self._output.shown("incomplete"))
        return self._sent(event, block)

    def _end(self, response: dict[str, Any], raw: bytes, status: str) -> bytes:
        """What the host says of the end; the response as it is sent."""
        told = response.get("output")
        if isinstance(told, list):
            for item in told:
                require_item(item)
            output = [*self._before, *(item | self._made_by for item in told)]
        else:
            output = self._output.shown("incomplete")
        status = _status(response, status)
        given = response.get("error")
        error = given if isinstance(given, dict) else None
        now = int(self._unix()) if status == "completed" else None
        self._host = {name: value for name, value in response.items() if name != "output"}
        self._became = objects.State(status=status, output=output, completed_at=now, error=error)
        return self._whole(response, raw, status)

    def _shown(self, response: dict[str, Any], raw: bytes, kind: str) -> bytes:
        self._host = {name: value for name, value in response.items() if name != "output"}
        return self._whole(response, raw, _status(response, "queued" if kind == states.QUEUED else "in_progress"))

    def _whole(self, response: dict[str, Any], raw: bytes, status: str) -> bytes:
        """The bytes of the response with what is of here, and with what it has not."""
        shown = objects.whole(self._frame, self.became) | {"status": status}
        names = (*objects.OF_HERE, "status", "error")
        values = {name: shown[name] for name in names if response.get(name, ...) != shown[name]}
        if shown.get("usage") != response.get("usage"):
            values["usage"] = shown["usage"]
        if self._made_by:
            values |= {"agent_reference": self._made_by["agent_reference"]}
        if self._made_by or self._before:
            values["output"] = shown["output"]
        added = {name: value for name, value in shown.items() if name not in response}
        encode = msgspec.json.encode
        return json_members.put(
            raw,
            {name: encode(value) for name, value in values.items()},
            missing={name: encode(value) for name, value in added.items()},
        )


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Broken(_NO_RESPONSE) from None
    if not isinstance(found, dict):
        raise Broken(_NO_RESPONSE)
    return found


def _status(response: dict[str, Any], meant: str) -> str:
    """What the host says it is, where that is a status at all."""
    said = response.get("status")
    return said if isinstance(said, str) and said in _STATUSES else meant


def _member(data: bytes, name: str) -> bytes:
    """The bytes of a member that is there."""
    return next(data[each.value_start : each.end] for each in json_members.members(data) if each.key == name)

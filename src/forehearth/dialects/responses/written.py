"""The items of an answer while they are being written, and what the events say of them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from forehearth.dialects.responses import states
from forehearth.dialects.responses.chunks import Logprob
from forehearth.dialects.responses.items import Resource
from forehearth.dialects.responses.tool_items import ToolItem

_MEMBER: Final = {"reasoning_text": "text", "output_text": "text", "refusal": "refusal"}
"""The member in which a content has its text."""


class Part:
    """A content of a message or of reasoning. `kind` is `reasoning_text`, `output_text` or `refusal`."""

    __slots__ = ("_pieces", "kind", "logprobs")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.logprobs: list[Logprob] = []
        """Of each token; empty where they were not asked for."""
        self._pieces: list[str] = []

    def add(self, text: str, logprobs: list[Logprob]) -> None:
        """The model goes on."""
        self._pieces.append(text)
        self.logprobs += logprobs

    @property
    def text(self) -> str:
        """All that was said."""
        return "".join(self._pieces)

    def shown(self) -> Resource:
        """As it is now."""
        part: Resource = {"type": self.kind, _MEMBER[self.kind]: self.text}
        if self.kind == "output_text":
            part |= {"annotations": [], "logprobs": [_in_part(each) for each in self.logprobs]}
        return part


class Given:
    """An item as somebody told it, whatever it is: one that was closed, or of a kind that is not written here."""

    __slots__ = ("_item", "index", "made_by")

    def __init__(self, item: Resource, index: int, *, is_open: bool) -> None:
        self._item = item if "status" in item or not is_open else item | {"status": "in_progress"}
        self.index = index
        self.made_by: Resource = {}

    @property
    def id(self) -> str:
        """Its id."""
        return str(self._item.get("id"))

    @property
    def kind(self) -> str:
        """What it is."""
        return str(self._item.get("type"))

    @property
    def status(self) -> str:
        """`completed` where it does not say."""
        return str(self._item.get("status", "completed"))

    @status.setter
    def status(self, status: str) -> None:
        self._item = self._item | {"status": status}

    @property
    def is_whole(self) -> bool:
        """Whether something else may begin."""
        return True

    def shown(self) -> Resource:
        """As it was told."""
        return self._item | self.made_by


class Said:
    """A message of the assistant, or its reasoning. `kind` is `message` or `reasoning`."""

    __slots__ = ("id", "index", "kind", "made_by", "parts", "status")

    def __init__(self, kind: str, id: str) -> None:  # noqa: A002 - what it is
        self.kind = kind
        self.id = id
        self.index = 0
        """Its place in the output."""
        self.parts: list[Part] = []
        self.status = "in_progress"
        self.made_by: Resource = {}
        """What it says of an agent that made it."""

    @property
    def is_whole(self) -> bool:
        """Whether something else may begin: what was said is said."""
        return True

    def shown(self) -> Resource:
        """As it is now."""
        content = [part.shown() for part in self.parts]
        if self.kind == "reasoning":
            shown = {"id": self.id, "type": "reasoning", "status": self.status, "summary": [], "content": content}
        else:
            shown = {"id": self.id, "type": "message", "status": self.status, "role": "assistant", "content": content}
        return shown | self.made_by


class Called:
    """A call of a function."""

    kind: Final = "function_call"
    __slots__ = ("_pieces", "call_id", "id", "index", "made_by", "name", "status")

    def __init__(self, id: str, call_id: str, name: str) -> None:  # noqa: A002 - what it is
        self.id = id
        self.call_id = call_id
        self.name = name
        self.index = 0
        """Its place in the output."""
        self.status = "in_progress"
        self.made_by: Resource = {}
        """What it says of an agent that made it."""
        self._pieces: list[str] = []

    def add(self, arguments: str) -> None:
        """The model goes on."""
        self._pieces.append(arguments)

    @property
    def arguments(self) -> str:
        """All of them so far."""
        return "".join(self._pieces)

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are complete, as far as one can see: they are JSON."""
        try:
            msgspec.json.decode(self.arguments)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        return True

    def shown(self) -> Resource:
        """As it is now."""
        return {
            "id": self.id,
            "type": "function_call",
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        } | self.made_by


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """What an event is about: an item, the latest one unless it is named, and what is added to it."""

    item: Any = None
    """A `Said`, a `Called`, a `ToolItem`, or a `Given` that is closed."""
    kind: str = ""
    """Of the content that begins."""
    text: str = ""
    logprobs: list[Logprob] = []


Item = Said | Called | Given | ToolItem


def happen(name: str, item: Item, what: Happening) -> Mapping[str, Any]:
    """Let it happen to the item; the members of the event that tells of it."""
    if name in (states.ITEM_ADDED, states.ITEM_DONE) or isinstance(item, Given):
        return {"output_index": item.index, "item": item.shown()}
    place: dict[str, Any] = {"item_id": item.id, "output_index": item.index}
    if isinstance(item, ToolItem):
        if name == states.TOOL_ARGUMENTS_DELTA:
            item.add(what.text)
            return place | {"delta": what.text}
        return place | ({"arguments": item.shown()["arguments"]} if name == states.TOOL_ARGUMENTS_DONE else {})
    if isinstance(item, Called):
        if name == states.ARGUMENTS_DELTA:
            item.add(what.text)
            return place | {"delta": what.text}
        return place | {"name": item.name, "arguments": item.arguments}
    if name == states.PART_ADDED:
        item.parts.append(Part(what.kind))
    return place | {"content_index": len(item.parts) - 1} | _of_part(name, item.parts[-1], what)


def _of_part(name: str, part: Part, what: Happening) -> dict[str, Any]:
    if name in (states.PART_ADDED, states.PART_DONE):
        return {"part": part.shown()}
    if name in states.DELTAS:
        part.add(what.text, what.logprobs)
        member, text, logprobs = "delta", what.text, what.logprobs
    else:
        member, text, logprobs = _MEMBER[part.kind], part.text, part.logprobs
    members: dict[str, Any] = {member: text}
    return members | {"logprobs": [_in_event(each) for each in logprobs]} if part.kind == "output_text" else members


def _in_event(logprob: Logprob) -> Resource:
    """A token's probability as events have it: without bytes."""
    likeliest = [{"token": each.token, "logprob": each.logprob} for each in logprob.top_logprobs]
    return {"token": logprob.token, "logprob": logprob.logprob, "top_logprobs": likeliest}


def _in_part(logprob: Logprob) -> Resource:
    likeliest = [
        {"token": each.token, "logprob": each.logprob, "bytes": each.bytes or []} for each in logprob.top_logprobs
    ]
    return {"token": logprob.token, "logprob": logprob.logprob, "bytes": logprob.bytes or [], "top_logprobs": likeliest}

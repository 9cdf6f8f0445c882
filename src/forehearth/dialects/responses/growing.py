"""The output of a response while a host that has this API tells of it: its items, unknown ones included."""

from typing import Any, Final

from forehearth.core.errors import Broken
from forehearth.dialects.responses import states
from forehearth.dialects.responses.items import Resource

_LONGEST: Final = 64 << 20
"""Bytes of all that is told, but for what is told again."""
_GROWS: Final = {
    states.TEXT_DELTA: ("content", "content_index", "text"),
    states.REFUSAL_DELTA: ("content", "content_index", "refusal"),
    states.REASONING_DELTA: ("content", "content_index", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "text"),
}
"""By the event: the member with the parts, the one that says which part it is, and the one that grows."""
_WHOLE: Final = {
    states.ARGUMENTS_DELTA: "arguments",
    "response.mcp_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
}
"""The same for what grows in the item itself."""
_PARTS: Final = {states.PART_ADDED: "content", "response.reasoning_summary_part.added": "summary"}
_PARTS_DONE: Final = {states.PART_DONE: "content", "response.reasoning_summary_part.done": "summary"}
_INDEX: Final = {"content": "content_index", "summary": "summary_index"}


class _Growing:
    """One item. What grows is kept in pieces until it is looked at."""

    __slots__ = ("done", "item", "pieces")

    def __init__(self, item: Resource) -> None:
        self.item = item
        self.done = False
        self.pieces: dict[tuple[str, int, str], list[str]] = {}

    def shown(self) -> Resource:
        """As it is now."""
        if self.done or not self.pieces:
            return self.item
        shown = dict(self.item)
        for (member, index, name), pieces in self.pieces.items():
            text = "".join(pieces)
            if not member:
                shown[name] = text
                continue
            parts = list(shown[member]) if isinstance(shown.get(member), list) else []
            if 0 <= index < len(parts) and isinstance(parts[index], dict):
                parts[index] = parts[index] | {name: text}
                shown[member] = parts
        return shown


def require_item(item: object) -> None:
    """Raises `Broken` for what is no item: an object that says what it is."""
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or not isinstance(item.get("id"), str):
        raise Broken("The model's host sent an item that is none.")


class Output:
    """The items, in their order. `before` are there already: what comes now comes behind them."""

    def __init__(self, before: list[Resource]) -> None:
        self._before = before
        self._items: list[_Growing] = []
        self._places: dict[object, int] = {}
        """By the index that the host has given an item: its place here."""
        self._size = 0

    @property
    def start(self) -> int:
        """The place of the first item of this host."""
        return len(self._before)

    def shown(self, status: str) -> list[Resource]:
        """All items as they are now; those that are not whole with this `status`."""
        items = []
        for each in self._items:
            shown = each.shown()
            items.append(shown if each.done else shown | {"status": status})
        return [*self._before, *items]

    def tell(self, event: dict[str, Any], size: int) -> dict[str, Any]:
        """Let it happen; the members of the event that it should have and has not: which item and part it is of.

        An event that is not known changes nothing. Raises `Broken` where all of them are too long.
        """
        self._grow(size)
        kind = event["type"]
        if kind in (states.ITEM_ADDED, states.ITEM_DONE):
            require_item(event.get("item"))
        if kind == states.ITEM_ADDED:
            self._items.append(_Growing(event["item"]))
            added = len(self._items) - 1
            index = event.get("output_index")
            self._places[index if isinstance(index, int) else added] = added
            return self._missing(event, added)
        place = self._place(event)
        if place is None:
            return {}
        missing = self._missing(event, place)
        growing = self._items[place]
        if kind == states.ITEM_DONE:
            growing.item, growing.done = event["item"], True
        elif kind in _PARTS or kind in _PARTS_DONE:
            missing |= self._part(event, growing, kind)
        elif kind in _GROWS:
            member, index, name = _GROWS[kind]
            at = event.get(index, max(_length(growing.item.get(member)) - 1, 0))
            missing |= {} if index in event else {index: at}
            self._add(growing, (member, at, name), event.get("delta"))
        elif kind in _WHOLE:
            self._add(growing, ("", -1, _WHOLE[kind]), event.get("delta"))
        elif kind in (states.TEXT_DONE, states.REFUSAL_DONE, states.REASONING_DONE) and "content_index" not in event:
            missing["content_index"] = max(_length(growing.item.get("content")) - 1, 0)
        return missing

    def _part(self, event: dict[str, Any], growing: _Growing, kind: str) -> dict[str, Any]:
        member = _PARTS.get(kind) or _PARTS_DONE[kind]
        parts = growing.item.get(member)
        if kind in _PARTS and isinstance(event.get("part"), dict):
            parts = [*(parts if isinstance(parts, list) else ()), event["part"]]
            growing.item = growing.item | {member: parts}
        return {} if _INDEX[member] in event else {_INDEX[member]: max(_length(parts) - 1, 0)}

    @staticmethod
    def _add(growing: _Growing, key: tuple[str, int, str], delta: object) -> None:
        if isinstance(delta, str) and isinstance(key[1], int):
            growing.pieces.setdefault(key, []).append(delta)

    def _missing(self, event: dict[str, Any], place: int) -> dict[str, Any]:
        """Where the item stands, as a client has to see it."""
        at = place + self.start
        return {} if event.get("output_index") == at else {"output_index": at}

    def _place(self, event: dict[str, Any]) -> int | None:
        """Which item an event is of; None for one that is of none."""
        index = event.get("output_index")
        if isinstance(index, int):
            return self._places.get(index)
        item = event.get("item")
        id_ = event.get("item_id") or (item.get("id") if isinstance(item, dict) else None)
        places = range(len(self._items) - 1, -1, -1)
        return next((place for place in places if id_ is not None and self._items[place].item.get("id") == id_), None)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > _LONGEST:
            raise Broken("The model's host sent an answer that is too long.")


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else 0

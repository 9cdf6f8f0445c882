"""The items of an answer from the events that told of them: so that another worker can go on behind these."""

from typing import Any, Final

import msgspec

from forehearth.dialects.responses import states
from forehearth.dialects.responses.chunks import Logprob
from forehearth.dialects.responses.states import State
from forehearth.dialects.responses.tool_items import ToolItem
from forehearth.dialects.responses.written import Called, Given, Item, Part, Said

_WRITTEN: Final = frozenset({"message", "reasoning", "function_call"})
_OPEN: Final = {"reasoning_text": State.REASONING, "output_text": State.TEXT, "refusal": State.REFUSAL}
_TOOLS: Final = {"mcp_list_tools": State.LISTING, "mcp_call": State.TOOL, "openapi_call": State.OPERATION}


def tell(items: list[Item], event: dict[str, Any], *, here: bool) -> None:
    """Let it happen to the items. What an event says again, such as all of a text at its end, adds nothing.

    `here` is where tools are called: their items can be gone on with.
    """
    kind, place = event["type"], event.get("output_index")
    if kind == states.ITEM_ADDED:
        items.append(_item(event["item"], len(items), here=here))
    elif not isinstance(place, int) or not 0 <= place < len(items):
        return  # of a host's own, about no item
    elif kind == states.ITEM_DONE:
        items[place] = Given(event["item"], place, is_open=False)
    elif kind == states.PART_ADDED:
        _begin(items, place, event.get("part"))
    elif kind in states.DELTAS:
        _add(items[place], event)


def interrupted(items: list[Item]) -> None:
    """Whoever asked the last one's server for its tools is gone."""
    last = items[-1] if items else None
    if isinstance(last, ToolItem) and last.kind == "mcp_list_tools" and last.status == "in_progress":
        last.tell({"error": "The server that asked for them was lost; they are asked for again."}, "in_progress")


def state(item: Item) -> State:
    """Where an answer is that has this item open; `idle` for one that is closed as a whole."""
    if isinstance(item, ToolItem):
        return _TOOLS.get(item.kind, State.SHOWING)
    if isinstance(item, Given):
        return State.IDLE
    if isinstance(item, Called):
        return State.CALL
    return _OPEN.get(item.parts[-1].kind, State.IDLE) if item.parts else State.IDLE


def _item(shown: dict[str, Any], index: int, *, here: bool) -> Item:
    item: Item
    if shown["type"] == "function_call" and not (shown.get("call_id") and shown.get("name")):
        return Given(shown, index, is_open=True)
    if shown["type"] == "function_call":
        item = Called(shown["id"], shown["call_id"], shown["name"])
    elif shown["type"] in _WRITTEN:
        item = Said(shown["type"], shown["id"])
    else:
        item = ToolItem(shown) if here else Given(shown, index, is_open=True)
    item.index = index
    return item


def _begin(items: list[Item], place: int, part: object) -> None:
    """A part begins. An item with one that is not written here is kept as it was told."""
    item = items[place]
    if not isinstance(item, Said):
        return
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _OPEN:
        item.parts.append(Part(kind))
    else:
        items[place] = Given(item.shown(), place, is_open=True)


def _add(item: Item, event: dict[str, Any]) -> None:
    delta = event.get("delta")
    if not isinstance(delta, str):
        return
    if isinstance(item, Called | ToolItem):
        item.add(delta)
    elif isinstance(item, Said) and item.parts:
        item.parts[-1].add(delta, _logprobs(event.get("logprobs")))


def _logprobs(told: object) -> list[Logprob]:
    """Probabilities of tokens, as events tell of them; none where a host tells of them in another form."""
    try:
        return msgspec.convert(told or [], list[Logprob])
    except msgspec.ValidationError:
        return []

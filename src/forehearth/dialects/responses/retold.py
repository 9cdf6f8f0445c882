"""The items of an answer from the events that told of them: so that another worker can go on behind these."""

from typing import Any, Final

from forehearth.dialects.responses import states
from forehearth.dialects.responses.chunks import Logprob, TopLogprob
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
    kind = event["type"]
    if kind == states.ITEM_ADDED:
        items.append(_item(event["item"], event["output_index"], here=here))
    elif kind == states.ITEM_DONE:
        index = event["output_index"]
        items[index] = Given(event["item"], index, is_open=False)
    elif kind == states.PART_ADDED:
        item = items[event["output_index"]]
        if isinstance(item, Said):
            item.parts.append(Part(event["part"]["type"]))
    elif kind in states.DELTAS:
        _add(items[event["output_index"]], event)


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
    if shown["type"] == "function_call":
        item = Called(shown["id"], shown["call_id"], shown["name"])
    elif shown["type"] in _WRITTEN:
        item = Said(shown["type"], shown["id"])
    else:
        item = ToolItem(shown) if here else Given(shown, index, is_open=True)
    item.index = index
    return item


def _add(item: Item, event: dict[str, Any]) -> None:
    if isinstance(item, Called | ToolItem):
        item.add(event["delta"])
    elif isinstance(item, Said) and item.parts:
        item.parts[-1].add(event["delta"], [_logprob(each) for each in event.get("logprobs", ())])


def _logprob(told: dict[str, Any]) -> Logprob:
    """Events tell of a token's probability without its bytes."""
    likeliest = [TopLogprob(token=each["token"], logprob=each["logprob"]) for each in told["top_logprobs"]]
    return Logprob(token=told["token"], logprob=told["logprob"], top_logprobs=likeliest)

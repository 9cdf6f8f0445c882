"""The items of an answer from the events that told of them: so that another worker can go on behind these."""

from typing import Any, Final

from forehearth.dialects.responses import states
from forehearth.dialects.responses.chunks import Logprob, TopLogprob
from forehearth.dialects.responses.states import State
from forehearth.dialects.responses.written import Called, Given, Part, Said

_WRITTEN: Final = frozenset({"message", "reasoning", "function_call"})
_OPEN: Final = {"reasoning_text": State.REASONING, "output_text": State.TEXT, "refusal": State.REFUSAL}


def tell(items: list[Said | Called | Given], event: dict[str, Any]) -> None:
    """Let it happen to the items. What an event says again, such as all of a text at its end, adds nothing."""
    kind = event["type"]
    if kind == states.ITEM_ADDED:
        items.append(_item(event["item"], event["output_index"]))
    elif kind == states.ITEM_DONE:
        index = event["output_index"]
        items[index] = Given(event["item"], index, is_open=False)
    elif kind == states.PART_ADDED:
        item = items[event["output_index"]]
        if isinstance(item, Said):
            item.parts.append(Part(event["part"]["type"]))
    elif kind in states.DELTAS:
        _add(items[event["output_index"]], event)


def state(item: Said | Called | Given) -> State:
    """Where an answer is that has this item open; `idle` for one that is closed as a whole."""
    if isinstance(item, Given):
        return State.IDLE
    if isinstance(item, Called):
        return State.CALL
    return _OPEN.get(item.parts[-1].kind, State.IDLE) if item.parts else State.IDLE


def _item(shown: dict[str, Any], index: int) -> Said | Called | Given:
    item: Said | Called
    if shown["type"] not in _WRITTEN:
        return Given(shown, index, is_open=True)
    if shown["type"] == "function_call":
        item = Called(shown["id"], shown["call_id"], shown["name"])
    else:
        item = Said(shown["type"], shown["id"])
    item.index = index
    return item


def _add(item: Said | Called | Given, event: dict[str, Any]) -> None:
    if isinstance(item, Called):
        item.add(event["delta"])
    elif isinstance(item, Said) and item.parts:
        item.parts[-1].add(event["delta"], [_logprob(each) for each in event.get("logprobs", ())])


def _logprob(told: dict[str, Any]) -> Logprob:
    """Events tell of a token's probability without its bytes."""
    likeliest = [TopLogprob(token=each["token"], logprob=each["logprob"]) for each in told["top_logprobs"]]
    return Logprob(token=told["token"], logprob=told["logprob"], top_logprobs=likeliest)

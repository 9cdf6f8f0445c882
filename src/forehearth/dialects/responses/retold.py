"""The items of an answer from the events that told of them: so that another worker can go on behind these."""

from typing import Any, Final

import msgspec

from forehearth.dialects.responses import states
from forehearth.dialects.responses.chunks import Logprob
from forehearth.dialects.responses.states import State
from forehearth.dialects.responses.written import Called, Given, Part, Said

_WRITTEN: Final = frozenset({"message", "reasoning", "function_call"})
_OPEN: Final = {"reasoning_text": State.REASONING, "output_text": State.TEXT, "refusal": State.REFUSAL}


def tell(items: list[Said | Called | Given], event: dict[str, Any]) -> None:
    """Let it happen to the items. What an event says again, such as all of a text at its end, adds nothing."""
    kind, place = event["type"], event.get("output_index")
    if kind == states.ITEM_ADDED:
        items.append(_item(event["item"], len(items)))
    elif not isinstance(place, int) or not 0 <= place < len(items):
        return  # of a host's own, about no item
    elif kind == states.ITEM_DONE:
        items[place] = Given(event["item"], place, is_open=False)
    elif kind == states.PART_ADDED:
        _begin(items, place, event.get("part"))
    elif kind in states.DELTAS:
        _add(items[place], event)


def state(item: Said | Called | Given) -> State:
    """Where an answer is that has this item open; `idle` for one that is closed as a whole."""
    if isinstance(item, Given):
        return State.IDLE
    if isinstance(item, Called):
        return State.CALL
    return _OPEN.get(item.parts[-1].kind, State.IDLE) if item.parts else State.IDLE


def _item(shown: dict[str, Any], index: int) -> Said | Called | Given:
    item: Said | Called
    names = shown.get("call_id"), shown.get("name")
    if shown["type"] not in _WRITTEN or (shown["type"] == "function_call" and not all(names)):
        return Given(shown, index, is_open=True)
    if shown["type"] == "function_call":
        item = Called(shown["id"], shown["call_id"], shown["name"])
    else:
        item = Said(shown["type"], shown["id"])
    item.index = index
    return item


def _begin(items: list[Said | Called | Given], place: int, part: object) -> None:
    """A part begins. An item with one that is not written here is kept as it was told."""
    item = items[place]
    if not isinstance(item, Said):
        return
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _OPEN:
        item.parts.append(Part(kind))
    else:
        items[place] = Given(item.shown(), place, is_open=True)


def _add(item: Said | Called | Given, event: dict[str, Any]) -> None:
    delta = event.get("delta")
    if not isinstance(delta, str):
        return
    if isinstance(item, Called):
        item.add(delta)
    elif isinstance(item, Said) and item.parts:
        item.parts[-1].add(delta, _logprobs(event.get("logprobs")))


def _logprobs(told: object) -> list[Logprob]:
    """Probabilities of tokens, as events tell of them; none where a host tells of them in another form."""
    try:
        return msgspec.convert(told or [], list[Logprob])
    except msgspec.ValidationError:
        return []

"""Makes a conversation shorter at its beginning: of a body of chat completions, or of one of the Responses API.

What goes first are the oldest turns, each from one message of the user to the next, so that no call of a function
stays without what it gave, and models that want user and assistant by turns still get them so. When only the last turn
is left, its oldest calls go, with what they gave. What the system or the developer said stays, and so do the user's
last message and what comes last of all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.dialects import json_members

_KEPT: Final = frozenset({"system", "developer"})
_RESULTS: Final = frozenset({"mcp_approval_response", "tool_search_output"})
Entry = dict[str, Any]
Weigh = Callable[[bytes], int]
"""How much an entry, as JSON, weighs: its tokens, or its bytes."""


class Shorter(msgspec.Struct, frozen=True, kw_only=True):
    """A body that is shorter."""

    body: bytes
    dropped: int
    """Messages or items that went."""


def shortened(body: bytes, member: str, share: float, weigh: Weigh) -> Shorter | None:
    """`body` without so much of its conversation, the list in its `member`, that `share` of its weight is gone.

    At least one entry goes; None where none can, or there is no such list.
    """
    try:
        entries = _entries(body, member)
        encoded = [msgspec.json.encode(each) for each in entries]
    except RecursionError:
        return None
    weights = [weigh(each) for each in encoded]
    wanted = share * sum(weights)
    gone: set[int] = set()
    freed = 0
    for unit in _units(entries):
        if gone and freed >= wanted:
            break
        gone.update(unit)
        freed += sum(weights[index] for index in unit)
    if not gone:
        return None
    value = b"[" + b",".join(each for index, each in enumerate(encoded) if index not in gone) + b"]"
    return Shorter(body=json_members.put(body, {member: value}), dropped=len(gone))


def _entries(body: bytes, member: str) -> Sequence[Entry]:
    members: Mapping[str, Any] = msgspec.json.decode(body)
    found = members.get(member)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return ()
    return found


def _units(entries: Sequence[Entry]) -> Iterator[list[int]]:
    """What can go together, by their places, the first to go first."""
    movable = [index for index, each in enumerate(entries) if each.get("role") not in _KEPT]
    turns: list[list[int]] = []
    for index in movable:
        if not turns or _is_users(entries[index]):
            turns.append([])
        turns[-1].append(index)
    yield from turns[:-1]
    if not turns:
        return
    steps: list[list[int]] = []
    for index in turns[-1]:
        if _is_users(entries[index]):
            continue
        result = _is_result(entries[index])
        if not steps or (not result and _is_result(entries[steps[-1][-1]])):
            steps.append([])
        steps[-1].append(index)
    yield from steps[:-1]


def _is_users(entry: Entry) -> bool:
    return entry.get("role") == "user"


def _is_result(entry: Entry) -> bool:
    """Whether it is what a call gave."""
    kind = entry.get("type")
    return entry.get("role") == "tool" or (isinstance(kind, str) and (kind.endswith("_output") or kind in _RESULTS))

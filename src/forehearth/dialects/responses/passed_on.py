"""A question as it is passed on to a host that has this API itself: its body as it came, but for what the state needs.

    `model`                                       is the host's
    `store`                                       false: what is kept is kept here
    `previous_response_id`, `conversation`        left out, and all that was said before put at the beginning of `input`
    `background`                                  left out: whoever makes it in the background here asks for a stream
    `agent`, `agent_reference`, `structured_inputs`, `user_security_context`    left out: what they say was applied here
    `include`                                     asks for what lets a model that reasons go on from its reasoning

Items of before are as they were answered or sent. Ids of what was sent are of here, so they are left out.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from forehearth.core.errors import MalformedBody
from forehearth.dialects import json_members
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.items import Resource

_HERE: Final = frozenset(
    {"previous_response_id", "conversation", "background", "agent", "agent_reference", "structured_inputs"}
    | {"user_security_context"}
)
_SENT: Final = frozenset({"id", "status", "created_by", "agent_reference", "response_id", "parsed_arguments"})
_OF_AN_AGENT: Final = frozenset({"created_by", "agent_reference", "response_id", "parsed_arguments"})
"""Members of items that are no host's business."""
ENCRYPTED: Final = "reasoning.encrypted_content"
"""What has reasoning answered so that it can be sent again to a host that kept nothing."""


def body(question: Question, before: Iterable[Resource], items: Iterable[Resource], *, as_came: bool = True) -> bytes:
    """The body that asks `question` of a host.

    `before` is all that was said, `items` are those of the input with references resolved, which are sent byte by byte
    where they are `as_came`. Raises `MalformedBody` for what is nested too deeply.
    """
    try:
        return _body(question if as_came else msgspec.structs.replace(question, raw=b""), before, items)
    except RecursionError:  # what was just read can be too deep to be written, from further down the stack
        raise MalformedBody("The body's JSON is nested too deeply to be passed on.") from None


def _body(question: Question, before: Iterable[Resource], items: Iterable[Resource]) -> bytes:
    raw = question.raw or msgspec.json.encode(question.members)
    given = {member.key: raw[member.value_start : member.end] for member in json_members.members(raw)}
    values = {"store": b"false", "input": _input(question, given.get("input"), before, items)}
    if question.body.stream and given.get("stream") != b"true":
        values["stream"] = b"true"
    include = _include(question)
    if include is not None:
        values["include"] = include
    return json_members.put(json_members.remove(raw, _HERE), values)


def _input(question: Question, raw: bytes | None, before: Iterable[Resource], items: Iterable[Resource]) -> bytes:
    """All items; those that were just sent byte by byte as they came, where they can stand so."""
    earlier = [shown for item in before if (shown := _shown(item)) is not None]
    as_came = question.raw and raw is not None and all(item["type"] != "item_reference" for item in question.items)
    if not as_came:
        return msgspec.json.encode([*earlier, *(shown for item in items if (shown := _shown(item)) is not None)])
    raw = raw or b""
    if not earlier:
        return raw
    if raw[:1] == b'"':
        raw = b'[{"role":"user","content":' + raw + b"}]"
    inner = raw[1:-1].strip() if raw[:1] == b"[" else b""
    return msgspec.json.encode(earlier)[:-1] + (b"," if inner else b"") + inner + b"]"


def _shown(item: Resource) -> Resource | None:
    """An item as a host is sent it; None for what says nothing to a host that has kept nothing."""
    kind = item["type"]
    if kind == "item_reference":
        return None
    if kind == "reasoning" and not item.get("encrypted_content") and not item.get("content"):
        return None
    if kind == "function_call" and item.get("status") == "incomplete":
        return None
    sent = (kind == "message" and item.get("role") != "assistant") or kind.endswith("_output")
    left_out = _SENT if sent else _OF_AN_AGENT
    return {name: value for name, value in item.items() if name not in left_out}


def _include(question: Question) -> bytes | None:
    """`include` with what reasoning needs, where the question says that the model reasons; None to leave it alone."""
    given: Any = question.members.get("include") or []
    if not question.members.get("reasoning") or ENCRYPTED in given or not isinstance(given, list):
        return None
    return msgspec.json.encode([*given, ENCRYPTED])

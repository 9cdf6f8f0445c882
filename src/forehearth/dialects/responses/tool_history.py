"""Calls of tools that were made here, as chat completions can carry them: calls of functions, and what these gave."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.tool import model_name

Resource = dict[str, Any]
Named = Callable[[str, str], str]
"""What a model calls the tool of that server and that name; of no server, the form of an agent."""
_REQUEST, _DECISION = "mcp_approval_request", "mcp_approval_response"
_NOT_SAID: Final = frozenset({"mcp_list_tools", "openapi_call_output", _REQUEST})
"""Items that say nothing to a model by themselves."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said of a call that waited: the item that asked for it, and whether it may be made."""

    request: Resource
    approve: bool


def plain_name(label: str, name: str) -> str:  # noqa: ARG001 - the shape of `Named`
    """A name for a tool that is not offered any more."""
    return model_name(name)


def as_functions(items: Iterable[Resource], named: Named = plain_name) -> list[Resource]:
    """The same conversation with functions alone.

    Denied calls have that as their result; undecided ones are left out.
    """
    given = list(items)
    requests = {item["id"]: item for item in given if item["type"] == _REQUEST}
    outputs = {item["call_id"]: item["output"] for item in given if item["type"] == "openapi_call_output"}
    found: list[Resource] = []
    for item in given:
        kind = item["type"]
        if kind in _NOT_SAID:
            continue
        if kind == "structured_outputs":
            arguments = msgspec.json.encode(item["output"]).decode()
            _add(found, item["id"], named("", kind), arguments, "Captured.")
        elif kind == "mcp_call":
            _add(found, item["id"], named(item["server_label"], item["name"]), item["arguments"], _said(item))
        elif kind == "openapi_call":
            _add(found, item["call_id"], model_name(item["name"]), item["arguments"], outputs.get(item["call_id"], ""))
        elif kind == _DECISION:
            _add_denied(found, item, requests, named)
        else:
            found.append(item)
    return found


def decisions(before: Sequence[Resource], new: Sequence[Resource]) -> list[Decision]:
    """What the `new` items decide of calls that were asked for in them or `before`.

    Raises `InvalidField` for a decision on nothing, and for a second one.
    """
    requests = {item["id"]: item for item in (*before, *new) if item["type"] == _REQUEST}
    decided = {item["approval_request_id"] for item in before if item["type"] == _DECISION}
    decided |= {item.get("approval_request_id") for item in before if item["type"] == "mcp_call"}
    found = []
    for item in new:
        if item["type"] != _DECISION:
            continue
        asked = item["approval_request_id"]
        if asked not in requests:
            message = f"No approval request found with id '{asked[:256]}': it has to be in the conversation."
            raise InvalidField(message, param="input")
        if asked in decided:
            raise InvalidField(f"The approval request '{asked[:256]}' was decided on already.", param="input")
        decided.add(asked)
        found.append(Decision(request=requests[asked], approve=item["approve"]))
    return found


def _said(call: Resource) -> str:
    """What a call gave, in words for the model."""
    error = call.get("error")
    if error is None:
        return call.get("output") or ""
    if isinstance(error, str):
        return error
    content = error.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(error.get("message", "The tool failed."))


def _add(found: list[Resource], call_id: str, name: str, arguments: str, output: str) -> None:
    """A call with its result, before calls that wait for theirs: nothing may stand between those."""
    end = len(found)
    while end and found[end - 1]["type"] == "function_call":
        end -= 1
    found[end:end] = called(call_id, name, arguments, output)


def called(call_id: str, name: str, arguments: str, output: str) -> list[Resource]:
    """A call of a function, and what it gave."""
    return [
        {"type": "function_call", "status": "completed", "call_id": call_id, "name": name, "arguments": arguments},
        {"type": "function_call_output", "call_id": call_id, "output": output},
    ]


def _add_denied(found: list[Resource], item: Resource, requests: Mapping[str, Resource], named: Named) -> None:
    request = requests.get(item["approval_request_id"])
    if item["approve"] or request is None:
        return
    reason = f": {item['reason']}" if item.get("reason") else "."
    name = named(request["server_label"], request["name"])
    _add(found, request["id"], name, request["arguments"], f"The user did not approve of this call{reason}")

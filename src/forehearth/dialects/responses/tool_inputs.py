"""Items of an input that are about tools which were called here: what was listed, asked for, decided and answered."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec

from forehearth.dialects.responses import problems

Resource = dict[str, Any]
NewId = Callable[[str], str]
Reader = Callable[[Mapping[str, Any], str, NewId], Resource]
_STATUSES: Final = ("in_progress", "completed", "incomplete", "calling", "failed")
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]


class _Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    id: _Text | None = None
    status: str | None = None
    created_by: Any = None
    agent_reference: Any = None
    response_id: Any = None


class _Tool(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    annotations: dict[str, Any] | None = None


class _List(_Item, frozen=True, kw_only=True):
    server_label: _Text
    tools: list[_Tool]
    error: Any = None


class _Request(_Item, frozen=True, kw_only=True):
    id: _Text
    server_label: _Text
    name: str
    arguments: str


class _Decision(_Item, frozen=True, kw_only=True):
    approval_request_id: _Text
    approve: bool
    request_id: Any = None
    """The document says that it is required, and has no such member."""
    reason: str | None = None


class _McpCall(_Item, frozen=True, kw_only=True):
    server_label: _Text
    name: str
    arguments: str
    output: str | None = None
    error: str | dict[str, Any] | None = None
    approval_request_id: str | None = None


class _OpenApiCall(_Item, frozen=True, kw_only=True):
    call_id: _Text
    name: str
    arguments: str


class _OpenApiOutput(_Item, frozen=True, kw_only=True):
    call_id: _Text
    name: str
    output: str


class _Captured(_Item, frozen=True, kw_only=True):
    output: Any


def _reader(shape: type[_Item], prefix: str, *, status: bool = False) -> Reader:
    """What reads items of that shape, and gives those without an id one with the prefix."""
    added = {"created_by", "agent_reference", "response_id", "request_id", *(() if status else ("status",))}

    def read(value: Mapping[str, Any], at: str, new_id: NewId) -> Resource:
        found: dict[str, Any] = msgspec.to_builtins(problems.read(value, shape, at))
        problems.one_of(found["status"], _STATUSES, f"{at}.status")
        shown = {name: its for name, its in found.items() if name not in added}
        return (
            shown
            | {"id": found["id"] or new_id(prefix)}
            | ({"status": found["status"] or "completed"} if status else {})
        )

    return read


READERS: Final[Mapping[str, Reader]] = {
    "mcp_list_tools": _reader(_List, "mcpl"),
    "mcp_approval_request": _reader(_Request, "mcpr"),
    "mcp_approval_response": _reader(_Decision, "mcpr"),
    "mcp_call": _reader(_McpCall, "mcp", status=True),
    "openapi_call": _reader(_OpenApiCall, "oa", status=True),
    "openapi_call_output": _reader(_OpenApiOutput, "oao", status=True),
    "structured_outputs": _reader(_Captured, "so"),
}
"""By the `type` of an item."""

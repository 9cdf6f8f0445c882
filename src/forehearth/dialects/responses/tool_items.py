"""Items of an answer that are about tools which are called here: what a server has, what was asked of it, what it said.

A model's call of such a tool is no item before it is whole. Then it is one of an MCP server's (`mcp_call`), or one of
an API (`openapi_call`, and `openapi_call_output` behind it), or asks for somebody's approval (`mcp_approval_request`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from forehearth.core.tool import ToolFault, ToolResult, ToolSpec

Resource = dict[str, Any]
_OPEN: Final = "in_progress"
_BAD_PARAMETERS: Final = -32602
"""JSON-RPC's number for a call that was not made, because there is no such tool or its arguments are not right."""


class ToolItem:
    """One of them, as the API shows it, while it comes into being."""

    __slots__ = ("_members", "_status", "index", "made_by")

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = dict(members)
        self._status = str(members.get("status", _OPEN))
        self.index = 0
        """Its place in the output."""
        self.made_by: Resource = {}
        """What it says of an agent that made it."""

    @property
    def id(self) -> str:
        """Its id."""
        return str(self._members["id"])

    @property
    def kind(self) -> str:
        """Which kind of item it is."""
        return str(self._members["type"])

    @property
    def status(self) -> str:
        """Where it is; kinds that show none have one all the same."""
        return self._status

    @status.setter
    def status(self, status: str) -> None:
        self._status = status
        if "status" in self._members:
            self._members["status"] = status

    @property
    def is_whole(self) -> bool:
        """Whether something else may begin: one of these is closed by itself alone."""
        return True

    def add(self, arguments: str) -> None:
        """The model's arguments."""
        self._members["arguments"] += arguments

    def tell(self, members: Mapping[str, Any], status: str = "completed") -> None:
        """What has become of it."""
        self._members |= members
        self.status = status

    def shown(self) -> Resource:
        """As it is now."""
        return self._members | self.made_by


def listing(id: str, label: str) -> ToolItem:  # noqa: A002 - what it is
    """A server is asked which tools it has."""
    return ToolItem({"id": id, "type": "mcp_list_tools", "server_label": label, "tools": [], "error": None})


def listed(tools: Sequence[ToolSpec]) -> Resource:
    """What it has."""
    return {"tools": [_listed(tool) for tool in tools]}


def specs(item: Resource) -> list[ToolSpec]:
    """The tools in a list as it is shown."""
    return [
        ToolSpec(
            name=tool["name"],
            description=tool.get("description"),
            parameters=tool["input_schema"],
            annotations=tool.get("annotations"),
            read_only=(tool.get("annotations") or {}).get("readOnlyHint") is True,
        )
        for tool in item["tools"]
    ]


def request(id: str, label: str, name: str, arguments: str) -> ToolItem:  # noqa: A002 - what it is
    """Somebody has to approve of a call before it is made."""
    members = {"id": id, "type": "mcp_approval_request", "server_label": label, "name": name, "arguments": arguments}
    return ToolItem(members)


def mcp_call(id: str, label: str, name: str, approval: str | None) -> ToolItem:  # noqa: A002 - what it is
    """A call of an MCP server's tool; its arguments are added. `approval` is the id of the request that was granted."""
    return ToolItem(
        {
            "id": id,
            "type": "mcp_call",
            "status": _OPEN,
            "approval_request_id": approval,
            "arguments": "",
            "error": None,
            "name": name,
            "output": None,
            "server_label": label,
        }
    )


def openapi_call(id: str, call_id: str, name: str, arguments: str) -> ToolItem:  # noqa: A002 - what it is
    """A call of an API's operation."""
    members = {"id": id, "type": "openapi_call", "status": _OPEN, "call_id": call_id, "name": name}
    return ToolItem(members | {"arguments": arguments})


def openapi_output(id: str, call_id: str, name: str, result: ToolResult) -> ToolItem:  # noqa: A002 - what it is
    """What the API answered."""
    members = {"id": id, "type": "openapi_call_output", "status": _OPEN, "call_id": call_id, "name": name}
    return ToolItem(members | {"output": result.text})


def captured(id: str, output: object) -> ToolItem:  # noqa: A002 - what it is
    """What a model was to put into a form."""
    return ToolItem({"id": id, "type": "structured_outputs", "output": output})


def returned(result: ToolResult) -> tuple[Resource, str]:
    """What became of an `mcp_call`: its members, and its status."""
    if result.fault is None:
        return {"output": result.text}, "completed"
    return {"error": _error(result.fault)}, "failed"


def _error(fault: ToolFault) -> Resource:
    """A failure in the kinds that the API has for it."""
    if fault.kind == "execution":
        return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": fault.message}]}
    if fault.kind == "http":
        return {"type": "http_error", "code": fault.code, "message": fault.message}
    code = _BAD_PARAMETERS if fault.kind == "refused" else fault.code
    return {"type": "mcp_protocol_error", "code": code, "message": fault.message}


def _listed(tool: ToolSpec) -> Resource:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
        "annotations": tool.annotations,
    }

"""From a tool as a caller writes it to where its tools come from, and to which calls wait for somebody's approval.

Members are those of `MCPTool` in OpenAI's API and of `OpenApiTool` in the Foundry project API.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.core.misfit import misfit
from forehearth.core.secret import Secret
from forehearth.core.tool import McpServer, OpenApiTool, ToolFilter, ToolSpec
from forehearth.ports.egress import Egress
from forehearth.ports.tools import ToolSource
from forehearth.tools.mcp import McpTools
from forehearth.tools.openapi import OpenApiTools

_Kind = TypeVar("_Kind", bound=msgspec.Struct)
Given = Mapping[str, Any]
_BY_OTHER_WAYS: Final = ("connector_id", "tunnel_id", "project_connection_id")
_ANONYMOUS: Final = "anonymous"


class _Filter(msgspec.Struct):
    tool_names: list[str] | None = None
    read_only: bool | None = None


class _Approvals(msgspec.Struct):
    always: _Filter | None = None
    never: _Filter | None = None


class _Mcp(msgspec.Struct):
    server_label: str
    server_url: str | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    allowed_tools: list[str] | _Filter | None = None
    require_approval: Literal["always", "never"] | _Approvals | None = None


class _Auth(msgspec.Struct):
    type: str


class _Function(msgspec.Struct):
    name: str
    spec: dict[str, Any]
    auth: _Auth
    description: str | None = None
    default_params: list[str] | None = None


class _OpenApi(msgspec.Struct):
    openapi: _Function


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls of an MCP server's tools wait for somebody's yes: all of them, unless the caller said otherwise."""

    always: ToolFilter | None = None
    never: ToolFilter | None = None

    def needed(self, tool: ToolSpec) -> bool:
        """Whether a call of `tool` waits."""
        if self.always is not None and self.always.takes(tool):
            return True
        return self.never is None or not self.never.takes(tool)


NOBODY_ASKED: Final = Approval(never=ToolFilter())


def source_of(tool: Given, egress: Egress, where: str) -> ToolSource:
    """Where the tools of `tool` come from; `where` is its place in the caller's body, such as `tools[0]`.

    Raises `InvalidField`, `NotSupported` and `AddressRefused`. Nothing is asked yet.
    """
    kind = tool.get("type")
    if kind == "mcp":
        return McpTools(mcp_server(tool, where), egress)
    if kind == "openapi":
        return OpenApiTools(openapi_tool(tool, where), egress)
    raise NotSupported(f"'{where}' is no tool that is called here; 'mcp' and 'openapi' are.", param=f"{where}.type")


def mcp_server(tool: Given, where: str) -> McpServer:
    """The server that a tool `mcp` names. Raises `InvalidField` and `NotSupported`."""
    read = _converted(tool, _Mcp, where)
    if read.server_url is None or tool.get("project_connection_id"):
        other = next((name for name in _BY_OTHER_WAYS if tool.get(name)), None)
        if other is not None:
            raise NotSupported(f"'{where}.{other}' is not served: write server_url.", param=f"{where}.{other}")
        raise InvalidField(f"Missing required parameter: '{where}.server_url'.", param=f"{where}.server_url")
    return McpServer(
        label=read.server_label,
        url=read.server_url,
        authorization=Secret(read.authorization) if read.authorization else None,
        headers={name: Secret(value) for name, value in (read.headers or {}).items()},
        allowed=_filter(read.allowed_tools) or ToolFilter(),
        param=where,
    )


def approval(tool: Given, where: str) -> Approval:
    """When a call waits, by the member `require_approval` of a tool `mcp`. Raises `InvalidField`."""
    asked = _converted(tool, _Mcp, where).require_approval
    if asked == "never":
        return NOBODY_ASKED
    if not isinstance(asked, _Approvals):
        return Approval()
    # A filter that says nothing takes every tool: none is let through by mistake.
    never = asked.never if asked.never is not None and asked.never != _Filter() else None
    return Approval(always=_filter(asked.always), never=_filter(never))


def openapi_tool(tool: Given, where: str) -> OpenApiTool:
    """What a tool `openapi` says. Raises `InvalidField` and `NotSupported`."""
    read = _converted(tool, _OpenApi, where).openapi
    if read.auth.type != _ANONYMOUS:
        at = f"{where}.openapi.auth.type"
        raise NotSupported(f"'{at}' can be '{_ANONYMOUS}' alone: credentials for APIs are not served.", param=at)
    return OpenApiTool(
        name=read.name,
        description=read.description,
        document=read.spec,
        default_params=frozenset(read.default_params or ()),
        param=f"{where}.openapi.spec",
    )


def _filter(given: list[str] | _Filter | None) -> ToolFilter | None:
    if given is None:
        return None
    if isinstance(given, list):
        return ToolFilter(names=frozenset(given))
    names = None if given.tool_names is None else frozenset(given.tool_names)
    return ToolFilter(names=names, read_only=given.read_only)


def _converted(tool: Given, kind: type[_Kind], where: str) -> _Kind:
    try:
        return msgspec.convert(tool, kind)
    except msgspec.ValidationError as error:
        raise misfit(str(error), within=where) from None

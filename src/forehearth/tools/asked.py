"""From a tool as a caller writes it to where its tools come from, and to which calls wait for somebody's approval.

Members are those of `MCPTool` in OpenAI's API and of `OpenApiTool` in the Foundry project API.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec

from forehearth.core.errors import InvalidField, NotServedYet, NotSupported
from forehearth.core.misfit import misfit
from forehearth.core.secret import Secret
from forehearth.core.tool import McpServer, OpenApiTool, ToolFilter, ToolSpec
from forehearth.ports.egress import Egress
from forehearth.ports.tools import ToolSource
from forehearth.tools import credentials
from forehearth.tools.credentials import Connections
from forehearth.tools.mcp import McpTools
from forehearth.tools.openapi import OpenApiTools

_Kind = TypeVar("_Kind", bound=msgspec.Struct)
Given = Mapping[str, Any]
_BY_OTHER_WAYS: Final = ("connector_id", "tunnel_id")
_ANONYMOUS: Final = "anonymous"
_CONNECTION: Final = "project_connection"
_AUTHS: Final = (_ANONYMOUS, _CONNECTION)
_NONE: Final[Connections] = {}


class _Filter(msgspec.Struct):
    tool_names: list[str] | None = None
    read_only: bool | None = None


class _Approvals(msgspec.Struct):
    always: _Filter | None = None
    never: _Filter | None = None


class _Mcp(msgspec.Struct):
    server_label: str
    project_connection_id: str | None = None
    server_url: str | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    allowed_tools: list[str] | _Filter | None = None
    require_approval: Literal["always", "never"] | _Approvals | None = None


class _Scheme(msgspec.Struct):
    project_connection_id: str | None = None


class _Auth(msgspec.Struct):
    type: str
    security_scheme: _Scheme | None = None


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


def source_of(tool: Given, where: str, *, egress: Egress, connections: Connections = _NONE) -> ToolSource:
    """Where the tools of `tool` come from; `where` is its place in the caller's body, such as `tools[0]`.

    Raises `InvalidField`, `NotSupported`, `NotServedYet` and `AddressRefused`. Nothing is asked yet.
    """
    kind = tool.get("type")
    if kind == "mcp":
        return McpTools(mcp_server(tool, where, connections), egress)
    if kind == "openapi":
        return _api(tool, where, egress, connections)
    raise NotSupported(f"'{where}' is no tool that is called here; 'mcp' and 'openapi' are.", param=f"{where}.type")


def mcp_server(tool: Given, where: str, connections: Connections = _NONE) -> McpServer:
    """The server that a tool `mcp` names. Raises `InvalidField`, `NotSupported` and `AddressRefused`."""
    read = _converted(tool, _Mcp, where)
    if read.server_url is None:
        other = next((name for name in _BY_OTHER_WAYS if tool.get(name)), None)
        if other is not None:
            raise NotSupported(f"'{where}.{other}' is not served: write server_url.", param=f"{where}.{other}")
        raise InvalidField(f"Missing required parameter: '{where}.server_url'.", param=f"{where}.server_url")
    headers = {name: Secret(value) for name, value in (read.headers or {}).items()}
    if read.project_connection_id:
        at = f"{where}.project_connection_id"
        found = credentials.of_server(read.project_connection_id, connections, at)
        credentials.require_origin(read.server_url, found, at)
        headers |= found.headers
    return McpServer(
        label=read.server_label,
        url=read.server_url,
        authorization=Secret(read.authorization) if read.authorization else None,
        headers=headers,
        allowed=allowed(tool, where),
        param=where,
    )


def allowed(tool: Given, where: str) -> ToolFilter:
    """Which tools of the server of a tool `mcp` there are. Raises `InvalidField`."""
    return _filter(_converted(tool, _Mcp, where).allowed_tools) or ToolFilter()


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
    """What a tool `openapi` says, but for its credentials. Raises `InvalidField`, `NotSupported` and `NotServedYet`."""
    read = _converted(tool, _OpenApi, where).openapi
    at = f"{where}.openapi.auth.type"
    if read.auth.type == "managed_identity":
        message = "The identity of the server is not lent to an address that an agent names: use a project_connection."
        raise NotServedYet(message, param=at)
    if read.auth.type not in _AUTHS:
        raise NotSupported(f"'{at}' can be {' or '.join(_AUTHS)}.", param=at)
    return OpenApiTool(
        name=read.name,
        description=read.description,
        document=read.spec,
        default_params=frozenset(read.default_params or ()),
        param=f"{where}.openapi.spec",
    )


def _api(tool: Given, where: str, egress: Egress, connections: Connections) -> OpenApiTools:
    """An API with what opens it. Raises as `source_of`."""
    its = openapi_tool(tool, where)
    auth = _converted(tool, _OpenApi, where).openapi.auth
    if auth.type != _CONNECTION:
        return OpenApiTools(its, egress)
    at = f"{where}.openapi.auth.security_scheme.project_connection_id"
    given = auth.security_scheme.project_connection_id if auth.security_scheme is not None else None
    if not given:
        raise InvalidField(f"Missing required parameter: '{at}'.", param=at)
    found = credentials.of_api(given, its.document, connections, at)
    source = OpenApiTools(msgspec.structs.replace(its, headers=found.headers, query=found.query), egress)
    for url in source.urls:
        credentials.require_origin(url, found, at)
    return source


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

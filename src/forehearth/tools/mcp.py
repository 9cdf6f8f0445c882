"""The tools of an MCP server, over streamable HTTP: a `ToolSource`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.errors import AddressFailed, AddressRefused
from forehearth.core.exchange import Header
from forehearth.core.tool import McpServer, ToolFault, ToolResult, ToolSpec
from forehearth.ports.egress import Egress
from forehearth.tools import json_rpc
from forehearth.tools.arguments import BadArguments, read_object
from forehearth.tools.mcp_channel import (
    HANDSHAKE_VERSIONS,
    STATELESS_VERSION,
    Answered,
    Channel,
    HttpRefused,
    SessionLost,
    header_value,
)
from forehearth.tools.mcp_content import as_text

MOST_TOOLS: Final = 128
"""Tools of one server, of those that are allowed."""
MOST_SCHEMA_BYTES: Final = 64 * 1024
LONGEST_DESCRIPTION: Final = 16 * 1024
LONGEST_NAME: Final = 128
_MOST_LISTED: Final = 1_024
_MOST_PAGES: Final = 32
_LONGEST_CURSOR: Final = 4_096
_BEGIN_STATELESS: Final = frozenset({json_rpc.UNSUPPORTED_VERSION, json_rpc.METHOD_NOT_FOUND, json_rpc.INVALID_PARAMS})
"""Errors of a handshake that a server without one gives."""


class _Tool(msgspec.Struct):
    name: str
    inputSchema: dict[str, Any]  # noqa: N815 - the member's own name
    description: str | None = None
    annotations: dict[str, Any] | None = None


class McpTools:
    """Speaks to one server for one conversation; sessions are begun when they are needed, and ended by `aclose`.

    The server's handshake is tried first, which nearly all servers have, those of the newest revision included; one
    that refuses it is spoken to without.
    """

    def __init__(self, server: McpServer, egress: Egress) -> None:
        self._server = server
        self._channel = Channel(server, egress)
        self._known: dict[str, ToolSpec] | None = None

    async def tools(self) -> Sequence[ToolSpec]:
        """See `ports.tools`."""
        try:
            try:
                found = await self._list()
            except SessionLost:
                self._channel.begin_anew()
                found = await self._list()
        except SessionLost:
            raise self._channel.unusable("it forgets its sessions") from None
        except HttpRefused as refused:
            raise self._channel.unusable(_status(refused.status)) from None
        self._known = {tool.name: tool for tool in found}
        return found

    async def call(self, name: str, arguments: str) -> ToolResult:
        """See `ports.tools`."""
        try:
            given = read_object(arguments)
            refusal = await self._refusal(name)
            return refusal or await self._call(name, given)
        except BadArguments as error:
            return _failed("refused", str(error))
        except (AddressRefused, AddressFailed) as error:
            return _failed("http", error.message)
        except HttpRefused as refused:
            return _failed("http", f"The MCP server '{self._server.label}': {_status(refused.status)}.", refused.status)

    async def aclose(self) -> None:
        """See `ports.tools`."""
        await self._channel.end_session()

    async def _refusal(self, name: str) -> ToolResult | None:
        """Why a tool is not called, whatever the model says: it is not one that is allowed."""
        allowed = self._server.allowed
        unlisted = allowed.names is not None and name not in allowed.names
        if not unlisted and allowed.read_only is not None and self._known is None:
            await self.tools()
        if unlisted or (self._known is not None and name not in self._known):
            return _failed("refused", f"There is no tool '{name[:LONGEST_NAME]}' here.")
        return None

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        try:
            return await self._called(name, arguments)
        except SessionLost:
            pass
        self._channel.begin_anew()
        try:
            return await self._called(name, arguments)
        except SessionLost:
            return _failed("http", f"The MCP server '{self._server.label}' forgets its sessions.", 404)

    async def _called(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        await self._begin()
        headers: tuple[Header, ...] = ()
        if self._channel.stateless:
            tool = (self._known or {}).get(name)
            headers = ((b"mcp-name", header_value(name)), *_mirrored(tool, arguments))
        answered = await self._channel.ask("tools/call", {"name": name, "arguments": arguments}, headers)
        if answered.error is not None:
            return _failed("protocol", json_rpc.told(answered.error), answered.error.code)
        if answered.result.get("resultType", "complete") != "complete":
            return _failed("protocol", "The tool wants to ask its user something, which is not served.")
        text = as_text(answered.result)
        if answered.result.get("isError") is True:
            fault = ToolFault(kind="execution", message=text)
            return ToolResult(text=text, is_error=True, fault=fault)
        return ToolResult(text=text)

    async def _begin(self) -> None:
        """Agree on a revision, where that has not been done."""
        channel = self._channel
        if channel.version is not None:
            return
        params = {
            "protocolVersion": HANDSHAKE_VERSIONS[0],
            "capabilities": {},
            "clientInfo": {"name": "forehearth", "version": "1"},
        }
        answered = await channel.ask("initialize", params)
        if answered.error is not None:
            if answered.error.code not in _BEGIN_STATELESS:
                raise channel.unusable(f"it refuses the handshake (error {answered.error.code})")
            channel.begin_anew()
            channel.version = STATELESS_VERSION
            return
        version = answered.result.get("protocolVersion")
        if version not in HANDSHAKE_VERSIONS:
            await channel.end_session()
            raise channel.unusable("it speaks no revision of MCP that is served here")
        channel.version = version
        await channel.tell("notifications/initialized")

    async def _list(self) -> list[ToolSpec]:
        await self._begin()
        found: list[ToolSpec] = []
        listed = 0
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            answered = await self._channel.ask("tools/list", {} if cursor is None else {"cursor": cursor})
            page = self._page(answered)
            listed += len(page)
            if listed > _MOST_LISTED:
                raise self._channel.unusable(f"it has more than {_MOST_LISTED} tools")
            found += [self._checked(tool) for tool in page if self._server.allowed.takes(_spec(tool))]
            if len(found) > MOST_TOOLS:
                raise self._channel.unusable(f"more than {MOST_TOOLS} of its tools are allowed: name some of them")
            cursor = self._next(answered, cursor)
            if cursor is None:
                return found
        raise self._channel.unusable(f"its list of tools has more than {_MOST_PAGES} pages")

    def _page(self, answered: Answered) -> list[_Tool]:
        if answered.error is not None:
            told = json_rpc.told(answered.error)
            raise self._channel.unusable(f"it does not list its tools (error {answered.error.code}: {told})")
        try:
            return msgspec.convert(answered.result.get("tools"), list[_Tool])
        except msgspec.ValidationError:
            raise self._channel.unusable("its list of tools is not one") from None

    def _next(self, answered: Answered, cursor: str | None) -> str | None:
        following = answered.result.get("nextCursor")
        if following is None:
            return None
        if not isinstance(following, str) or following == cursor or len(following) > _LONGEST_CURSOR:
            raise self._channel.unusable("its list of tools does not end")
        return following

    def _checked(self, tool: _Tool) -> ToolSpec:
        if not 0 < len(tool.name) <= LONGEST_NAME or not tool.name.isprintable():
            raise self._channel.unusable("one of its tools has a name that is empty, too long or not printable")
        if len(tool.description or "") > LONGEST_DESCRIPTION:
            raise self._channel.unusable(
                f"the tool '{tool.name}' is described in more than {LONGEST_DESCRIPTION} characters"
            )
        if len(msgspec.json.encode(tool.inputSchema)) > MOST_SCHEMA_BYTES:
            raise self._channel.unusable(f"the schema of '{tool.name}' has more than {MOST_SCHEMA_BYTES} bytes")
        return _spec(tool)


def _spec(tool: _Tool) -> ToolSpec:
    annotations = tool.annotations or {}
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        parameters=tool.inputSchema,
        annotations=tool.annotations,
        read_only=annotations.get("readOnlyHint") is True,
    )


def _mirrored(tool: ToolSpec | None, arguments: Mapping[str, Any]) -> tuple[Header, ...]:
    """Arguments that the tool's schema wants as headers too, at the top level of it (`x-mcp-header`)."""
    properties = tool.parameters.get("properties") if tool is not None else None
    if not isinstance(properties, dict):
        return ()
    found: list[Header] = []
    for member, schema in properties.items():
        name = schema.get("x-mcp-header") if isinstance(schema, dict) else None
        value = arguments.get(member)
        if isinstance(name, str) and isinstance(value, str | int):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found.append((b"mcp-param-" + name.lower().encode(errors="replace"), header_value(text)))
    return tuple(found)


def _status(status: int) -> str:
    hint = ": it wants other credentials" if status in {401, 403} else ""
    return f"it answers with status {status}{hint}"


def _failed(kind: str, message: str, code: int = 0) -> ToolResult:
    fault = ToolFault(kind=kind, code=code, message=message)  # type: ignore[arg-type] # the kinds above
    return ToolResult(text=message, is_error=True, fault=fault)

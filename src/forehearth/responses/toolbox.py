"""The tools of one response that are called here: where they come from, what the model knows them by, and their calls.

Nothing is called that is not in the box. What is in it was allowed by whoever asked, whatever a server lists besides
and whatever a model says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from forehearth.core.errors import AddressFailed, InvalidField
from forehearth.core.tool import ToolFault, ToolFilter, ToolResult, ToolSpec, model_name
from forehearth.dialects.responses import tool_items
from forehearth.dialects.responses.items import Resource
from forehearth.dialects.responses.remote_tools import Pick, Remote
from forehearth.dialects.responses.tools import MOST, Tool, Tools
from forehearth.ports.tools import ToolSource
from forehearth.tools import asked
from forehearth.tools.arguments import BadArguments, read_object
from forehearth.tools.asked import NOBODY_ASKED

MOST_LISTED_BYTES: Final = 1 << 20
"""Bytes of one server's list, as JSON: each model call has it, and each response keeps it."""


_FORM: Final = "capture_structured_outputs"


class Sources(Protocol):
    """Makes where tools come from."""

    def __call__(self, tool: Mapping[str, Any], where: str) -> ToolSource:
        """See `tools.asked.source_of`."""
        ...


class Server:
    """One of the tools that were asked for: an MCP server, an API, or a form."""

    def __init__(self, remote: Remote, source: ToolSource | None) -> None:
        self.kind = remote.kind
        self.label = remote.label
        self.at = remote.at
        self.source = source
        self.approval = asked.approval(remote.given, remote.at) if self.kind == "mcp" else NOBODY_ASKED
        self.allowed = asked.allowed(remote.given, remote.at) if self.kind == "mcp" else ToolFilter()
        self._form = remote.given.get("outputs")

    async def specs(self) -> Sequence[ToolSpec]:
        """Its tools, as it says now. Raises `AddressRefused` and `AddressFailed`."""
        if self.source is None:
            form: Any = self._form
            return [ToolSpec(name=form["name"], description=form.get("description"), parameters=form["schema"])]
        found = await self.source.tools()
        if self.kind == "mcp" and len(msgspec.json.encode(tool_items.listed(found))) > MOST_LISTED_BYTES:
            message = (
                f"The list of tools of the MCP server '{self.label}' has more than {MOST_LISTED_BYTES} bytes: name "
                "those that are needed in 'allowed_tools'."
            )
            raise AddressFailed(message, reason="unusable", param=self.at)
        return found


class BoxedTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool in the box."""

    server: Server
    spec: ToolSpec
    called: str
    """What the model knows it by."""

    @property
    def known_as(self) -> tuple[str, str, str]:
        """What tells it from every other one."""
        return self.server.kind, self.server.label, self.spec.name

    @property
    def waits(self) -> bool:
        """Whether somebody has to approve of each call."""
        return self.server.approval.needed(self.spec)

    @property
    def repeats(self) -> bool:
        """Whether its server says that it makes no difference if it is called twice."""
        return self.spec.read_only or (self.spec.annotations or {}).get("idempotentHint") is True

    @property
    def shown(self) -> Tool:
        """As a model is told of it."""
        its = self.spec
        return {"name": self.called, "description": its.description, "parameters": its.parameters, "strict": None}


class Toolbox:
    """Filled server by server, before the model is asked.

    Raises `InvalidField`, `NotSupported` and `AddressRefused` for tools that cannot be used.
    """

    def __init__(self, tools: Tools, sources: Sources) -> None:
        self._tools = tools
        self._taken = set(self.functions)
        self._boxed: dict[str, BoxedTool] = {}
        self.servers = [_server(remote, sources) for remote in tools.remote]

    @property
    def functions(self) -> frozenset[str]:
        """The functions that are the client's."""
        return frozenset(tool["name"] for tool in self._tools.shown if tool["type"] == "function")

    def fill(self, server: Server, specs: Iterable[ToolSpec]) -> None:
        """Put a server's tools in. Raises `InvalidField` where there are more than a model is told of."""
        for spec in specs:
            if not server.allowed.takes(spec):
                continue
            called = self._free(server, spec.name)
            self._taken.add(called)
            self._boxed[called] = BoxedTool(server=server, spec=spec, called=called)
        if len(self._taken) > MOST:
            message = f"There are more than {MOST} tools together: name those that are needed in 'allowed_tools'."
            raise InvalidField(message, param=server.at)

    def known(self, items: Iterable[Resource], server: Server) -> list[ToolSpec] | None:
        """Its tools by the latest list of them in a conversation; None where there is none."""
        found = None
        for item in items:
            if item["type"] == "mcp_list_tools" and item["server_label"] == server.label and item.get("error") is None:
                found = item
        return None if found is None else tool_items.specs(found)

    def tool(self, called: str) -> BoxedTool | None:
        """The one that the model knows by that name."""
        return self._boxed.get(called)

    def of(self, label: str, name: str) -> BoxedTool | None:
        """The tool of that MCP server and that name."""
        its = ("mcp", label, name)
        return next((each for each in self._boxed.values() if each.known_as == its), None)

    def named(self, label: str, name: str) -> str:
        """What a model knows a server's tool by, also of one that is not there any more."""
        if not label:
            return next((tool.called for tool in self._boxed.values() if tool.server.kind == _FORM), name)
        tool = self.of(label, name)
        return model_name(name) if tool is None else tool.called

    def offered(self, *, remote: bool, first: bool) -> Tools:
        """What the model is told of. Only at first must it call something; none of the box where not `remote`."""
        tools = self._tools
        chosen = first or not tools.once
        functions = tools.offered if chosen else tuple(each for each in tools.shown if each["type"] == "function")
        boxed = [tool for tool in self._boxed.values() if remote and self._picked(tool, first=first)]
        mode = tools.mode if first or tools.mode == "none" else "auto"
        if first and tools.once and boxed and tools.picks and tools.picks[0].name is not None:
            mode = {"type": "function", "function": {"name": boxed[0].called}}
        return msgspec.structs.replace(tools, offered=(*functions, *(tool.shown for tool in boxed)), mode=mode)

    def callable(self, called: str, *, first: bool) -> BoxedTool | None:
        """The tool that a model means, where it may call it: it was told of it, and of no ban to call any."""
        tool = self._boxed.get(called)
        return tool if tool and self._tools.mode != "none" and self._picked(tool, first=first) else None

    async def changed(self, tool: BoxedTool) -> bool:
        """Whether the tool is not the one any more that somebody approved of. Raises as `Server.specs`."""
        now = {each.name: each.digest for each in await tool.server.specs()}
        return now.get(tool.spec.name) != tool.spec.digest

    async def call(self, tool: BoxedTool, arguments: str) -> ToolResult:
        """Call it."""
        if tool.server.source is not None:
            return await tool.server.source.call(tool.spec.name, arguments)
        try:
            read_object(arguments)
        except BadArguments as error:
            return ToolResult(text=str(error), is_error=True, fault=ToolFault(kind="refused", message=str(error)))
        return ToolResult(text="Captured.")

    async def aclose(self) -> None:
        """Say that no more is asked."""
        for server in self.servers:
            if server.source is not None:
                await server.source.aclose()

    def _picked(self, tool: BoxedTool, *, first: bool) -> bool:
        picks = self._tools.picks if first or not self._tools.once else None
        return picks is None or any(_means(pick, tool) for pick in picks)

    def _free(self, server: Server, name: str) -> str:
        plain = model_name(name) if server.kind == "mcp" else model_name(_whole(server, name))
        if plain and plain not in self._taken:
            return plain
        found = model_name(f"{server.label}_{name}")
        while found in self._taken:
            found = model_name(f"{found}_")
        return found


def _whole(server: Server, name: str) -> str:
    """An API's operation is known by both names, so that two APIs can have operations of one name."""
    return f"{server.label}_{name}" if server.kind == "openapi" else name


def _means(pick: Pick, tool: BoxedTool) -> bool:
    its = tool.server
    return its.kind == "mcp" and its.label == pick.label and pick.name in (None, tool.spec.name)


def _server(remote: Remote, sources: Sources) -> Server:
    return Server(remote, None if remote.kind == _FORM else sources(remote.given, remote.at))

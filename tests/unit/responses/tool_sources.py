"""Tools that a test plays, and what asks for them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from forehearth.core.tool import ToolFault, ToolResult, ToolSpec

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}


def tool(name: str, *, reads: bool = False, **more: Any) -> ToolSpec:
    annotations = {"readOnlyHint": True} if reads else None
    return ToolSpec(
        name=name, description=f"It is {name}.", parameters=SCHEMA, annotations=annotations, read_only=reads, **more
    )


class Source:
    """A server with these tools. Calls are kept; `answers` has what a tool answers, otherwise it says its arguments."""

    def __init__(self, *tools: ToolSpec, fails: Exception | None = None) -> None:
        self.has = list(tools)
        self.fails = fails
        self.listed = 0
        self.calls: list[tuple[str, str]] = []
        self.answers: dict[str, ToolResult | Callable[[], Awaitable[ToolResult]]] = {}
        self.closed = 0

    async def tools(self) -> Sequence[ToolSpec]:
        self.listed += 1
        if self.fails is not None:
            raise self.fails
        return self.has

    async def call(self, name: str, arguments: str) -> ToolResult:
        self.calls.append((name, arguments))
        found = self.answers.get(name) or ToolResult(text=f"{name} says {arguments}")
        return await found() if callable(found) else found

    async def aclose(self) -> None:
        self.closed += 1


def failed(kind: Any, message: str, code: int = 0) -> ToolResult:
    return ToolResult(text=message, is_error=True, fault=ToolFault(kind=kind, message=message, code=code))


def mcp(label: str = "files", **members: Any) -> dict[str, Any]:
    """A tool of a question, whose calls nobody has to approve of."""
    url = f"https://{label}.example/mcp/path?key=canary"
    return {"type": "mcp", "server_label": label, "server_url": url, "require_approval": "never"} | members

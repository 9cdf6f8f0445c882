"""Tools that a model may call and somebody else carries out: what they are called, what they take, what came of it."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from forehearth.core.secret import Secret

Schema = Mapping[str, Any]
"""A JSON Schema of an object, as it came."""
LONGEST_NAME: Final = 64
"""Characters of a function's name, as the APIs of models have it."""
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")


def model_name(name: str) -> str:
    """A name as the APIs of models take it: other characters become `_`; a long one ends with a digest of it."""
    found = _NOT_IN_NAMES.sub("_", name)
    if len(found) <= LONGEST_NAME:
        return found
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:8]
    return f"{found[: LONGEST_NAME - 9]}_{digest}"


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One tool, as a model is told of it. Name and description are a stranger's words."""

    name: str
    description: str | None = None
    parameters: Schema
    annotations: Mapping[str, Any] | None = None
    """What an MCP server says of it besides, as it came."""
    read_only: bool = False
    """Whether its server says that it changes nothing. Nobody has checked that."""

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over name, description and parameters: another one is another tool."""
        told = msgspec.json.encode((self.name, self.description, self.parameters), order="deterministic")
        return hashlib.sha256(told).hexdigest()


class ToolFault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call of a tool came to nothing, in the kinds that the Responses API tells apart.

    `http`: the server was not asked, not reached or answered with `code`; `protocol`: it answered with the JSON-RPC
    error `code`, or with no answer at all; `execution`: the tool itself says that it failed; `refused`: it was not
    asked, because it is not one of the tools, or because of its arguments.
    """

    kind: Literal["http", "protocol", "execution", "refused"]
    code: int = 0
    message: str


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call. `text` is for the model, also where `is_error` is true; it is a stranger's words."""

    text: str
    is_error: bool = False
    fault: ToolFault | None = None
    """There exactly where `is_error` is true."""


class ToolFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a server's tools there are: those named, and where `read_only` is given those that say so."""

    names: frozenset[str] | None = None
    read_only: bool | None = None

    def takes(self, tool: ToolSpec) -> bool:
        """Whether `tool` is one of them."""
        named = self.names is None or tool.name in self.names
        return named and (self.read_only is None or tool.read_only == self.read_only)


class McpServer(msgspec.Struct, frozen=True, kw_only=True):
    """An MCP server that a caller named, with the credentials that the caller gave for it."""

    label: str
    url: str
    authorization: Secret | None = None
    """An access token: sent as `authorization: Bearer …`."""
    headers: Mapping[str, Secret] = {}
    """Further headers. All of them are taken for secrets."""
    allowed: ToolFilter = ToolFilter()
    param: str | None = None
    """Where the server stands in the caller's body, for errors: `tools[0]`."""


class OpenApiTool(msgspec.Struct, frozen=True, kw_only=True):
    """The tool `openapi`: operations of an API, by its document."""

    name: str
    description: str | None = None
    document: Mapping[str, Any]
    default_params: frozenset[str] = frozenset()
    """Parameters that a model is not asked for: the document's default is sent."""
    headers: Mapping[str, Secret] = {}
    """What opens it, by names in lower case; a model's header of the same name is not sent."""
    query: Mapping[str, Secret] = {}
    """The same, in the address."""
    param: str | None = None
    """Where the document stands in the caller's body, for errors: `tools[0].openapi.spec`."""

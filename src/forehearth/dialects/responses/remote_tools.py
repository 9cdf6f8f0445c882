"""Tools that are called here and not by the client: MCP servers, and of an agent also APIs and forms to fill in.

What is shown of an MCP server never has what opens it: neither `authorization` nor `headers`, and of its address only
the host. Source: OpenAI's guide to remote MCP servers, and replies of the service.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from forehearth.core.errors import AddressRefused, InvalidField, NotSupported
from forehearth.core.web_address import read as read_address
from forehearth.dialects.responses import problems

AGENTS_ALONE: Final = frozenset({"openapi", "capture_structured_outputs"})
"""Kinds that an agent may have, and no request."""
KINDS: Final = AGENTS_ALONE | {"mcp"}
_HOST: Final = re.compile(r"[^/]*//[^/?#]*")
_OTHER_WAYS: Final = ("connector_id", "tunnel_id")
_Label = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]


class _Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tool_names: list[str] | None = None
    read_only: bool | None = None


class _Approvals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    always: _Filter | None = None
    never: _Filter | None = None


class _Mcp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    server_label: _Label
    server_url: str | None = None
    server_description: str | None = None
    connector_id: str | None = None
    tunnel_id: str | None = None
    project_connection_id: str | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    allowed_tools: list[str] | _Filter | None = None
    allowed_callers: list[str] | None = None
    require_approval: Literal["always", "never"] | _Approvals | None = None
    defer_loading: bool | None = None


class _Outputs(msgspec.Struct, frozen=True, kw_only=True):
    name: _Name
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class _Capture(msgspec.Struct, frozen=True, kw_only=True):
    outputs: _Outputs


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, with what opens it. It is never shown."""

    given: Mapping[str, Any]
    at: str
    """Its place in the body: `tools[0]`."""

    @property
    def kind(self) -> str:
        """Its `type`."""
        return str(self.given["type"])

    @property
    def connection(self) -> str:
        """The name of the project's connection whose credentials it takes, given by name or id; empty without."""
        its: Any = self.given
        if self.kind == "openapi":
            auth = self.given["openapi"].get("auth") or {}
            its = auth.get("security_scheme") or {}
        return str(its.get("project_connection_id") or "").rstrip("/").rpartition("/")[2]

    @property
    def is_public(self) -> bool:
        """Whether all that its calls take stands in it: a host that has this API can make them, too."""
        return self.kind == "mcp" and not self.connection

    @property
    def label(self) -> str:
        """What tells it from the others of its kind."""
        if self.kind == "mcp":
            return str(self.given["server_label"])
        return str(self.given["openapi" if self.kind == "openapi" else "outputs"]["name"])


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """Tools of an MCP server among which the model is to choose: one of them, or all."""

    label: str
    name: str | None = None


def read(value: Mapping[str, Any], at: str, *, of_agent: bool) -> tuple[Remote, dict[str, Any]]:
    """A tool of one of these kinds, and how it is shown.

    Raises `InvalidField`, `UnknownField`, `NotSupported`, and `AddressRefused` for an address that is none.
    """
    remote = Remote(given=value, at=at)
    if remote.kind == "mcp":
        return remote, _mcp(value, at, of_agent=of_agent)
    if remote.kind == "capture_structured_outputs":
        problems.read(value, _Capture, at)
    return remote, dict(value)


def require_once(remote: Sequence[Remote]) -> None:
    """Raises `InvalidField` for two that could not be told apart."""
    seen: set[tuple[str, str]] = set()
    for each in remote:
        if (each.kind, each.label) in seen:
            message = f"There are two tools of type '{each.kind}' with the name '{each.label[:128]}'."
            raise InvalidField(message, param=each.at)
        seen.add((each.kind, each.label))


def without_secrets(tools: Any) -> Any:
    """Tools of a response, whatever they are, without what opens servers of MCP."""
    if not isinstance(tools, list):
        return tools
    return [_without_secrets(tool) if isinstance(tool, dict) and tool.get("type") == "mcp" else tool for tool in tools]


def _without_secrets(tool: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in tool.items() if name != "authorization"}
    if "headers" in shown:
        shown["headers"] = None
    if isinstance(shown.get("server_url"), str):
        shown["server_url"] = _shown(shown["server_url"])
    return shown


def picked(remote: Sequence[Remote], label: object, name: object, at: str) -> Pick:
    """What a `tool_choice` of an MCP server means. Raises `InvalidField`."""
    if not isinstance(label, str) or all(each.kind != "mcp" or each.label != label for each in remote):
        shown = label[:128] if isinstance(label, str) else label
        raise InvalidField(f"Tool choice 'mcp' with the server_label '{shown}' not found in 'tools'.", param=at)
    if name is not None and not isinstance(name, str):
        raise InvalidField(f"Invalid value for '{at}.name': expected a string.", param=f"{at}.name")
    return Pick(label=label, name=name)


def _mcp(value: Mapping[str, Any], at: str, *, of_agent: bool) -> dict[str, Any]:
    server = problems.read(value, _Mcp, at)
    for name in _OTHER_WAYS:
        if getattr(server, name) is not None:
            raise NotSupported(
                f"'{name}' is not served: send the server's address in 'server_url'.", param=f"{at}.{name}"
            )
    if server.project_connection_id is not None and not of_agent:
        message = "A project's connection is for the tools of agents: send the server's credentials in 'headers'."
        raise NotSupported(message, param=f"{at}.project_connection_id")
    if server.allowed_callers is not None or server.defer_loading:
        name = "defer_loading" if server.defer_loading else "allowed_callers"
        raise NotSupported(f"'{name}' is not served here: leave it out.", param=f"{at}.{name}")
    if server.server_url is None:
        raise InvalidField(f"Missing required parameter: '{at}.server_url'.", param=f"{at}.server_url")
    try:
        read_address(server.server_url)
    except AddressRefused as error:
        error.param = f"{at}.server_url"
        raise
    return {
        "type": "mcp",
        "server_label": server.server_label,
        "server_url": _shown(server.server_url),
        **({} if server.server_description is None else {"server_description": server.server_description}),
        "allowed_tools": value.get("allowed_tools"),
        "headers": None,
        "require_approval": value.get("require_approval") or "always",
    }


def _shown(url: str) -> str:
    found = _HOST.match(url)
    return f"{found[0] if found else ''}/<redacted>"

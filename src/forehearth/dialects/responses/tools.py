"""The tools that a model may call, and which of them it must: functions, and those that are called here."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.dialects.responses import problems, remote_tools
from forehearth.dialects.responses.remote_tools import Pick, Remote

MOST: Final = 128
"""Functions of a question, as in chat completions of the service."""
_MODES: Final = ("none", "auto", "required")
_ELSEWHERE: Final = (
    *("file_search", "web_search", "web_search_preview", "code_interpreter", "computer", "computer_use_preview"),
    *("computer_use", "image_generation", "local_shell", "shell", "apply_patch", "custom", "namespace", "tool_search"),
    *("programmatic_tool_calling", "web_search_2025_08_26", "web_search_preview_2025_03_11"),
    *(
        "openapi",
        "capture_structured_outputs",
        "azure_ai_search",
        "azure_function",
        "bing_grounding",
        "bing_custom_search_preview",
    ),
    *("sharepoint_grounding_preview", "fabric_dataagent_preview", "memory_search_preview", "a2a_preview"),
    "browser_automation_preview",
)
_TYPES: Final = ("function", "mcp")
_SERVED: Final = "served are tools of type 'function' and 'mcp'"
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
Tool = dict[str, Any]


class _Function(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    output_schema: dict[str, Any] | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None


class _Named(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    name: str


class _Allowed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    mode: str
    tools: list[dict[str, Any]]


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The tools of a question, and how the model is to choose among them, both as they are shown."""

    shown: tuple[Tool, ...] = ()
    choice: str | dict[str, Any] = "auto"
    offered: tuple[Tool, ...] = ()
    """Those among which the model chooses; fewer than are shown where `allowed_tools` says so."""
    mode: str | dict[str, Any] = "auto"
    """How it chooses, in the words of chat completions."""
    remote: tuple[Remote, ...] = ()
    """Those that are called here."""
    picks: tuple[Pick, ...] | None = None
    """To which of their tools the choice is restricted; None where it is not."""
    once: bool = False
    """Whether it is the choice of the model's first call alone."""

    @property
    def of_hosts(self) -> bool:
        """Whether a host that has this API can call all of those that would be called here."""
        return bool(self.remote) and all(each.is_public for each in self.remote)


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    shown: tuple[Tool, ...]
    functions: tuple[Tool, ...]
    remote: tuple[Remote, ...]

    def tools(self, **more: Any) -> Tools:
        return Tools(**{"shown": self.shown, "offered": self.functions, "remote": self.remote} | more)


def read(tools: Sequence[Any], choice: object, *, of_agent: bool = False) -> Tools:
    """Both members of a body, which may be those of an agent.

    Raises `InvalidField`, `UnknownField`, `NotSupported`, `NotServedYet` or `AddressRefused`.
    """
    found = _read(tools, of_agent=of_agent)
    if choice is None:
        return found.tools()
    if isinstance(choice, str):
        problems.one_of(choice, _MODES, "tool_choice")
        if choice == "required":
            _require(found.shown)
        return found.tools(choice=choice, mode=choice)
    if not isinstance(choice, dict):
        raise InvalidField("Invalid value for 'tool_choice': expected a string or an object.", param="tool_choice")
    return _chosen(found, choice)


def _read(tools: Sequence[Any], *, of_agent: bool) -> _Read:
    if len(tools) > MOST:
        raise InvalidField(f"Invalid 'tools': array too long. Expected at most {MOST} tools.", param="tools")
    shown, functions, remote = list[Tool](), list[Tool](), list[Remote]()
    names: set[str] = set()
    for index, value in enumerate(tools):
        at = f"tools[{index}]"
        if not isinstance(value, dict):
            raise InvalidField(f"Invalid value for '{at}': expected an object.", param=at)
        kind = value.get("type")
        if kind == "mcp" or (of_agent and kind in remote_tools.KINDS):
            its, tool = remote_tools.read(value, at, of_agent=of_agent)
            remote.append(its)
        else:
            tool = _tool(value, at)
            if tool["name"] in names:
                message = f"There are two tools with the name '{tool['name']}': give each one a name of its own."
                raise InvalidField(message, param=f"{at}.name")
            names.add(tool["name"])
            functions.append(tool)
        shown.append(tool)
    remote_tools.require_once(remote)
    return _Read(shown=tuple(shown), functions=tuple(functions), remote=tuple(remote))


def _chosen(found: _Read, choice: dict[str, Any]) -> Tools:
    kind = choice.get("type")
    if kind == "function":
        name = problems.read(choice, _Named, "tool_choice").name
        _among(name, found.functions)
        mode = {"type": "function", "function": {"name": name}}
        return found.tools(choice={"type": "function", "name": name}, mode=mode)
    if kind == "mcp":
        pick = remote_tools.picked(found.remote, choice.get("server_label"), choice.get("name"), "tool_choice")
        shown = {"type": "mcp", "server_label": pick.label, "name": pick.name}
        return found.tools(choice=shown, mode="required", offered=(), picks=(pick,), once=True)
    if kind == "allowed_tools":
        return _allowed(found, problems.read(choice, _Allowed, "tool_choice"))
    raise _other(kind, "tool_choice.type", (*_TYPES, "allowed_tools"))


def _allowed(found: _Read, allowed: _Allowed) -> Tools:
    """Hosts know little of `allowed_tools`; a model that sees only these tools chooses among them alone."""
    problems.one_of(allowed.mode, ("auto", "required"), "tool_choice.mode")
    if len(allowed.tools) > MOST:
        raise InvalidField(f"Expected at most {MOST} tools in 'tool_choice.tools'.", param="tool_choice.tools")
    names, picks = list[str](), list[Pick]()
    for index, tool in enumerate(allowed.tools):
        at = f"tool_choice.tools[{index}]"
        if tool.get("type") == "mcp":
            picks.append(remote_tools.picked(found.remote, tool.get("server_label"), tool.get("name"), at))
            continue
        if tool.get("type") != "function":
            raise _other(tool.get("type"), f"{at}.type", _TYPES)
        names.append(problems.read(tool, _Named, at).name)
        _among(names[-1], found.functions)
    if allowed.mode == "required":
        _require([*names, *picks])
    choice = {"type": "allowed_tools", "mode": allowed.mode, "tools": allowed.tools}
    offered = tuple(tool for tool in found.functions if tool["name"] in names)
    return found.tools(offered=offered, choice=choice, mode=allowed.mode, picks=tuple(picks))


def _tool(value: dict[str, Any], at: str) -> Tool:
    if value.get("type") != "function":
        raise _other(value.get("type"), f"{at}.type", _TYPES)
    function = problems.read(value, _Function, at)
    for name, given in (("output_schema", function.output_schema), ("allowed_callers", function.allowed_callers)):
        if given is not None:
            raise NotSupported(f"'{name}' is not served here: leave it out.", param=f"{at}.{name}")
    if function.defer_loading:
        raise NotSupported("'defer_loading' is not served here: leave it out.", param=f"{at}.defer_loading")
    return {
        "type": "function",
        "name": function.name,
        "description": function.description,
        "parameters": function.parameters,
        "strict": function.strict,
    }


def _other(kind: object, at: str, served: tuple[str, ...]) -> Exception:
    if kind is None:
        return InvalidField(f"Missing required parameter: '{at}'.", param=at)
    if kind in _ELSEWHERE:
        message = f"Tools of type '{kind}' are not served by this deployment; {_SERVED}."
        return NotSupported(message, param=at)
    problems.one_of(str(kind), served, at)
    return InvalidField(f"Invalid value for '{at}': expected a string.", param=at)


def _among(name: str, shown: tuple[Tool, ...]) -> None:
    if all(tool["name"] != name for tool in shown):
        raise InvalidField(
            f"Tool choice 'function' with the name '{name[:128]}' not found in 'tools'.", param="tool_choice"
        )


def _require(tools: Collection[object]) -> None:
    if not tools:
        raise InvalidField("Tool choice 'required' must be specified with 'tools' parameter.", param="tool_choice")


def chat(tools: Tools, *, parallel: bool | None) -> Mapping[str, Any]:
    """The members of a body of chat completions that say the same. Without tools there is nothing to be said."""
    if not tools.offered:
        return {}
    members: dict[str, Any] = {"tools": [_chat_tool(tool) for tool in tools.offered], "tool_choice": tools.mode}
    return members if parallel is None else members | {"parallel_tool_calls": parallel}


def _chat_tool(tool: Tool) -> dict[str, Any]:
    given = {name: tool[name] for name in ("name", "description", "parameters", "strict") if tool[name] is not None}
    return {"type": "function", "function": given}

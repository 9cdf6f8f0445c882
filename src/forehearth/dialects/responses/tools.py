"""The functions that a model may call, and which of them it must: the tools that chat completions can carry."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from forehearth.core.errors import InvalidField, NotServedYet, NotSupported
from forehearth.dialects.responses import problems

MOST: Final = 128
"""Functions of a question, as in chat completions of the service."""
_MODES: Final = ("none", "auto", "required")
_ELSEWHERE: Final = (
    *("file_search", "web_search", "web_search_preview", "code_interpreter", "computer", "computer_use_preview"),
    *("computer_use", "image_generation", "local_shell", "shell", "apply_patch", "custom", "namespace", "tool_search"),
    *("programmatic_tool_calling", "web_search_2025_08_26", "web_search_preview_2025_03_11"),
    *("openapi", "azure_ai_search", "azure_function", "bing_grounding", "bing_custom_search_preview"),
    *("sharepoint_grounding_preview", "fabric_dataagent_preview", "memory_search_preview", "a2a_preview"),
    *("browser_automation_preview", "capture_structured_outputs"),
)
_SERVED: Final = "served are tools of type 'function'"
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


def read(tools: Sequence[Any], choice: object) -> Tools:
    """Both members of a body. Raises `InvalidField`, `UnknownField`, `NotSupported` or `NotServedYet`."""
    if len(tools) > MOST:
        raise InvalidField(f"Invalid 'tools': array too long. Expected at most {MOST} tools.", param="tools")
    shown = tuple(_tool(value, f"tools[{index}]") for index, value in enumerate(tools))
    names: set[str] = set()
    for index, tool in enumerate(shown):
        if tool["name"] in names:
            message = f"There are two tools with the name '{tool['name']}': give each one a name of its own."
            raise InvalidField(message, param=f"tools[{index}].name")
        names.add(tool["name"])
    if choice is None:
        return Tools(shown=shown, offered=shown)
    if isinstance(choice, str):
        problems.one_of(choice, _MODES, "tool_choice")
        if choice == "required":
            _require(names)
        return Tools(shown=shown, offered=shown, choice=choice, mode=choice)
    if not isinstance(choice, dict):
        raise InvalidField("Invalid value for 'tool_choice': expected a string or an object.", param="tool_choice")
    return _chosen(shown, choice)


def _chosen(shown: tuple[Tool, ...], choice: dict[str, Any]) -> Tools:
    kind = choice.get("type")
    if kind == "function":
        name = problems.read(choice, _Named, "tool_choice").name
        _among(name, shown)
        mode = {"type": "function", "function": {"name": name}}
        return Tools(shown=shown, offered=shown, choice={"type": "function", "name": name}, mode=mode)
    if kind == "allowed_tools":
        return _allowed(shown, problems.read(choice, _Allowed, "tool_choice"))
    raise _other(kind, "tool_choice.type", ("function", "allowed_tools"))


def _allowed(shown: tuple[Tool, ...], allowed: _Allowed) -> Tools:
    """Hosts know little of `allowed_tools`; a model that sees only these tools chooses among them alone."""
    problems.one_of(allowed.mode, ("auto", "required"), "tool_choice.mode")
    if len(allowed.tools) > MOST:
        raise InvalidField(f"Expected at most {MOST} tools in 'tool_choice.tools'.", param="tool_choice.tools")
    names = []
    for index, tool in enumerate(allowed.tools):
        at = f"tool_choice.tools[{index}]"
        if tool.get("type") != "function":
            raise _other(tool.get("type"), f"{at}.type", ("function",))
        names.append(problems.read(tool, _Named, at).name)
        _among(names[-1], shown)
    if allowed.mode == "required":
        _require(names)
    choice = {"type": "allowed_tools", "mode": allowed.mode, "tools": allowed.tools}
    offered = tuple(tool for tool in shown if tool["name"] in names)
    return Tools(shown=shown, offered=offered, choice=choice, mode=allowed.mode)


def _tool(value: object, at: str) -> Tool:
    if not isinstance(value, dict):
        raise InvalidField(f"Invalid value for '{at}': expected an object.", param=at)
    if value.get("type") != "function":
        raise _other(value.get("type"), f"{at}.type", ("function",))
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
    if kind == "mcp":
        return NotServedYet(f"Tools of type 'mcp' are not served yet; {_SERVED}.", param=at)
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


def _require(names: Collection[str]) -> None:
    if not names:
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

"""What an assistant or a run says of tools and of the form of answers: read strictly, what is not served named.

Members come as they are sent, and are kept so: they are those of chat completions, which a model is asked with.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.dialects.assistants.objects import Json
from forehearth.dialects.responses import problems
from forehearth.dialects.wrong_members import missing_member, too_many, type_of, wrong_type, wrong_value

MOST: Final = 128
"""Tools of an assistant or a run."""
NOT_SERVED: Final = (
    *("code_interpreter", "file_search", "azure_ai_search", "azure_function", "bing_grounding", "bing_custom_search"),
    *("openapi", "mcp", "connected_agent", "sharepoint_grounding", "fabric_dataagent", "microsoft_fabric"),
    *("deep_research", "browser_automation", "computer_use_preview", "web_search"),
)
"""Tools that the service has besides functions."""
LARGEST: Final = 512 * 1024
"""Bytes of all tools together, and of a form of answers."""
_DEEPER: Final = 100
"""How much deeper than it was read a value may be written."""
_SERVED: Final = "served are tools of type 'function'"
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Tool(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    function: _Function


class _FunctionName(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class _Choice(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    function: _FunctionName | None = None


class _Schema(msgspec.Struct, forbid_unknown_fields=True):
    name: _Name
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class _Format(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    json_schema: _Schema | None = None


def read_tools(given: Sequence[Any]) -> list[Json]:
    """The member `tools`. Raises `InvalidField`, `UnknownField`, or `NotSupported` for a kind that is not served."""
    if len(given) > MOST:
        raise too_many("tools", MOST, len(given))
    names: set[str] = set()
    for index, value in enumerate(given):
        at = f"tools[{index}]"
        name = _function(value, at)
        if name in names:
            message = f"There are two tools with the name '{name}': give each one a name of its own."
            raise InvalidField(message, param=f"{at}.function.name")
        names.add(name)
    _require_small(given, "tools")
    return list(given)


def _function(value: object, at: str) -> str:
    """The name of a function that is served."""
    if not isinstance(value, dict):
        raise wrong_type(at, "an object", type_of(value))
    kind = value.get("type")
    if kind is None:
        raise missing_member(f"{at}.type")
    if kind in NOT_SERVED:
        raise NotSupported(f"Tools of type '{kind}' are not served for classic agents; {_SERVED}.", param=f"{at}.type")
    if kind != "function":
        raise wrong_value(f"{at}.type", str(kind), ("function",))
    return problems.read(value, _Tool, at).function.name


def read_choice(given: object, tools: Sequence[Json]) -> str | Json:
    """The member `tool_choice`, of a run with these tools. Raises `InvalidField`, `UnknownField` or `NotSupported`."""
    if given is None:
        return "auto"
    if isinstance(given, str):
        problems.one_of(given, ("none", "auto", "required"), "tool_choice")
        if given == "required" and not tools:
            raise InvalidField("Tool choice 'required' must be specified with 'tools' parameter.", param="tool_choice")
        return given
    choice = problems.read(given, _Choice, "tool_choice")
    if choice.type in NOT_SERVED:
        message = f"Tools of type '{choice.type}' are not served for classic agents; {_SERVED}."
        raise NotSupported(message, param="tool_choice.type")
    problems.one_of(choice.type, ("function",), "tool_choice.type")
    if choice.function is None:
        raise missing_member("tool_choice.function")
    if all(tool["function"]["name"] != choice.function.name for tool in tools):
        message = f"Tool choice 'function' with the name '{choice.function.name[:128]}' not found in 'tools'."
        raise InvalidField(message, param="tool_choice")
    return {"type": "function", "function": {"name": choice.function.name}}


def read_format(given: object) -> str | Json:
    """The member `response_format`. Raises `InvalidField` or `UnknownField`."""
    if given is None:
        return "auto"
    if isinstance(given, str):
        problems.one_of(given, ("auto",), "response_format")
        return given
    form = problems.read(given, _Format, "response_format")
    problems.one_of(form.type, ("text", "json_object", "json_schema"), "response_format.type")
    if (form.type == "json_schema") != (form.json_schema is not None):
        where = "response_format.json_schema"
        raise (
            missing_member(where)
            if form.json_schema is None
            else InvalidField(f"'{where}' belongs to the type 'json_schema': leave it out.", param=where)
        )
    _require_small(given, "response_format")
    return {name: each for name, each in msgspec.convert(given, Json).items() if each is not None}


def read_resources(given: object) -> Json:
    """The member `tool_resources`, which may have nothing in it: it is about tools that are not served.

    Raises `InvalidField` or `NotSupported`.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise wrong_type("tool_resources", "an object", type_of(given))
    for name, value in given.items():
        if not _is_empty(value):
            message = f"'tool_resources.{name[:64]}' is about a tool that is not served for classic agents; {_SERVED}."
            raise NotSupported(message, param=f"tool_resources.{name[:64]}")
    return {}


def _is_empty(value: object) -> bool:
    return not value or (isinstance(value, dict) and not any(value.values()))


def _require_small(given: object, where: str) -> None:
    """Raises `InvalidField` for what is too large to be kept, or too deep: it is written within other things later."""
    within = given
    for _ in range(_DEEPER):
        within = [within]
    try:
        size = len(msgspec.json.encode(within)) - 2 * _DEEPER
    except RecursionError:
        raise InvalidField(f"'{where}' is nested too deeply to be kept.", param=where) from None
    if size > LARGEST:
        raise InvalidField(f"'{where}' has at most {LARGEST} bytes of JSON, and this one {size}.", param=where)

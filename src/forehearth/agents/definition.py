"""Reads an agent's definition: what is served of it, checked; what is not, refused by name."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from forehearth.core.agent import AgentDefinition, Json, StructuredInput
from forehearth.core.errors import InvalidField, MalformedBody, NotSupported
from forehearth.core.misfit import malformed, misfit

LONGEST = 512 * 1024
"""Bytes of a definition."""
KIND = "prompt"
OTHER_KINDS = frozenset({"hosted", "workflow", "external", "voice", "container_app"})
"""What else the service makes agents of."""
NOT_SERVED = ("harness", "skills", "rai_config")
"""Members of a prompt agent of the service that this server could not honour."""
_WHERE = "definition"
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]", max_length=2_048)]
_Given = dict[str, object]


class _Function(msgspec.Struct, kw_only=True):
    name: _Name
    description: str | None = None
    parameters: _Given | None = None
    strict: bool | None = None


class _Filter(msgspec.Struct, kw_only=True):
    tool_names: list[str] | None = None
    read_only: bool | None = None


class _Approval(msgspec.Struct, kw_only=True):
    always: _Filter | None = None
    never: _Filter | None = None


class _Mcp(msgspec.Struct, kw_only=True):
    server_label: _Text
    server_url: _Url
    server_description: str | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    allowed_tools: list[str] | _Filter | None = None
    require_approval: Literal["always", "never"] | _Approval | None = None
    project_connection_id: str | None = None


class _Anonymous(msgspec.Struct, kw_only=True, tag_field="type", tag="anonymous"):
    pass


class _ConnectionScheme(msgspec.Struct, kw_only=True):
    project_connection_id: _Text


class _ByConnection(msgspec.Struct, kw_only=True, tag_field="type", tag="project_connection"):
    security_scheme: _ConnectionScheme


class _ManagedScheme(msgspec.Struct, kw_only=True):
    audience: _Text


class _Managed(msgspec.Struct, kw_only=True, tag_field="type", tag="managed_identity"):
    security_scheme: _ManagedScheme


class _OpenApiFunction(msgspec.Struct, kw_only=True):
    name: _Name
    spec: _Given
    auth: _Anonymous | _ByConnection | _Managed
    description: str | None = None
    default_params: list[str] | None = None


class _OpenApi(msgspec.Struct, kw_only=True):
    openapi: _OpenApiFunction


class _Outputs(msgspec.Struct, kw_only=True):
    name: _Name
    schema: _Given
    description: str | None = None
    strict: bool | None = None


class _Capture(msgspec.Struct, kw_only=True):
    outputs: _Outputs


TOOLS: Mapping[str, type[msgspec.Struct]] = {
    "function": _Function,
    "mcp": _Mcp,
    "openapi": _OpenApi,
    "capture_structured_outputs": _Capture,
}
"""The kinds of tools that are served, and what is checked of each."""


class _Plain(msgspec.Struct, kw_only=True, tag_field="type", tag="text"):
    pass


class _Object(msgspec.Struct, kw_only=True, tag_field="type", tag="json_object"):
    pass


class _Schema(msgspec.Struct, kw_only=True, tag_field="type", tag="json_schema"):
    name: _Name
    schema: _Given
    description: str | None = None
    strict: bool | None = None


class _TextOptions(msgspec.Struct, kw_only=True):
    format: _Plain | _Object | _Schema | None = None


class _Reasoning(msgspec.Struct, kw_only=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class _Choice(msgspec.Struct, kw_only=True):
    type: str


class _Members(msgspec.Struct, kw_only=True):
    """What is checked of a definition, besides its kind and tools. Limits of numbers are those of the Responses API."""

    model: _Text
    instructions: str | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    reasoning: _Reasoning | None = None
    tools: Annotated[list[_Given], msgspec.Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | _Choice | None = None
    text: _TextOptions | None = None
    structured_inputs: dict[str, StructuredInput] | None = None


def read(raw: bytes) -> AgentDefinition:
    """The definition that `raw` is.

    Raises `InvalidField` with the path of what is wrong, `NotSupported` for what the service has and this server has
    not, and `MalformedBody`.
    """
    given = _decoded(raw)
    _require_kind(given)
    _fits(given, _Members, _WHERE)
    for member in NOT_SERVED:
        if given.get(member):
            raise NotSupported(
                f"'{_WHERE}.{member}' is not served: leave it out. docs/reference/agents.md says what is.",
                param=f"{_WHERE}.{member}",
            )
    tools = given.get("tools")
    _require_tools(tools if isinstance(tools, list) else [])
    return as_stored(raw)


def as_stored(raw: bytes) -> AgentDefinition:
    """The same of what was read before, unchecked."""
    given = {name: value for name, value in msgspec.json.decode(raw, type=_Given).items() if value is not None}
    return msgspec.convert(given, AgentDefinition)


def _decoded(raw: bytes) -> Json:
    if len(raw) > LONGEST:
        raise InvalidField(f"'{_WHERE}' has at most {LONGEST} bytes, and this one {len(raw)}.", param=_WHERE)
    try:
        return msgspec.json.decode(raw, type=_Given)
    except msgspec.ValidationError as error:
        raise misfit(str(error), within=_WHERE) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(malformed(raw, str(error))) from None
    except RecursionError:
        raise MalformedBody(f"'{_WHERE}' is nested too deeply to be read.") from None


def _require_kind(given: Json) -> None:
    kind, param = given.get("kind"), f"{_WHERE}.kind"
    if kind == KIND:
        return
    if isinstance(kind, str) and kind in OTHER_KINDS:
        raise NotSupported(f"Agents of the kind '{kind}' are not served; '{KIND}' is.", param=param)
    if "kind" not in given:
        raise InvalidField(f"Missing required parameter: '{param}'.", param=param)
    raise InvalidField(f"Invalid value for '{param}': there is '{KIND}'.", param=param)


def _require_tools(tools: Sequence[Json]) -> None:
    for position, tool in enumerate(tools):
        where = f"{_WHERE}.tools[{position}]"
        kind = tool.get("type")
        if not isinstance(kind, str):
            raise InvalidField(f"Missing required parameter: '{where}.type'.", param=f"{where}.type")
        checked = TOOLS.get(kind)
        if checked is None:
            there = ", ".join(TOOLS)
            raise NotSupported(
                f"Tools of the kind '{kind[:64]}' are not served; there are {there}.", param=f"{where}.type"
            )
        _fits(tool, checked, where)


def _fits(value: Json, checked: type[msgspec.Struct], where: str) -> None:
    try:
        msgspec.convert(value, checked)
    except msgspec.ValidationError as error:
        raise misfit(str(error), within=where) from None

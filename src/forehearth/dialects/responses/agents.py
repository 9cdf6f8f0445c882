"""A question that is asked of an agent: what its version says becomes the question's, as if it had been sent.

What the service does not let a request say beside an agent is refused here in its words: `Not allowed when agent is
specified.`, with the code `invalid_payload`. Source: what its clients were answered for `instructions`, `temperature`,
`reasoning`, `text` and `tools`; its guide to structured inputs for what is filled in, and where.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from forehearth.core.agent import AgentVersion, Json
from forehearth.core.errors import InvalidField, NotServedYet, UnknownField
from forehearth.dialects.responses import problems, templates

FORBIDDEN: Final = ("instructions", "tools", "temperature", "top_p", "reasoning", "text")
"""Members that an agent has, and that a request to it must not have."""
_NAMED_BY: Final = ("agent_reference", "agent")
_TOOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "function": ("type", "name", "description", "parameters", "strict"),
    "mcp": (
        *("type", "server_label", "server_url", "server_description", "authorization", "headers", "allowed_tools"),
        *("require_approval", "project_connection_id"),
    ),
    "openapi": ("type", "openapi"),
    "capture_structured_outputs": ("type", "outputs"),
}
"""By the kind of a tool that is served: the members that go on from a definition, in which others may stand."""
_OF_TEXT: Final = ("format", "verbosity")
_INSTRUCTING: Final = ("system", "developer")
"""The roles whose messages are filled in, too."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which agent is meant, as a body names it; the latest version where it names none."""

    name: str
    type: Literal["agent_reference"] = "agent_reference"
    version: str | None = None

    def shown(self) -> dict[str, Any]:
        """As responses and their items have it."""
        return {"type": self.type, "name": self.name, "version": self.version}


def named(members: Mapping[str, Any], *, at: str = "") -> Reference | None:
    """The agent that a body names by `agent_reference` or `agent`; at an agent's own endpoint it is that one, `at`.

    Raises `InvalidField` or `UnknownField`.
    """
    found: Reference | None = Reference(name=at) if at else None
    for member in _NAMED_BY:
        given = members.get(member)
        if given is None:
            continue
        reference = problems.read(given, Reference, member)
        if found is not None and reference.name != found.name:
            message = f"'{member}' names another agent than this request is for: '{found.name}'."
            raise InvalidField(message, param=f"{member}.name")
        if found is not None and found.version is not None and reference.version not in (None, found.version):
            message = f"'{member}' names another version than 'agent_reference': send one of them."
            raise InvalidField(message, param=f"{member}.version")
        found = reference if found is None or found.version is None else found
    if found is None and members.get("structured_inputs") is not None:
        message = "'structured_inputs' are for the templates of an agent: name one in 'agent_reference'."
        raise InvalidField(message, param="structured_inputs")
    return found


def applied(members: Mapping[str, Any], agent: AgentVersion) -> dict[str, Any]:
    """The members of a body of which the agent's version has given what is its own to say.

    Raises `InvalidField` for what must not be there or is missing, `UnknownField`, and `NotServedYet` for a tool.
    """
    for member in FORBIDDEN:
        if members.get(member) is not None:
            message = "Not allowed when agent is specified. It is the agent's: write it into its definition."
            raise InvalidField(message, param=member, kind="invalid_payload")
    values = _values(members.get("structured_inputs"), agent)
    definition = agent.definition
    said: dict[str, Any] = {
        "model": definition.model,
        "instructions": None if definition.instructions is None else templates.filled(definition.instructions, values),
        "temperature": definition.temperature,
        "top_p": definition.top_p,
        "reasoning": definition.reasoning,
        "tools": [_tool(tool, index, agent) for index, tool in enumerate(definition.tools)] or None,
        "tool_choice": definition.tool_choice if members.get("tool_choice") is None else members["tool_choice"],
        "text": None if definition.text is None else _only(definition.text, _OF_TEXT),
        "input": _input(members.get("input"), values),
    }
    rest = {name: value for name, value in members.items() if name not in (*_NAMED_BY, "structured_inputs")}
    return rest | said


def _values(given: object, agent: AgentVersion) -> dict[str, object]:
    """The value of each input that the agent has."""
    inputs = agent.definition.structured_inputs
    if given is not None and not isinstance(given, dict):
        raise InvalidField("Invalid value for 'structured_inputs': expected an object.", param="structured_inputs")
    sent: dict[str, object] = given or {}
    for name in sent.keys() - inputs.keys():
        message = f"The agent '{agent.name}' has no structured input '{name[:64]}': it has {_list(inputs)}."
        raise UnknownField(message, param=f"structured_inputs.{name[:64]}")
    missing = [name for name, its in inputs.items() if its.required and sent.get(name, its.default_value) is None]
    if missing:
        message = f"The agent '{agent.name}' needs a value for {_list(missing)}: send it in 'structured_inputs'."
        raise InvalidField(message, param=f"structured_inputs.{missing[0]}")
    return {name: sent.get(name, its.default_value) for name, its in inputs.items()}


def _list(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(f"'{name}'" for name in list(names)[:32]) or "none"


def _tool(tool: Json, index: int, agent: AgentVersion) -> dict[str, object]:
    kind = str(tool.get("type"))
    members = _TOOLS.get(kind)
    if members is None:
        message = (
            f"The agent '{agent.name}' has a tool of type '{kind[:64]}', which is not served yet; served are "
            f"{', '.join(_TOOLS)}."
        )
        raise NotServedYet(message, param=f"tools[{index}].type")
    return _only(tool, members)


def _only(given: Json, members: tuple[str, ...]) -> dict[str, object]:
    return {name: given[name] for name in members if name in given}


def _input(given: Any, values: Mapping[str, object]) -> Any:
    """The input, its messages of the system and of developers filled in. What is no input is refused later."""
    if not isinstance(given, list) or not values:
        return given
    return [_message(item, values) for item in given]


def _message(item: Any, values: Mapping[str, object]) -> Any:
    if not isinstance(item, dict) or item.get("role") not in _INSTRUCTING:
        return item
    content = item.get("content")
    if isinstance(content, str):
        return item | {"content": templates.filled(content, values)}
    if not isinstance(content, list):
        return item
    return item | {"content": [_part(part, values) for part in content]}


def _part(part: Any, values: Mapping[str, object]) -> Any:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return part | {"text": templates.filled(part["text"], values)}
    return part

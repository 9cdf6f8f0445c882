"""A body of `POST /responses`, read strictly: every member is honoured, without any effect, or refused by name.

Members that no specification of this API has are an error, because nobody behind this format would see them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from forehearth.core.errors import InvalidField, NotSupported, UnknownField
from forehearth.dialects.responses import items, problems, tools
from forehearth.dialects.responses.agents import Reference
from forehearth.dialects.responses.items import NewId, Resource
from forehearth.dialects.responses.tools import Tools

_MOST_METADATA, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512
_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "truncation": ("auto", "disabled"),
    "service_tier": ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"),
    "prompt_cache_retention": ("in_memory", "24h"),
}
INCLUDES: Final = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
LOGPROBS: Final = "message.output_text.logprobs"
"""What asks for the probabilities of tokens."""
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SUMMARIES: Final = ("auto", "concise", "detailed")
_VERBOSITIES: Final = ("low", "medium", "high")
_FORMATS: Final = ("text", "json_object", "json_schema")
UNSERVED: Final[Mapping[str, str]] = {
    "prompt": "stored prompts are not served: send 'instructions' and 'input'",
    "moderation": "nothing is moderated on request here",
    "context_management": "conversations are not compacted here: shorten 'input'",
}
"""Members that are known and refused, and why."""
_COUNTED: Final = frozenset(
    {"model", "input", "previous_response_id", "tools", "text", "reasoning", "truncation", "instructions"}
    | {"personality", "conversation", "tool_choice", "parallel_tool_calls"}
)
"""The members of a body whose tokens are to be counted."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Text(_Strict, frozen=True, tag_field="type", tag="text"):
    pass


class _JsonObject(_Strict, frozen=True, tag_field="type", tag="json_object"):
    pass


class _JsonSchema(_Strict, frozen=True, tag_field="type", tag="json_schema"):
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class _TextMember(_Strict, frozen=True):
    format: _Text | _JsonObject | _JsonSchema | None = None
    verbosity: str | None = None


class _Reasoning(_Strict, frozen=True):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class _StreamOptions(_Strict, frozen=True):
    include_obfuscation: bool | None = None


class Conversation(_Strict, frozen=True):
    """A conversation, by its id."""

    id: str


class _CacheOptions(_Strict, frozen=True):
    ttl: str | None = None
    mode: str | None = None


class Body(_Strict, frozen=True, kw_only=True):
    """The members as they were sent; None where one is null or absent."""

    model: str | None = None
    input: str | list[Any] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | Conversation | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    background: bool | None = None
    include: list[str] | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=16, le=1_000_000_000)] | None = None
    max_tool_calls: Annotated[int, msgspec.Meta(ge=1)] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: _Reasoning | None = None
    text: _TextMember | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    truncation: str | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: _CacheOptions | None = None
    service_tier: str | None = None
    moderation: Any = None
    context_management: Any = None
    prompt: Any = None
    agent: Any = None
    agent_reference: Any = None
    structured_inputs: Any = None
    user_security_context: dict[str, Any] | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a body asks, read in full."""

    body: Body
    items: tuple[Resource, ...]
    """The input, each item as a resource; references to other items are still to be resolved."""
    tools: Tools
    members: Mapping[str, Any] = {}
    """The body that it was read from, as it would be read again."""
    agent: Reference | None = None
    """The version of an agent that it is asked of; its members are among the body's by then."""
    raw: bytes = b""
    """The body as it came; empty where it is none that came so."""
    loose: bool = False
    """Whether it has what nobody here knows, so that only a host with this API can be asked it."""

    @property
    def stored(self) -> bool:
        """Whether the response is to be kept: it is, unless `store` says no."""
        return self.body.store is not False

    @property
    def conversation(self) -> str | None:
        """The id of the conversation that it belongs to."""
        given = self.body.conversation
        return given.id if isinstance(given, Conversation) else given

    @property
    def logprobs(self) -> bool:
        """Whether the probabilities of tokens are asked for."""
        return bool(self.body.top_logprobs) or LOGPROBS in (self.body.include or ())


def read(members: dict[str, Any], new_id: NewId, *, agent: Reference | None = None) -> Question:
    """The question that these members of a body ask, those that the `agent` gave included.

    Raises `InvalidField`, `UnknownField`, `NotSupported` or `NotServedYet`.
    """
    question = _read(members, new_id, of_agent=agent is not None)
    return msgspec.structs.replace(question, agent=agent, members=members | {"input": list(question.items)})


def read_counted(body: bytes, new_id: NewId) -> Question:
    """The same for a body of `POST /responses/input_tokens`, in which members that ask for an answer have no place."""
    members = problems.decoded(body)
    for name in members.keys() - _COUNTED:
        raise UnknownField(f"Unknown parameter: '{name[:128]}'.", param=name[:128])
    if members.pop("personality", None) is not None:
        raise NotSupported("'personality' is not served: leave it out.", param="personality")
    return _read(members | {"model": members.get("model") or "any"}, new_id)


def _read(members: dict[str, Any], new_id: NewId, *, of_agent: bool = False) -> Question:
    found = problems.read(members, Body, kinds=_FORMATS)
    _refuse(found)
    _check_values(found)
    check_state(found)
    return Question(
        body=found,
        items=items.read(found.input if found.input is not None else [], new_id),
        tools=tools.read(found.tools or (), found.tool_choice, of_agent=of_agent),
    )


def check_state(body: Body) -> None:
    """Whether it can be kept as it asks for. Raises `InvalidField`."""
    if not body.model:
        message = "Missing required parameter: 'model': the name of a deployment or route."
        raise InvalidField(message, param="model")
    _check_metadata(body.metadata or {})
    _check_together(body)


def _refuse(body: Body) -> None:
    for name, reason in UNSERVED.items():
        if getattr(body, name) is not None:
            raise NotSupported(f"'{name}' is not served: {reason}.", param=name)


def _check_values(body: Body) -> None:
    for name, values in _VALUES.items():
        problems.one_of(getattr(body, name), values, name)
    for index, value in enumerate(body.include or ()):
        problems.one_of(value, INCLUDES, f"include[{index}]")
    if body.text is not None:
        problems.one_of(body.text.verbosity, _VERBOSITIES, "text.verbosity")
    if body.reasoning is not None:
        _check_reasoning(body.reasoning)


def _check_reasoning(reasoning: _Reasoning) -> None:
    problems.one_of(reasoning.effort, _EFFORTS, "reasoning.effort")
    problems.one_of(reasoning.summary, _SUMMARIES, "reasoning.summary")
    problems.one_of(reasoning.generate_summary, _SUMMARIES, "reasoning.generate_summary")
    problems.one_of(reasoning.context, ("auto", "current_turn", "all_turns"), "reasoning.context")
    problems.one_of(reasoning.mode, ("standard", "pro"), "reasoning.mode")
    for name, value, only in (
        ("context", reasoning.context, ("auto", "current_turn")),
        ("mode", reasoning.mode, ("standard",)),
    ):
        if value is not None and value not in only:
            message = f"'{value}' is not served here: a model sees no reasoning of earlier turns, and has one mode."
            raise NotSupported(message, param=f"reasoning.{name}")


def _check_metadata(metadata: Mapping[str, object]) -> None:
    if len(metadata) > _MOST_METADATA:
        message = f"Invalid 'metadata': too many properties. Expected at most {_MOST_METADATA}."
        raise InvalidField(message, param="metadata")
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise InvalidField(f"Invalid value for 'metadata.{name[:64]}': expected a string.", param="metadata")
        if len(name) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            message = (
                f"Invalid 'metadata': its names have at most {_LONGEST_KEY} characters, its values {_LONGEST_VALUE}."
            )
            raise InvalidField(message, param="metadata")


def _check_together(body: Body) -> None:
    if body.previous_response_id is not None and body.conversation is not None:
        message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Send one of them."
        raise InvalidField(message, param="previous_response_id")
    if body.input is None and body.previous_response_id is None and body.conversation is None:
        message = "One of 'input', 'previous_response_id' or 'conversation' must be provided."
        raise InvalidField(message, param="input")
    if body.background and body.store is False:
        message = "A response in the background has to be stored: leave 'store' out, or 'background'."
        raise InvalidField(message, param="background")
    if body.stream_options is not None and not body.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise InvalidField(message, param="stream_options")

"""Bodies of the Assistants API, read strictly: every member is honoured, or refused by name.

Source of limits: OpenAI's specification of `/assistants` and `/threads`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from forehearth.core.errors import InvalidField, NotServedYet, NotSupported
from forehearth.dialects.assistants import tools
from forehearth.dialects.assistants.objects import Assistant, Json, Run, text_part
from forehearth.dialects.responses import problems
from forehearth.dialects.wrong_members import missing_member, too_long, too_many, type_of, wrong_type, wrong_value

LONGEST_TEXT: Final = 256_000
"""Characters of instructions, and of the texts of a message together."""
_LONGEST_NAME, _LONGEST_DESCRIPTION = 256, 512
MOST_MESSAGES: Final = 100
"""Messages that come with a thread or a run."""
_FEWEST_TOKENS: Final = 256
_PARTS: Final = ("text", "image_url", "image_file")
Metadata = Callable[[object, str], Mapping[str, str]]
"""Reads metadata that stands at a path. Raises `InvalidField`."""
_Maybe = str | UnsetType | None
_Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
_TopP = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Bound = Annotated[int, msgspec.Meta(ge=_FEWEST_TOKENS, le=1_000_000_000)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _AssistantBody(_Strict, frozen=True, kw_only=True):
    model: str | UnsetType = UNSET
    name: _Maybe = UNSET
    description: _Maybe = UNSET
    instructions: _Maybe = UNSET
    tools: list[Any] | UnsetType | None = UNSET
    tool_resources: Any = UNSET
    metadata: Any = UNSET
    temperature: _Temperature | UnsetType | None = UNSET
    top_p: _TopP | UnsetType | None = UNSET
    response_format: Any = UNSET
    reasoning_effort: Any = None


class _Truncation(_Strict, frozen=True, kw_only=True):
    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class _MessageBody(_Strict, frozen=True, kw_only=True):
    role: str
    content: str | list[Any]
    attachments: list[Any] | None = None
    metadata: Any = None


class _Text(_Strict, frozen=True, kw_only=True):
    type: str
    text: str


class _Url(_Strict, frozen=True, kw_only=True):
    url: Annotated[str, msgspec.Meta(min_length=1)]
    detail: Literal["auto", "low", "high"] | None = None


class _Image(_Strict, frozen=True, kw_only=True):
    type: str
    image_url: _Url


class ThreadBody(_Strict, frozen=True, kw_only=True):
    """A thread that is to be made."""

    messages: list[Any] | None = None
    tool_resources: Any = None
    metadata: Any = None


class ThreadChange(_Strict, frozen=True, kw_only=True):
    """What is to become of a thread."""

    tool_resources: Any = UNSET
    metadata: Any = UNSET


class MetadataChange(_Strict, frozen=True, kw_only=True):
    """Other metadata of a message or a run."""

    metadata: Any = UNSET


class RunBody(_Strict, frozen=True, kw_only=True):
    """A run that is to be made."""

    assistant_id: str
    model: str | None = None
    instructions: str | None = None
    tools: list[Any] | None = None
    tool_resources: Any = None
    metadata: Any = None
    temperature: _Temperature | None = None
    top_p: _TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: _Bound | None = None
    max_completion_tokens: _Bound | None = None
    truncation_strategy: _Truncation | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    response_format: Any = None
    reasoning_effort: Any = None


class RunOfThread(RunBody, frozen=True, kw_only=True):
    """The same, in a thread that is there."""

    additional_instructions: str | None = None
    additional_messages: list[Any] | None = None


class RunWithThread(RunBody, frozen=True, kw_only=True):
    """The same, with the thread that is made for it."""

    thread: ThreadBody | None = None


class ToolOutput(_Strict, frozen=True, kw_only=True):
    """What a function gave."""

    tool_call_id: str | None = None
    output: str | None = None


class Outputs(_Strict, frozen=True, kw_only=True):
    """What the functions of a run gave."""

    tool_outputs: list[ToolOutput]
    stream: bool | None = None


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be added to a thread, checked."""

    role: Literal["user", "assistant"]
    content: list[Json]
    metadata: Mapping[str, str]


def read_assistant(body: bytes, metadata: Metadata) -> dict[str, Any]:
    """The members that a body of an assistant has, checked. Raises the `Refused` that fits."""
    found = problems.read(problems.decoded(body or b"{}"), _AssistantBody)
    _refuse_effort(found.reasoning_effort)
    members = {name: value for name, value in msgspec.structs.asdict(found).items() if value is not UNSET}
    del members["reasoning_effort"]
    for name, most in (
        ("name", _LONGEST_NAME),
        ("description", _LONGEST_DESCRIPTION),
        ("instructions", LONGEST_TEXT),
    ):
        _require_short(members.get(name), most, name)
    if members.get("model") == "":
        raise missing_member("model")
    for name, read in (
        ("tools", lambda given: tools.read_tools(given or ())),
        ("tool_resources", tools.read_resources),
        ("metadata", lambda given: metadata(given, "metadata")),
        ("response_format", tools.read_format),
    ):
        if name in members:
            members[name] = read(members[name])
    return members


def read_messages(given: Sequence[Any] | None, at: str, metadata: Metadata) -> list[NewMessage]:
    """Messages that come with a thread or a run. Raises the `Refused` that fits."""
    if len(given or ()) > MOST_MESSAGES:
        raise too_many(at, MOST_MESSAGES, len(given or ()))
    return [read_message(each, metadata, f"{at}[{index}]") for index, each in enumerate(given or ())]


def read_message(given: object, metadata: Metadata, at: str = "") -> NewMessage:
    """One message. Raises the `Refused` that fits."""
    found = problems.read(given, _MessageBody, at)
    place = f"{at}." if at else ""
    if found.role not in ("user", "assistant"):
        raise wrong_value(f"{place}role", found.role, ("user", "assistant"))
    if found.attachments:
        message = "Attachments are for 'code_interpreter' and 'file_search', which are not served for classic agents."
        raise NotSupported(message, param=f"{place}attachments")
    return NewMessage(
        role="user" if found.role == "user" else "assistant",
        content=_content(found.content, f"{place}content"),
        metadata=metadata(found.metadata, f"{place}metadata"),
    )


def _content(given: str | list[Any], at: str) -> list[Json]:
    if isinstance(given, str):
        _require_short(given, LONGEST_TEXT, at)
        return [text_part(given)]
    if not given:
        message = f"Invalid '{at}': empty array. Expected an array with minimum length 1."
        raise InvalidField(message, param=at, kind="empty_array")
    parts = [_part(each, f"{at}[{index}]") for index, each in enumerate(given)]
    _require_short("".join(part["text"]["value"] for part in parts if part["type"] == "text"), LONGEST_TEXT, at)
    return parts


def _part(given: object, at: str) -> Json:
    if not isinstance(given, dict):
        raise wrong_type(at, "an object", type_of(given))
    kind = given.get("type")
    if kind == "text":
        return text_part(problems.read(given, _Text, at).text)
    if kind == "image_url":
        image = problems.read(given, _Image, at).image_url
        return {"type": "image_url", "image_url": {"url": image.url, "detail": image.detail or "auto"}}
    if kind == "image_file":
        raise NotServedYet("Images by 'image_file' are not served yet: send them by 'image_url'.", param=f"{at}.type")
    raise missing_member(f"{at}.type") if kind is None else wrong_value(f"{at}.type", str(kind), _PARTS)


def read_run(body: RunBody, assistant: Assistant, metadata: Metadata, made: Json) -> Run:
    """The run of an assistant that a body asks for. `made` are the members that the server gives it.

    Raises the `Refused` that fits.
    """
    _refuse_effort(body.reasoning_effort)
    tools.read_resources(body.tool_resources)
    instructions = assistant.instructions or "" if body.instructions is None else body.instructions
    more = body.additional_instructions if isinstance(body, RunOfThread) else None
    instructions = f"{instructions}\n{more}" if instructions and more else more or instructions
    _require_short(instructions, LONGEST_TEXT, "instructions")
    given = assistant.tools if body.tools is None else tools.read_tools(body.tools)
    form = assistant.response_format if body.response_format is None else tools.read_format(body.response_format)
    return Run(
        **made,
        assistant_id=assistant.id,
        model=body.model or assistant.model,
        instructions=instructions,
        tools=given,
        metadata=metadata(body.metadata, "metadata"),
        temperature=assistant.temperature if body.temperature is None else body.temperature,
        top_p=assistant.top_p if body.top_p is None else body.top_p,
        max_completion_tokens=body.max_completion_tokens,
        max_prompt_tokens=body.max_prompt_tokens,
        truncation_strategy=_truncation(body.truncation_strategy),
        response_format=form,
        tool_choice=tools.read_choice(body.tool_choice, given),
        parallel_tool_calls=body.parallel_tool_calls is not False,
    )


def _truncation(given: _Truncation | None) -> Json:
    if given is None:
        return {"type": "auto", "last_messages": None}
    where = "truncation_strategy.last_messages"
    if given.type == "last_messages" and given.last_messages is None:
        raise missing_member(where)
    if given.type == "auto" and given.last_messages is not None:
        raise InvalidField(f"'{where}' belongs to the type 'last_messages': leave it out.", param=where)
    return {"type": given.type, "last_messages": given.last_messages}


def _refuse_effort(given: object) -> None:
    if given is not None:
        message = "'reasoning_effort' is not served for classic agents: leave it out."
        raise NotSupported(message, param="reasoning_effort")


def _require_short(text: str | None, most: int, where: str) -> None:
    if text is not None and len(text) > most:
        raise too_long(where, most, len(text))

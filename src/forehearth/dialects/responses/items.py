"""The items of a conversation: messages, calls of functions, and what these gave.

An item is read strictly once and is from then on a resource, as the API shows it: with an id, a status and a list of
contents, whatever short form it was sent in.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.dialects.responses import problems, tool_inputs

Resource = dict[str, Any]
"""An item as the API shows it."""
NewId = Callable[[str], str]
"""A new id with that prefix: `msg`, `fc`, …"""

_TEXTS: Final = ("input_text",)
_INPUTS: Final = ("input_text", "input_image", "input_file")
_OUTPUTS: Final = ("output_text", "refusal")
_ROLES: Final = ("user", "assistant", "system", "developer")
_STATUSES: Final = ("in_progress", "completed", "incomplete")
_DETAILS: Final = ("low", "high", "auto", "original")
_PHASES: Final = ("commentary", "final_answer")
READ: Final = (
    *("message", "function_call", "function_call_output", "reasoning", "item_reference"),
    *tool_inputs.READERS,
)
"""The items that are read."""
_OF_OTHER_TOOLS: Final = frozenset(
    {"file_search_call", "web_search_call", "computer_call", "computer_call_output", "image_generation_call"}
    | {"code_interpreter_call", "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output"}
    | {
        "apply_patch_call",
        "apply_patch_call_output",
    }
    | {"custom_tool_call", "custom_tool_call_output", "tool_search_call"}
    | {"tool_search_output", "additional_tools", "program", "program_output", "compaction", "compaction_trigger"}
)
_ADDRESSES: Final = ("https://", "http://", "data:")
MOST: Final = 10_000
"""Items of an input, and contents of all of them together. More would hold up all other calls."""
_CallId = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]
"""Longer than on the service: hosts make these ids, and some put more into them."""
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    prompt_cache_breakpoint: dict[str, Any] | None = None


class _InputText(_Part, frozen=True, kw_only=True, tag="input_text"):
    text: str


class _InputImage(_Part, frozen=True, kw_only=True, tag="input_image"):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class _InputFile(_Part, frozen=True, kw_only=True, tag="input_file"):
    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    detail: str | None = None


class _OutputText(_Part, frozen=True, kw_only=True, tag="output_text"):
    text: str
    annotations: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None


class _Refusal(_Part, frozen=True, kw_only=True, tag="refusal"):
    refusal: str


class _Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str | None = None
    id: str | None = None
    status: str | None = None
    created_by: Any = None
    agent_reference: Any = None
    response_id: Any = None
    """What the service adds to items that it shows; it says nothing to a model."""


class _Message(_Item, frozen=True, kw_only=True):
    role: str
    content: str | list[_InputText | _InputImage | _InputFile]
    phase: str | None = None


class _Answer(_Item, frozen=True, kw_only=True):
    role: str
    content: str | list[_OutputText | _Refusal]
    phase: str | None = None


class _FunctionCall(_Item, frozen=True, kw_only=True):
    call_id: _CallId
    name: _Name
    arguments: str
    namespace: str | None = None
    caller: Any = None
    parsed_arguments: Any = None
    """What the Python SDK's `parse` adds to its own copy, and sends back with it."""


class _FunctionOutput(_Item, frozen=True, kw_only=True):
    call_id: _CallId
    output: str | list[_InputText | _InputImage | _InputFile]
    name: str | None = None
    namespace: str | None = None
    caller: Any = None


class _Reasoning(_Item, frozen=True, kw_only=True):
    summary: list[dict[str, Any]]
    content: list[dict[str, Any]] | None = None
    encrypted_content: str | None = None


class _Reference(_Item, frozen=True, kw_only=True):
    id: str


def read(given: str | list[Any], new_id: NewId, at: str = "input") -> tuple[Resource, ...]:
    """The items that `given`, which stands at the path `at`, consists of. A text is a message of the user.

    Raises `InvalidField`, `UnknownField` or `NotSupported`, which name the member.
    """
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if len(given) > MOST or sum(map(_contents, given)) > MOST:
        message = f"Invalid '{at}': array too long. Expected at most {MOST} items, and as many contents of all of them."
        raise InvalidField(message, param=at)
    return tuple(read_one(value, f"{at}[{index}]", new_id) for index, value in enumerate(given))


def _contents(value: object) -> int:
    lists = (value.get("content"), value.get("output")) if isinstance(value, dict) else ()
    return sum(len(each) for each in lists if isinstance(each, list))


def resolved(items: Iterable[Resource], find: Callable[[str], Resource | None]) -> tuple[Resource, ...]:
    """The same, with the item itself where one is referred to by its id. Raises `InvalidField`."""
    return tuple(_found(item, find) if item["type"] == "item_reference" else item for item in items)


def _found(item: Resource, find: Callable[[str], Resource | None]) -> Resource:
    found = find(item["id"])
    if found is None:
        message = (
            f"Item with id '{item['id'][:256]}' not found. Only items of the same conversation can be referred to."
        )
        raise InvalidField(message, param="input")
    return found


def read_one(value: object, at: str, new_id: NewId) -> Resource:
    """One item, which stands at the path `at`. Raises as `read` does."""
    if not isinstance(value, dict):
        raise InvalidField(f"Invalid value for '{at}': expected an object.", param=at)
    kind = value.get("type")
    if kind is None:
        kind = "message" if "role" in value or "id" not in value else "item_reference"
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is not None:
        return reader(value, at, new_id)
    if kind in _OF_OTHER_TOOLS:
        served = ", ".join(READ)
        message = f"Items of type '{kind}' are not served by this deployment; served are: {served}."
        raise NotSupported(message, param=f"{at}.type")
    problems.one_of(str(kind), READ, f"{at}.type")
    raise InvalidField(f"Invalid value for '{at}.type'.", param=f"{at}.type")


def _message(value: Mapping[str, Any], at: str, new_id: NewId) -> Resource:
    if value.get("role") == "assistant":
        return _answer(value, at, new_id)
    message = problems.read(value, _Message, at, kinds=_INPUTS)
    problems.one_of(message.role, _ROLES, f"{at}.role")
    problems.one_of(message.phase, _PHASES, f"{at}.phase")
    only_text = message.role != "user"
    return {
        "id": message.id or new_id("msg"),
        "type": "message",
        "status": _status(message, at),
        "role": message.role,
        "content": _inputs(message.content, f"{at}.content", only_text=only_text),
    }


def _answer(value: Mapping[str, Any], at: str, new_id: NewId) -> Resource:
    answer = problems.read(value, _Answer, at, kinds=_OUTPUTS)
    problems.one_of(answer.phase, _PHASES, f"{at}.phase")
    parts = [_OutputText(text=answer.content)] if isinstance(answer.content, str) else answer.content
    return {
        "id": answer.id or new_id("msg"),
        "type": "message",
        "status": _status(answer, at),
        "role": "assistant",
        "content": [_output(part) for part in parts],
        **({"phase": answer.phase} if answer.phase else {}),
    }


def _output(part: _OutputText | _Refusal) -> Resource:
    if isinstance(part, _Refusal):
        return {"type": "refusal", "refusal": part.refusal}
    return {
        "type": "output_text",
        "text": part.text,
        "annotations": part.annotations or [],
        "logprobs": part.logprobs or [],
    }


def _function_call(value: Mapping[str, Any], at: str, new_id: NewId) -> Resource:
    call = problems.read(value, _FunctionCall, at)
    _no_namespace(call.namespace, at)
    return {
        "id": call.id or new_id("fc"),
        "type": "function_call",
        "status": _status(call, at),
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _function_output(value: Mapping[str, Any], at: str, new_id: NewId) -> Resource:
    output = problems.read(value, _FunctionOutput, at, kinds=_INPUTS)
    _no_namespace(output.namespace, at)
    given = output.output
    return {
        "id": output.id or new_id("fco"),
        "type": "function_call_output",
        "status": _status(output, at),
        "call_id": output.call_id,
        "output": given if isinstance(given, str) else _inputs(given, f"{at}.output", only_text=True),
    }


def _reasoning(value: Mapping[str, Any], at: str, new_id: NewId) -> Resource:
    item = problems.read(value, _Reasoning, at)
    shown: Resource = {"id": item.id or new_id("rs"), "type": "reasoning", "summary": item.summary}
    if item.content is not None:
        shown["content"] = item.content
    return shown | {"encrypted_content": item.encrypted_content, "status": _status(item, at)}


def _reference(value: Mapping[str, Any], at: str, new_id: NewId) -> Resource:  # noqa: ARG001 - one shape for all readers
    return {"type": "item_reference", "id": problems.read(value, _Reference, at).id}


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], str, NewId], Resource]]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _function_output,
    "reasoning": _reasoning,
    "item_reference": _reference,
    **tool_inputs.READERS,
}


def _status(item: _Item, at: str) -> str:
    problems.one_of(item.status, _STATUSES, f"{at}.status")
    return item.status or "completed"


def _no_namespace(namespace: str | None, at: str) -> None:
    if namespace is not None:
        raise NotSupported(
            "Namespaces of tools are not served: leave 'namespace' out and give each function a name of its own.",
            param=f"{at}.namespace",
        )


def _inputs(content: str | list[_InputText | _InputImage | _InputFile], at: str, *, only_text: bool) -> list[Resource]:
    """The contents of a message. Chat completions take images and files from the user alone."""
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    return [_input(part, f"{at}[{index}]", only_text=only_text) for index, part in enumerate(content)]


def _input(part: _InputText | _InputImage | _InputFile, at: str, *, only_text: bool) -> Resource:
    if isinstance(part, _InputText):
        return {"type": "input_text", "text": part.text}
    if only_text:
        kind = "input_image" if isinstance(part, _InputImage) else "input_file"
        message = f"'{kind}' is served in messages of the user alone; here only {_TEXTS[0]} is."
        raise NotSupported(message, param=f"{at}.type")
    return _image(part, at) if isinstance(part, _InputImage) else _file(part, at)


def _image(part: _InputImage, at: str) -> Resource:
    problems.one_of(part.detail, _DETAILS, f"{at}.detail")
    given = [value for value in (part.image_url, part.file_id) if value]
    if len(given) != 1:
        raise _not_one(given, f"{at}.image_url", "'image_url' or 'file_id'")
    if part.image_url and not part.image_url.lower().startswith(_ADDRESSES):
        message = f"Invalid '{at}.image_url': expected the image's address (https:) or its bytes as a data URL."
        raise InvalidField(message, param=f"{at}.image_url")
    image, file = part.image_url or None, part.file_id or None
    return {"type": "input_image", "detail": part.detail or "auto", "image_url": image, "file_id": file}


def _file(part: _InputFile, at: str) -> Resource:
    problems.one_of(part.detail, _DETAILS[:3], f"{at}.detail")
    members = {"file_data": part.file_data, "file_id": part.file_id, "file_url": part.file_url}
    given = {name: value for name, value in members.items() if value}
    if len(given) != 1:
        raise _not_one(given, f"{at}.file_data", "'file_id', 'file_data' or 'file_url'")
    shown: Resource = {"type": "input_file", **given}
    return shown | ({"filename": part.filename} if part.filename else {})


def _not_one(given: Collection[str], at: str, names: str) -> InvalidField:
    """What is wrong with a part that names no content, or more than one."""
    if given:
        return InvalidField(f"Mutually exclusive parameters: send one of {names}.", param=at)
    return InvalidField(f"Missing required parameter: '{at}': send {names}.", param=at)

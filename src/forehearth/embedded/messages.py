"""The messages of a conversation: checked one by one, then put in the words that any chat model's template takes.

Templates of small models know system, user and assistant, and little of tools: developers speak as the system,
instructions of ours join the first system message, calls are shown as the model writes them, and results of tools
come from the user, who says so.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.embedded.members import Members, kind_of
from forehearth.embedded.tools import call_text

MOST_MESSAGES: Final = 2_048

_COMMON: Final = frozenset({"role", "content", "name"})
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "system": _COMMON,
    "developer": _COMMON,
    "user": _COMMON,
    "assistant": _COMMON | {"refusal", "tool_calls", "function_call", "audio", "annotations", "reasoning_content"},
    "tool": _COMMON | {"tool_call_id"},
}
_PARTS: Final = frozenset({"text", "refusal", "image_url", "input_audio", "audio_url", "file"})
_JOIN: Final = "\n\n"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the model's template takes it."""

    role: str
    content: str


def read_messages(members: Members, instructions: str) -> tuple[Message, ...]:
    """The request's `messages`, with `instructions` of ours, where there are any, in the system's words.

    Raises `InvalidField`, `NotSupported` and `UnknownField`.
    """
    given = members.required("messages", members.items("messages"))
    if not 0 < len(given) <= MOST_MESSAGES:
        raise members.wrong("messages", f"must have 1 to {MOST_MESSAGES} entries")
    called: dict[str, str] = {}
    return _merged([_message(at, message, called) for at, message in enumerate(given)], instructions)


def _message(at: int, given: object, called: dict[str, str]) -> Message:
    """One message; `called` collects the names of the functions that were called, by the calls' ids."""
    path = f"messages[{at}]"
    if not isinstance(given, dict):
        raise InvalidField(f"Invalid type for {path}: expected an object, but got {kind_of(given)}.", param=path)
    message = Members(given, path)
    role = message.required("role", message.text("role"))
    if role == "function":
        raise message.unsupported("role", "'function' is not supported by embedded models: use 'tool'")
    message.choice("role", tuple(_KNOWN))
    message.refuse_unknown(_KNOWN[role])
    message.text("name")
    if role == "assistant":
        return Message(role=role, content=_assistant(message, called))
    content = message.required("content", _content(message))
    if role == "tool":
        return Message(role=role, content=_result(message, content, called))
    return Message(role="user" if role == "user" else "system", content=content)


def _assistant(message: Members, called: dict[str, str]) -> str:
    for name in ("function_call", "audio"):
        if message.get(name) is not None:
            raise message.unsupported(name, "is not supported by embedded models: leave it out")
    refusal = message.text("refusal")
    content = _content(message)
    calls = [
        _call(message.path("tool_calls"), at, call, called) for at, call in enumerate(message.items("tool_calls") or [])
    ]
    if content is None and refusal is None and not calls:
        what = message.path("content")
        raise InvalidField(f"Missing required parameter: {what}: it or tool_calls must be there.", param=what)
    return "\n".join(text for text in (content or refusal, *calls) if text)


def _call(place: str, at: int, given: object, called: dict[str, str]) -> str:
    path = f"{place}[{at}]"
    if not isinstance(given, dict):
        raise InvalidField(f"Invalid type for {path}: expected an object, but got {kind_of(given)}.", param=path)
    call = Members(given, path)
    call.refuse_unknown({"id", "type", "function", "index"})
    identity = call.required("id", call.text("id"))
    call.choice("type", ("function",))
    function = call.required("function", call.object("function"))
    function.refuse_unknown({"name", "arguments"})
    name = function.required("name", function.text("name"))
    called[identity] = name
    return call_text(name, function.required("arguments", function.text("arguments")))


def _result(message: Members, content: str, called: Mapping[str, str]) -> str:
    identity = message.required("tool_call_id", message.text("tool_call_id"))
    if identity not in called:
        remedy = "must be the id of one of the tool_calls of an assistant message before it"
        raise message.wrong("tool_call_id", remedy)
    return f"The result of {called[identity]} is: {content}\n\nUse it to answer in plain words."


def _content(message: Members) -> str | None:
    """The text of a message: a string, or parts that are text."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        path = message.path("content")
        error = f"Invalid type for {path}: expected a string or a list of parts, but got {kind_of(content)}."
        raise InvalidField(error, param=path)
    return "\n".join(_part(f"{message.path('content')}[{at}]", part) for at, part in enumerate(content))


def _part(path: str, given: object) -> str:
    if not isinstance(given, dict):
        raise InvalidField(f"Invalid type for {path}: expected an object, but got {kind_of(given)}.", param=path)
    part = Members(given, path)
    kind = part.required("type", part.choice("type", sorted(_PARTS)))
    if kind not in {"text", "refusal"}:
        reason = (
            f"{kind!r} is not supported by embedded models: they read text only. Use a deployment with another backend"
        )
        raise part.unsupported("type", reason)
    part.refuse_unknown({"type", kind, "prompt_cache_breakpoint"})
    text: str = part.required(kind, part.text(kind))
    return text


def _merged(messages: list[Message], instructions: str) -> tuple[Message, ...]:
    """One system message at the head, and results of tools told by the user."""
    head = 0
    while head < len(messages) and messages[head].role == "system":
        head += 1
    system = _JOIN.join(text for text in (*(message.content for message in messages[:head]), instructions) if text)
    merged = [Message(role="system", content=system)] if system else []
    is_result = False
    for message in messages[head:]:
        role = "user" if message.role == "tool" else message.role
        if merged and role == merged[-1].role == "user" and (is_result or message.role == "tool"):
            merged[-1] = Message(role=role, content=merged[-1].content + _JOIN + message.content)
        else:
            merged.append(Message(role=role, content=message.content))
        is_result = message.role == "tool"
    return tuple(merged)

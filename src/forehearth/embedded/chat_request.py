"""A request for chat completions, read in full: every member is honoured, refused by name, or without any effect."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.embedded.members import Members
from forehearth.embedded.messages import Message, read_messages
from forehearth.embedded.sampling import (
    SAMPLING_MEMBERS,
    Sampling,
    Streaming,
    read_choices,
    read_sampling,
    read_streaming,
)
from forehearth.embedded.schema_grammar import any_object, compile_schema
from forehearth.embedded.tools import NAME, Tools, read_tools

MOST_LOGPROBS: Final = 20
_LONGEST_METADATA: Final = (16, 64, 512)
"""Entries, characters of a name, characters of a value."""

_HONOURED: Final = SAMPLING_MEMBERS | {
    "logprobs",
    "max_completion_tokens",
    "messages",
    "model",
    "response_format",
    "tool_choice",
    "tools",
    "top_logprobs",
}
_WITHOUT_EFFECT: Final[Mapping[str, Callable[[Members, str], object]]] = {
    "metadata": Members.object,
    "parallel_tool_calls": Members.flag,
    "prediction": Members.object,
    "prompt_cache_key": Members.text,
    "prompt_cache_options": Members.object,
    "prompt_cache_retention": Members.text,
    "safety_identifier": Members.text,
    "service_tier": Members.text,
    "user": Members.text,
    "user_security_context": Members.object,
}
"""Members that are documented and do not change the answer here, with how they are read."""
_ONLY: Final[Mapping[str, tuple[Any, str]]] = {
    "audio": (None, "embedded models write text only"),
    "data_sources": (None, "embedded models read no data sources"),
    "function_call": (None, "use tool_choice"),
    "functions": (None, "use tools"),
    "modalities": (["text"], "embedded models write text only"),
    "moderation": (None, "nothing is moderated here"),
    "reasoning_effort": ("none", "embedded models do not reason"),
    "store": (False, "nothing is stored by embedded models"),
    "verbosity": ("medium", "embedded models have one verbosity"),
    "web_search_options": (None, "embedded models do not search"),
}
"""Members that would change the answer and cannot: the one value that asks for nothing, and why others are refused."""


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a chat model."""

    messages: tuple[Message, ...]
    sampling: Sampling
    choices: int = 1
    streaming: Streaming = Streaming()
    logprobs: int | None = None
    """How many of the likeliest tokens to tell in each place; None tells nothing."""
    grammar: str | None = None
    """What the answer must match."""
    tools: Tools | None = None
    service_tier: str | None = None


def read_chat(members: Members) -> ChatRequest:
    """The request's body, read. Raises `InvalidField`, `NotSupported` and `UnknownField`, each naming the member."""
    members.refuse_unknown(_HONOURED | _WITHOUT_EFFECT.keys() | _ONLY.keys())
    _refuse_impossible(members)
    tools = read_tools(members)
    grammar, told = _form(members, tools)
    sampling = _sampling(members)
    if grammar is not None and tools is None and sampling.stop:
        raise members.unsupported("stop", "cannot be combined with a JSON response_format here: it could cut the JSON")
    return ChatRequest(
        messages=read_messages(members, told),
        sampling=sampling,
        choices=read_choices(members),
        streaming=read_streaming(members),
        logprobs=_logprobs(members),
        grammar=grammar,
        tools=tools,
        service_tier=members.text("service_tier"),
    )


def _refuse_impossible(members: Members) -> None:
    for name, read in _WITHOUT_EFFECT.items():
        read(members, name)
    _check_metadata(members)
    for name, (only, reason) in _ONLY.items():
        if members.get(name) not in (None, only):
            raise members.unsupported(name, f"is not supported by embedded models: {reason}; leave it out")


def _check_metadata(members: Members) -> None:
    metadata = members.object("metadata")
    if metadata is None:
        return
    entries, longest_name, longest_value = _LONGEST_METADATA
    given: dict[str, Any] = members.get("metadata")
    if len(given) > entries:
        raise members.wrong("metadata", f"may have at most {entries} entries")
    for name in given:
        value = metadata.text(name)
        if value is None or len(name) > longest_name or len(value) > longest_value:
            raise metadata.wrong(name, f"must be a string of up to {longest_value}, its name of up to {longest_name}")


def _sampling(members: Members) -> Sampling:
    sampling = read_sampling(members)
    longest = members.whole("max_completion_tokens", 1, 2**31 - 1)
    if longest is None:
        return sampling
    if sampling.max_tokens not in (None, longest):
        message = "max_tokens and max_completion_tokens differ: they mean the same, so give one of them."
        raise InvalidField(message, param="max_tokens")
    return msgspec.structs.replace(sampling, max_tokens=longest)


def _logprobs(members: Members) -> int | None:
    wanted, top = members.flag("logprobs"), members.whole("top_logprobs", 0, MOST_LOGPROBS)
    if top is not None and not wanted:
        raise members.wrong("top_logprobs", "is only allowed when logprobs is true")
    return (top or 0) if wanted else None


def _form(members: Members, tools: Tools | None) -> tuple[str | None, str]:
    """The grammar of the answer, and what the model is told about it."""
    grammar, told = _response_format(members)
    if tools is None:
        return grammar, told
    if grammar is not None:
        reason = (
            "cannot be combined with tools on embedded models, unless it is of type 'text' or tool_choice is 'none'"
        )
        raise members.unsupported("response_format", reason)
    return tools.grammar(), tools.instructions()


def _response_format(members: Members) -> tuple[str | None, str]:
    form = members.object("response_format")
    if form is None:
        return None, ""
    kind = form.required("type", form.choice("type", ("text", "json_object", "json_schema")))
    form.refuse_unknown({"type", "json_schema"} if kind == "json_schema" else {"type"})
    if kind == "text":
        return None, ""
    if kind == "json_object":
        return any_object(), "Answer with a JSON object and nothing else."
    described = form.required("json_schema", form.object("json_schema"))
    described.refuse_unknown({"name", "description", "schema", "strict"})
    name = described.required("name", described.text("name"))
    if not NAME.fullmatch(name):
        raise described.wrong("name", "must be 1 to 64 letters, digits, underscores or hyphens")
    described.flag("strict")
    schema = described.get("schema")
    if schema is None:
        return any_object(), "Answer with a JSON object and nothing else."
    told = "Answer only with JSON that is valid against this JSON Schema:\n" + json.dumps(schema, ensure_ascii=False)
    description = described.text("description")
    return compile_schema(schema, described.path("schema")), f"{told}\n{description}" if description else told

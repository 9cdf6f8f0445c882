"""Every member of a chat request is honoured, accepted without effect, or refused by its path."""

import json
from typing import Any

import pytest

from forehearth.core.errors import InvalidField, NotSupported, Refused, UnknownField
from forehearth.embedded.chat_request import ChatRequest, read_chat
from forehearth.embedded.members import decode_object
from tests.unit.embedded.fake_engine import chat_body

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string", "pattern": "a"}}}


def read(**members: Any) -> ChatRequest:
    return read_chat(decode_object(json.dumps(chat_body(**members)).encode()))


def message(**members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi"} | members]}


def tool(**members: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f"} | members}]}


ACCEPTED: list[dict[str, Any]] = [
    {"store": False},
    {"store": None},
    {"service_tier": "flex"},
    {"parallel_tool_calls": True},
    {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {}},
    {"safety_identifier": "s", "user": "u"},
    {"metadata": {"a": "b"}},
    {"prediction": {"type": "content", "content": "x"}},
    {"user_security_context": {"end_user_id": "x"}},
    {"modalities": ["text"]},
    {"reasoning_effort": "none"},
    {"verbosity": "medium"},
    {"functions": None, "function_call": None, "audio": None, "data_sources": None, "moderation": None},
    {"temperature": None, "top_p": None, "n": None, "stop": None, "seed": None, "max_tokens": None, "tools": None},
    {"tool_choice": "none"},
    {"max_tokens": 5, "max_completion_tokens": 5},
    {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    {"logprobs": True, "top_logprobs": 20},
    {"stop": ""},
    {"tools": [TOOL], "tool_choice": "none", "response_format": {"type": "json_object"}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
    message(name="ann"),
]


@pytest.mark.parametrize("members", ACCEPTED)
def test_what_is_documented_and_harmless_is_accepted(members: dict[str, Any]) -> None:
    assert read(**members).messages[-1].content == "Hi"


REFUSED: list[tuple[dict[str, Any], type[Refused], str]] = [
    # unknown to every specification
    ({"frobnicate": 1}, UnknownField, "frobnicate"),
    (message(mood="good"), UnknownField, "messages[0].mood"),
    (message(content=[{"type": "text", "text": "a", "b": 1}]), UnknownField, "messages[0].content[0].b"),
    (tool(colour="red"), UnknownField, "tools[0].function.colour"),
    ({"response_format": {"type": "text", "x": 1}}, UnknownField, "response_format.x"),
    ({"stream": True, "stream_options": {"x": 1}}, UnknownField, "stream_options.x"),
    # documented, and would change the answer
    ({"store": True}, NotSupported, "store"),
    ({"modalities": ["text", "audio"]}, NotSupported, "modalities"),
    ({"audio": {"voice": "alloy", "format": "wav"}}, NotSupported, "audio"),
    ({"reasoning_effort": "high"}, NotSupported, "reasoning_effort"),
    ({"verbosity": "low"}, NotSupported, "verbosity"),
    ({"functions": [{"name": "f"}]}, NotSupported, "functions"),
    ({"function_call": "auto"}, NotSupported, "function_call"),
    ({"web_search_options": {}}, NotSupported, "web_search_options"),
    ({"data_sources": [{}]}, NotSupported, "data_sources"),
    ({"moderation": {}}, NotSupported, "moderation"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, NotSupported, "tools[0].type"),
    ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, NotSupported, "tool_choice.type"),
    ({"tools": [TOOL], "response_format": {"type": "json_object"}}, NotSupported, "response_format"),
    ({"stop": "x", "response_format": {"type": "json_object"}}, NotSupported, "stop"),
    ({"response_format": SCHEMA}, NotSupported, "response_format.json_schema.schema.pattern"),
    (
        tool(parameters={"properties": {"a": {"not": {}}}}),
        NotSupported,
        "tools[0].function.parameters.properties.a.not",
    ),
    (message(content=[{"type": "image_url", "image_url": {"url": "x"}}]), NotSupported, "messages[0].content[0].type"),
    (message(content=[{"type": "input_audio", "input_audio": {}}]), NotSupported, "messages[0].content[0].type"),
    ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, NotSupported, "messages[0].role"),
    ({"messages": [{"role": "assistant", "function_call": {}}]}, NotSupported, "messages[0].function_call"),
    # wrong
    ({"messages": None}, InvalidField, "messages"),
    ({"messages": []}, InvalidField, "messages"),
    ({"messages": "Hi"}, InvalidField, "messages"),
    ({"messages": ["Hi"]}, InvalidField, "messages[0]"),
    ({"messages": [{}]}, InvalidField, "messages[0].role"),
    (message(role="robot"), InvalidField, "messages[0].role"),
    (message(role=3), InvalidField, "messages[0].role"),
    (message(content=None), InvalidField, "messages[0].content"),
    (message(content=3), InvalidField, "messages[0].content"),
    (message(content=["a"]), InvalidField, "messages[0].content[0]"),
    (message(content=[{"type": "text"}]), InvalidField, "messages[0].content[0].text"),
    (message(content=[{"type": "poem", "poem": "x"}]), InvalidField, "messages[0].content[0].type"),
    (message(name=3), InvalidField, "messages[0].name"),
    ({"messages": [{"role": "assistant"}]}, InvalidField, "messages[0].content"),
    ({"messages": [{"role": "assistant", "tool_calls": [3]}]}, InvalidField, "messages[0].tool_calls[0]"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "id": None}]}]},
        InvalidField,
        "messages[0].tool_calls[0].id",
    ),
    ({"messages": [{"role": "tool", "content": "x"}]}, InvalidField, "messages[0].tool_call_id"),
    ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}]}, InvalidField, "messages[0].tool_call_id"),
    ({"temperature": "hot"}, InvalidField, "temperature"),
    ({"temperature": True}, InvalidField, "temperature"),
    ({"temperature": 2.1}, InvalidField, "temperature"),
    ({"top_p": -0.1}, InvalidField, "top_p"),
    ({"frequency_penalty": 3}, InvalidField, "frequency_penalty"),
    ({"presence_penalty": -3}, InvalidField, "presence_penalty"),
    ({"n": 0}, InvalidField, "n"),
    ({"n": 129}, InvalidField, "n"),
    ({"n": 1.5}, InvalidField, "n"),
    ({"seed": 2**63}, InvalidField, "seed"),
    ({"max_tokens": 0}, InvalidField, "max_tokens"),
    ({"max_completion_tokens": -1}, InvalidField, "max_completion_tokens"),
    ({"max_tokens": 5, "max_completion_tokens": 6}, InvalidField, "max_tokens"),
    ({"stop": 3}, InvalidField, "stop"),
    ({"stop": ["a", 3]}, InvalidField, "stop[1]"),
    ({"stop": ["a", "b", "c", "d", "e"]}, InvalidField, "stop"),
    ({"stream": "yes"}, InvalidField, "stream"),
    ({"stream_options": {"include_usage": True}}, InvalidField, "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": 1}}, InvalidField, "stream_options.include_usage"),
    ({"logprobs": 1}, InvalidField, "logprobs"),
    ({"top_logprobs": 2}, InvalidField, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, InvalidField, "top_logprobs"),
    ({"logit_bias": {"x": 1}}, InvalidField, "logit_bias.x"),
    ({"logit_bias": {"1": 101}}, InvalidField, "logit_bias.1"),
    ({"logit_bias": {"1": None}}, InvalidField, "logit_bias.1"),
    ({"logit_bias": []}, InvalidField, "logit_bias"),
    ({"metadata": {"a": 1}}, InvalidField, "metadata.a"),
    ({"metadata": {str(at): "x" for at in range(17)}}, InvalidField, "metadata"),
    ({"user": 3}, InvalidField, "user"),
    ({"parallel_tool_calls": "no"}, InvalidField, "parallel_tool_calls"),
    ({"response_format": "json"}, InvalidField, "response_format"),
    ({"response_format": {}}, InvalidField, "response_format.type"),
    ({"response_format": {"type": "xml"}}, InvalidField, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, InvalidField, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, InvalidField, "response_format.json_schema.name"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
        InvalidField,
        "response_format.json_schema.name",
    ),
    ({"tools": {}}, InvalidField, "tools"),
    ({"tools": [3]}, InvalidField, "tools[0]"),
    ({"tools": [{}]}, InvalidField, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, InvalidField, "tools[0].function"),
    (tool(name="a b"), InvalidField, "tools[0].function.name"),
    (tool(name=None), InvalidField, "tools[0].function.name"),
    (tool(parameters=3), InvalidField, "tools[0].function.parameters"),
    (tool(parameters={"type": "string"}), InvalidField, "tools[0].function.parameters"),
    ({"tools": [TOOL, TOOL]}, InvalidField, "tools[1].function.name"),
    ({"tools": [TOOL] * 129}, InvalidField, "tools"),
    ({"tool_choice": "required"}, InvalidField, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": "maybe"}, InvalidField, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": 3}, InvalidField, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "function"}}, InvalidField, "tool_choice.function"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        InvalidField,
        "tool_choice.function.name",
    ),
]


@pytest.mark.parametrize(("members", "kind", "param"), REFUSED)
def test_what_is_refused_is_named(members: dict[str, Any], kind: type[Refused], param: str) -> None:
    with pytest.raises(kind) as refused:
        read(**members)
    assert type(refused.value) is kind
    assert refused.value.param == param
    assert param in refused.value.message
    assert refused.value.message.endswith(".")

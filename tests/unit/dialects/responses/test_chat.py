"""Questions of the Responses API as chat completions are asked them."""

import json

import pytest

from forehearth.core.errors import InvalidField
from forehearth.dialects.responses import chat
from tests.unit.dialects.responses.chats import question

TOOL = {"type": "function", "name": "f", "description": "Does.", "parameters": {"type": "object"}, "strict": True}
OTHER = {"type": "function", "name": "g"}
SCHEMA = {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": True}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "original"}
FILE = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "1"}


def translated(**members):
    asked = question(**members)
    return json.loads(chat.body(asked, asked.items))


def messages(*items, **members):
    return translated(input=list(items), **members)["messages"]


def test_a_text():
    assert translated() == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"instructions": "be short"}, {"messages": [{"role": "system", "content": "be short"}, ...]}),
        ({"temperature": 0.5, "top_p": 0.1}, {"temperature": 0.5, "top_p": 0.1}),
        ({"max_output_tokens": 16}, {"max_completion_tokens": 16}),
        ({"user": "u", "safety_identifier": "s"}, {"user": "u", "safety_identifier": "s"}),
        ({"prompt_cache_key": "k", "service_tier": "flex"}, {"prompt_cache_key": "k", "service_tier": "flex"}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": SCHEMA}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
        ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True, "top_logprobs": 0}),
        ({"include": ["reasoning.encrypted_content"]}, {}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"metadata": {"a": "b"}, "store": False, "truncation": "disabled"}, {}),
        ({"parallel_tool_calls": False}, {}),
        ({"tool_choice": "none"}, {}),
    ],
)
def test_members(members, said):
    found = translated(**members)
    if "messages" in said:
        assert found.pop("messages")[0] == said.pop("messages")[0]
    assert {name: value for name, value in found.items() if name not in {"model", "messages"}} == said


CHAT_TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "Does.", "parameters": {"type": "object"}, "strict": True},
}
CHAT_OTHER = {"type": "function", "function": {"name": "g"}}


@pytest.mark.parametrize(
    ("choice", "tools", "mode"),
    [
        (None, [CHAT_TOOL, CHAT_OTHER], "auto"),
        ("none", [CHAT_TOOL, CHAT_OTHER], "none"),
        ("required", [CHAT_TOOL, CHAT_OTHER], "required"),
        (
            {"type": "function", "name": "g"},
            [CHAT_TOOL, CHAT_OTHER],
            {"type": "function", "function": {"name": "g"}},
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]},
            [CHAT_OTHER],
            "required",
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, None, None),
    ],
)
def test_tools(choice, tools, mode):
    found = translated(tools=[TOOL, OTHER], tool_choice=choice, parallel_tool_calls=False)
    assert found.get("tools") == tools
    assert found.get("tool_choice") == mode
    assert found.get("parallel_tool_calls") == (None if tools is None else False)


def test_what_is_seen():
    assert messages({"role": "user", "content": [{"type": "input_text", "text": "what?"}, IMAGE, FILE]}) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
            ],
        }
    ]


def test_what_was_said_and_refused():
    said = [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]
    refused = [{"type": "refusal", "refusal": "no"}]
    assert messages({"role": "assistant", "content": said}, {"role": "assistant", "content": refused}) == [
        {"role": "assistant", "content": "ab"},
        {"role": "assistant", "content": None, "refusal": "no"},
    ]


def test_calls_and_results():
    called = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    second = {**CALL, "call_id": "call_2"}
    assert messages(
        {"role": "assistant", "content": "wait"}, CALL, second, OUTPUT, {**OUTPUT, "call_id": "call_2"}
    ) == [
        {"role": "assistant", "content": "wait", "tool_calls": [called, {**called, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "tool", "tool_call_id": "call_2", "content": "1"},
    ]


def test_what_was_said_along_with_a_call_stands_beside_it():
    called = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert messages(CALL, {"role": "assistant", "content": "wait"}, OUTPUT)[0] == {
        "role": "assistant",
        "content": "wait",
        "tool_calls": [called],
    }


def test_reasoning_is_left_out():
    assert messages({"type": "reasoning", "id": "rs_1", "summary": []}, {"role": "user", "content": "x"}) == [
        {"role": "user", "content": "x"}
    ]


def test_a_call_without_a_result_and_a_result_without_a_call():
    with pytest.raises(InvalidField, match="No tool output found for function call call_1"):
        messages(CALL)
    with pytest.raises(InvalidField, match="No tool call found for function call output with call_id call_1"):
        messages(OUTPUT)

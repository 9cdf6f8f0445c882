"""Bodies of `POST /responses`: what is read, and how what is wrong is named."""

import json

import pytest

from forehearth.core.errors import InvalidField, MalformedBody, NotSupported, UnknownField
from forehearth.dialects.responses import asked, problems
from tests.openai_schemas import check, members
from tests.unit.dialects.responses.chats import counting, question

USER = {"role": "user", "content": "hello"}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
OF_FOUNDRY = {"agent", "agent_reference", "structured_inputs", "user_security_context"}


def test_every_documented_member_is_known():
    assert set(asked.Body.__struct_fields__) - OF_FOUNDRY == members("CreateResponse")


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        ({"model": 1, "input": "x"}, InvalidField, "model"),
        ({"input": "x"}, InvalidField, "model"),
        ({"model": "m"}, InvalidField, "input"),
        ({"model": "m", "input": 1}, InvalidField, "input"),
        ({"model": "m", "input": "x", "inputs": "y"}, UnknownField, "inputs"),
        ({"model": "m", "input": ["x"]}, InvalidField, "input[0]"),
        ({"model": "m", "input": [{**USER, "role": "critic"}]}, InvalidField, "input[0].role"),
        ({"model": "m", "input": [{**USER, "mood": "good"}]}, UnknownField, "input[0].mood"),
        ({"model": "m", "input": [{"role": "user"}]}, InvalidField, "input[0].content"),
        ({"model": "m", "input": [USER, {"type": "poem"}]}, InvalidField, "input[1].type"),
        ({"model": "m", "input": [{"type": "web_search_call", "id": "ws_1"}]}, NotSupported, "input[0].type"),
        ({"model": "m", "input": [{"type": "function_call", "name": "f"}]}, InvalidField, "input[0].call_id"),
        ({"model": "m", "input": "x", "store": "yes"}, InvalidField, "store"),
        ({"model": "m", "input": "x", "max_output_tokens": 15}, InvalidField, "max_output_tokens"),
        ({"model": "m", "input": "x", "temperature": 2.1}, InvalidField, "temperature"),
        ({"model": "m", "input": "x", "top_logprobs": 21}, InvalidField, "top_logprobs"),
        ({"model": "m", "input": "x", "include": ["all"]}, InvalidField, "include[0]"),
        ({"model": "m", "input": "x", "truncation": "some"}, InvalidField, "truncation"),
        ({"model": "m", "input": "x", "text": {"format": {"type": "xml"}}}, InvalidField, "text.format.type"),
        ({"model": "m", "input": "x", "text": {"format": {"type": "json_schema"}}}, InvalidField, "text.format.name"),
        ({"model": "m", "input": "x", "text": {"verbosity": "loud"}}, InvalidField, "text.verbosity"),
        ({"model": "m", "input": "x", "reasoning": {"effort": "much"}}, InvalidField, "reasoning.effort"),
        ({"model": "m", "input": "x", "reasoning": {"context": "all_turns"}}, NotSupported, "reasoning.context"),
        ({"model": "m", "input": "x", "metadata": {"a": 1}}, InvalidField, "metadata"),
        ({"model": "m", "input": "x", "metadata": {"a": "b" * 513}}, InvalidField, "metadata"),
        ({"model": "m", "input": "x", "metadata": {str(n): "" for n in range(17)}}, InvalidField, "metadata"),
        ({"model": "m", "input": "x", "prompt": {"id": "pmpt_1"}}, NotSupported, "prompt"),
        ({"model": "m", "input": "x", "moderation": {"model": "omni"}}, NotSupported, "moderation"),
        ({"model": "m", "input": "x", "stream_options": {}}, InvalidField, "stream_options"),
        (
            {"model": "m", "input": "x", "previous_response_id": "resp_1", "conversation": "conv_1"},
            InvalidField,
            "previous_response_id",
        ),
        ({"model": "m", "input": "x", "conversation": {}}, InvalidField, "conversation.id"),
        ({"model": "m", "input": "x", "tools": [{"type": "web_search"}]}, NotSupported, "tools[0].type"),
        ({"model": "m", "input": "x", "tools": [{"type": "image_generation"}]}, NotSupported, "tools[0].type"),
        ({"model": "m", "input": "x", "tools": [{"type": "mcp"}]}, InvalidField, "tools[0].server_label"),
        ({"model": "m", "input": "x", "tools": [{"type": "openapi"}]}, NotSupported, "tools[0].type"),
        ({"model": "m", "input": "x", "tools": [TOOL, {"type": "hammer"}]}, InvalidField, "tools[1].type"),
        ({"model": "m", "input": "x", "tools": [{}]}, InvalidField, "tools[0].type"),
        ({"model": "m", "input": "x", "tools": [TOOL, TOOL]}, InvalidField, "tools[1].name"),
        ({"model": "m", "input": "x", "tools": [{**TOOL, "name": "a b"}]}, InvalidField, "tools[0].name"),
        ({"model": "m", "input": "x", "tools": [{**TOOL, "strict": 1}]}, InvalidField, "tools[0].strict"),
        ({"model": "m", "input": "x", "tools": [{**TOOL, "function": {}}]}, UnknownField, "tools[0].function"),
        ({"model": "m", "input": "x", "tools": [TOOL], "tool_choice": "some"}, InvalidField, "tool_choice"),
        ({"model": "m", "input": "x", "tool_choice": "required"}, InvalidField, "tool_choice"),
        ({"model": "m", "input": "x", "tool_choice": 1}, InvalidField, "tool_choice"),
        ({"model": "m", "input": "x", "tool_choice": {"type": "function", "name": "g"}}, InvalidField, "tool_choice"),
        ({"model": "m", "input": "x", "tool_choice": {"type": "web_search"}}, NotSupported, "tool_choice.type"),
        (
            {
                "model": "m",
                "input": "x",
                "tools": [TOOL],
                "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]},
            },
            InvalidField,
            "tool_choice.tools[0]",
        ),
    ],
)
def test_what_is_wrong_is_named(body, error, param):
    with pytest.raises(error) as caught:
        asked.read(problems.decoded(json.dumps(body).encode()), counting())
    assert caught.value.param == param
    assert param.rpartition(".")[2].partition("[")[0] in caught.value.message or "'" in caught.value.message


@pytest.mark.parametrize(
    ("role", "part", "error", "param"),
    [
        ("user", {"type": "output_text", "text": "x"}, InvalidField, "type"),
        ("user", {"type": "input_txt", "text": "x"}, InvalidField, "type"),
        ("user", {"type": "input_text"}, InvalidField, "text"),
        ("user", {"type": "input_text", "text": "x", "size": 1}, UnknownField, "size"),
        ("user", {"type": "input_image"}, InvalidField, "image_url"),
        ("user", {"type": "input_image", "image_url": "https://a/b.png", "detail": "fine"}, InvalidField, "detail"),
        ("user", {"type": "input_image", "file_id": "file-1", "image_url": "https://a"}, InvalidField, "image_url"),
        ("user", {"type": "input_file"}, InvalidField, "file_data"),
        ("user", {"type": "input_file", "file_url": "https://a", "file_id": "a"}, InvalidField, "file_data"),
        ("assistant", {"type": "input_text", "text": "x"}, InvalidField, "type"),
        ("system", {"type": "input_image", "image_url": "https://a/b.png"}, NotSupported, "type"),
    ],
)
def test_what_is_wrong_within_a_message_is_named(role, part, error, param):
    good = {"type": "output_text" if role == "assistant" else "input_text", "text": "y"}
    body = {"model": "m", "input": [USER, USER, {"role": role, "content": [good, part]}]}
    with pytest.raises(error) as caught:
        asked.read(problems.decoded(json.dumps(body).encode()), counting())
    assert caught.value.param == f"input[2].content[1].{param}"


def test_the_kinds_that_are_served_are_listed():
    body = {"model": "m", "input": [{"role": "user", "content": [{"type": "input_txt", "text": "x"}]}]}
    with pytest.raises(InvalidField) as caught:
        asked.read(problems.decoded(json.dumps(body).encode()), counting())
    assert caught.value.message == (
        "Invalid value: 'input_txt'. Supported values are: 'input_text', 'input_image', and 'input_file'."
    )


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"model": "m", "input": "\xff"}'])
def test_what_is_no_json_is_said_so(body):
    with pytest.raises(MalformedBody):
        asked.read(problems.decoded(body), counting())


def test_what_is_no_object_is_said_so():
    with pytest.raises(InvalidField):
        asked.read(problems.decoded(b'["model"]'), counting())


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"input": [USER] * 10_001}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": ""}] * 10_001}]}, "input"),
        ({"input": "x", "tools": [TOOL] * 129}, "tools"),
    ],
)
def test_what_is_too_much_is_refused_before_it_is_read(members, param):
    with pytest.raises(InvalidField, match="array too long") as caught:
        asked.read(problems.decoded(json.dumps({"model": "m"} | members).encode()), counting())
    assert caught.value.param == param


def test_items_become_resources():
    found = question(
        input=[
            {"role": "developer", "content": "be short"},
            {"role": "user", "content": [{"type": "input_image", "image_url": "https://a/b.png"}]},
            {"role": "user", "content": [{"type": "input_file", "file_data": "data:,x", "filename": "a.txt"}]},
            {"role": "assistant", "content": "yes"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", "id": "fc_mine"},
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "1"}]},
            {"type": "reasoning", "summary": [], "id": "rs_1", "encrypted_content": None},
        ]
    ).items
    assert [item["id"] for item in found] == ["msg_0", "msg_1", "msg_2", "msg_3", "fc_mine", "fco_0", "rs_1"]
    assert found[0]["content"] == [{"type": "input_text", "text": "be short"}]
    listed = {"object": "list", "data": list(found), "has_more": False, "first_id": "msg_0", "last_id": "rs_1"}
    check("ResponseItemList", listed)


def test_an_item_is_read_as_it_was_shown():
    found = question(input=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]).items
    assert question(input=list(found)).items == found


def test_references_are_resolved():
    found = question(input=[{"type": "item_reference", "id": "msg_9"}, {"id": "msg_9"}]).items
    known = {"id": "msg_9", "type": "message", "role": "user", "content": []}
    assert asked.items.resolved(found, {"msg_9": known}.get) == (known, known)
    with pytest.raises(InvalidField, match="Item with id 'msg_9' not found"):
        asked.items.resolved(found, {}.get)

"""Responses whose tools are called here: items and events, approvals, bounds, and what a hostile model gets of it."""

import json
from typing import Any

import pytest

from forehearth.core.errors import (
    AddressFailed,
    AddressRefused,
    InvalidField,
    NotSupported,
    TooManyRequests,
    UnknownField,
)
from forehearth.core.tool import ToolResult
from tests.openai_schemas import check, check_event
from tests.unit.dialects.responses.chats import DONE, call, chunk, folded, types, usage
from tests.unit.responses.stage import Source as Answer
from tests.unit.responses.stage import Stage, calls, says, somebody
from tests.unit.responses.tool_sources import Source, failed, mcp, tool


def wants(*names: str, arguments: str = '{"q":"a"}', content: str | None = None) -> dict[str, Any]:
    """An answer that is calls of these functions."""
    made = [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, name in enumerate(names)
    ]
    return says(content, tool_calls=made)


def stage(*answers: Any, source: Source | None = None) -> Stage:
    made = Stage(*answers)
    made.sources["files"] = source or Source(tool("read", reads=True), tool("write"))
    return made


def kinds(response: dict[str, Any]) -> list[str]:
    return [item["type"] for item in response["output"]]


async def test_the_model_is_given_what_its_tools_say():
    here = stage(wants("read", content="I look."), says("Done."))
    response = await here.create(tools=[mcp()])
    check("Response", response)
    assert kinds(response) == ["mcp_list_tools", "message", "mcp_call", "message"]
    listed, _, made, _ = response["output"]
    assert [each["name"] for each in listed["tools"]] == ["read", "write"]
    assert made | {"id": ""} == {
        "id": "",
        "type": "mcp_call",
        "status": "completed",
        "approval_request_id": None,
        "arguments": '{"q":"a"}',
        "error": None,
        "name": "read",
        "output": 'read says {"q":"a"}',
        "server_label": "files",
    }
    assert response["status"] == "completed"
    assert response["usage"]["total_tokens"] == 10  # of two calls
    first, second = here.models.asked(0), here.models.asked(1)
    assert [each["function"]["name"] for each in first["tools"]] == ["read", "write"]
    assert second["messages"] == [
        {"role": "user", "content": "hello"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": made["id"], "type": "function", "function": {"name": "read", "arguments": '{"q":"a"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": made["id"], "content": 'read says {"q":"a"}'},
    ]
    assert [each.request_id for each in here.models.calls] == ["id-1", "id-1.2"]
    assert here.models.calls[0].record is not here.models.calls[1].record
    assert here.sources["files"].closed == 1


async def test_what_opens_a_server_is_neither_shown_nor_stored():
    here = stage(says())
    secrets = {"authorization": "token-canary", "headers": {"x-key": "header-canary"}}
    response = await here.create(tools=[mcp(**secrets)])
    (shown,) = response["tools"]
    assert (shown["server_url"], shown["headers"]) == ("https://files.example/<redacted>", None)
    assert "authorization" not in shown
    stored = b"".join(document.body for document in here.store._documents.values())
    assert response["id"].encode() in stored
    assert b"canary" not in stored
    assert "canary" not in json.dumps(response)


async def test_the_events_come_in_order_and_add_up():
    streams = [
        Answer(
            [chunk({"content": "I look."}), chunk(call(0, "c1", "read", '{"q":')), chunk(call(0, arguments='"a"}'))]
        ),
        Answer([chunk({"content": "Done."}), chunk({}, "stop"), usage(), DONE]),
    ]
    streams[0].pieces += [chunk({}, "tool_calls"), usage(), DONE]
    here = stage(*streams)
    events = await here.events(tools=[mcp()])
    for event in events:
        check_event(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert folded(events) == events[-1]["response"]
    assert types(events) == [
        *("created", "in_progress"),
        *("output_item.added", "mcp_list_tools.in_progress", "mcp_list_tools.completed", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "mcp_call.in_progress", "mcp_call_arguments.delta", "mcp_call_arguments.done"),
        *("mcp_call.completed", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert events[-1]["response"]["usage"]["total_tokens"] == 20
    assert [stream.closed for stream in streams] == [1, 1]
    assert here.kept == [events[0]["response"]["id"]]


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (
            failed("execution", "No such file."),
            {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "No such file."}]},
        ),
        (failed("protocol", "What?", -32601), {"type": "mcp_protocol_error", "code": -32601, "message": "What?"}),
        (
            failed("http", "It answers with 500.", 500),
            {"type": "http_error", "code": 500, "message": "It answers with 500."},
        ),
        (failed("refused", "No."), {"type": "mcp_protocol_error", "code": -32602, "message": "No."}),
    ],
)
async def test_what_a_tool_does_wrong_is_an_item_and_told_to_the_model(result, error):
    source = Source(tool("read"))
    source.answers["read"] = result
    here = stage(wants("read"), says("Sorry."), source=source)
    response = await here.create(tools=[mcp()])
    check("Response", response)
    made = response["output"][1]
    assert (made["status"], made["error"], made["output"]) == ("failed", error, None)
    assert here.models.asked()["messages"][-1]["content"] == result.text
    assert response["status"] == "completed"


async def test_a_failed_call_has_its_event():
    source = Source(tool("read"))
    source.answers["read"] = failed("execution", "No.")
    streams = [
        Answer([chunk(call(0, "c", "read", "{}"), "tool_calls"), DONE]),
        Answer([chunk({"content": "x"}, "stop"), DONE]),
    ]
    events = await stage(*streams, source=source).events(tools=[mcp()])
    assert "mcp_call.failed" in types(events)
    assert "mcp_call.completed" not in types(events)
    assert folded(events) == events[-1]["response"]
    for event in events:
        check_event(event)


async def test_only_allowed_tools_are_offered_listed_and_called():
    source = Source(tool("read"), tool("write"))
    here = stage(wants("write", "read"), says(), source=source)
    response = await here.create(tools=[mcp(allowed_tools={"tool_names": ["read"]})])
    assert [each["function"]["name"] for each in here.models.asked(0)["tools"]] == ["read"]
    assert [name for name, _ in source.calls] == ["read"]
    assert response["status"] == "completed"


async def test_approval_is_asked_for_and_the_response_waits():
    here = stage(wants("read", "write"), says("Done."))
    first = await here.create(tools=[mcp(require_approval="always")])
    check("Response", first)
    assert kinds(first) == ["mcp_list_tools", "mcp_approval_request", "mcp_approval_request"]
    assert first["status"] == "completed"
    assert here.sources["files"].calls == []
    yes, no = (item["id"] for item in first["output"][1:])
    decided = [
        {"type": "mcp_approval_response", "approval_request_id": yes, "approve": True},
        {"type": "mcp_approval_response", "approval_request_id": no, "approve": False, "reason": "Too risky"},
    ]
    second = await here.create(tools=[mcp(require_approval="always")], previous_response_id=first["id"], input=decided)
    check("Response", second)
    assert kinds(second) == ["mcp_call", "message"]
    assert (second["output"][0]["approval_request_id"], second["output"][0]["name"]) == (yes, "read")
    assert here.sources["files"].calls == [("read", '{"q":"a"}')]
    messages = here.models.asked()["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "tool"]
    assert messages[2]["content"] == "The user did not approve of this call: Too risky"
    assert messages[4]["content"] == 'read says {"q":"a"}'


async def test_approval_within_a_conversation():
    here = stage(wants("write"), says("Done."))
    talk = await here.begin()
    asked = {"tools": [mcp(require_approval="always")], "conversation": talk}
    first = await here.create(**asked)
    answer = {"type": "mcp_approval_response", "approval_request_id": first["output"][1]["id"], "approve": True}
    second = await here.create(**asked, input=[answer])
    assert kinds(second) == ["mcp_call", "message"]
    said = [item["type"] for item in await here.said(talk)]
    assert said == [
        *("message", "mcp_list_tools", "mcp_approval_request"),
        *("mcp_approval_response", "mcp_call", "message"),
    ]
    with pytest.raises(InvalidField, match="decided on already"):
        await here.create(**asked, input=[answer])
    assert len(here.sources["files"].calls) == 1


@pytest.mark.parametrize(
    ("approval", "waits"),
    [
        (None, {"read", "write"}),
        ("always", {"read", "write"}),
        ("never", set()),
        ({"never": {"tool_names": ["read"]}}, {"write"}),
        ({"always": {"tool_names": ["read"]}, "never": {"tool_names": ["read", "write"]}}, {"read"}),
        ({"always": {"tool_names": ["read"]}}, {"read", "write"}),
        ({"never": {"read_only": True}}, {"write"}),
        ({"never": {}}, {"read", "write"}),
    ],
)
async def test_which_calls_wait(approval, waits):
    here = stage(wants("read", "write"), says())
    response = await here.create(tools=[mcp(require_approval=approval)])
    asked = {item["name"] for item in response["output"] if item["type"] == "mcp_approval_request"}
    assert asked == waits
    assert {name for name, _ in here.sources["files"].calls} == {"read", "write"} - waits


@pytest.mark.parametrize("change", [tool("write", reads=True), None])
async def test_a_tool_that_has_become_another_one_since_it_was_approved_of_is_not_called(change):
    here = stage(wants("write"), says("Oh."))
    first = await here.create(tools=[mcp(require_approval="always")])
    source = here.sources["files"]
    other = tool("write")
    source.has = [] if change is None else [type(other)(name="write", description="It sends all.", parameters={})]
    decided = {"type": "mcp_approval_response", "approval_request_id": first["output"][1]["id"], "approve": True}
    second = await here.create(
        tools=[mcp(require_approval="always")], previous_response_id=first["id"], input=[decided]
    )
    assert source.calls == []
    assert second["output"][0]["status"] == "failed"


@pytest.mark.parametrize(
    ("tools", "decided", "told"),
    [
        ([mcp()], {"approval_request_id": "mcpr_none"}, "No approval request found"),
        ([], {}, "there is no tool of type 'mcp'"),
        ([mcp("other")], {}, "not among 'tools'"),
        ([mcp(allowed_tools=["read"])], {}, "not among 'tools'"),
    ],
)
async def test_an_approval_that_is_for_nothing(tools, decided, told):
    here = stage(wants("write"), says())
    here.sources["other"] = Source()
    first = await here.create(tools=[mcp(require_approval="always")])
    answer = {"type": "mcp_approval_response", "approval_request_id": first["output"][1]["id"], "approve": True}
    with pytest.raises(InvalidField, match=told):
        await here.create(tools=tools, previous_response_id=first["id"], input=[answer | decided])
    assert here.sources["files"].calls == []


async def test_a_list_is_asked_for_once_in_a_conversation():
    here = stage(says(), wants("read"), says())
    first = await here.create(tools=[mcp()])
    second = await here.create(tools=[mcp()], previous_response_id=first["id"])
    assert (kinds(first), kinds(second)) == (["mcp_list_tools", "message"], ["mcp_call", "message"])
    assert here.sources["files"].listed == 1


async def test_functions_are_the_clients_and_end_the_response():
    here = stage(wants("mine", "read"), says("Done."))
    function = {"type": "function", "name": "mine", "parameters": {"type": "object"}}
    first = await here.create(tools=[function, mcp()])
    check("Response", first)
    assert kinds(first) == ["mcp_list_tools", "function_call", "mcp_call"]
    assert first["status"] == "completed"
    assert len(here.models.calls) == 1
    output = {"type": "function_call_output", "call_id": "call_0", "output": "42"}
    second = await here.create(tools=[function, mcp()], previous_response_id=first["id"], input=[output])
    assert kinds(second) == ["message"]
    messages = here.models.asked()["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "tool"]
    assert messages[-1] == {"role": "tool", "tool_call_id": "call_0", "content": "42"}


async def test_tools_of_one_name_are_told_apart():
    here = stage(wants("read", "files_read", "other_read", "none_of_them"), says())
    here.sources["other"] = Source(tool("read"), tool("a b"))
    function = {"type": "function", "name": "read", "parameters": {"type": "object"}}
    response = await here.create(tools=[function, mcp(), mcp("other")])
    offered = [each["function"]["name"] for each in here.models.asked(0)["tools"]]
    assert offered == ["read", "files_read", "write", "other_read", "a_b"]
    assert kinds(response)[2:] == ["function_call", "mcp_call", "mcp_call"]
    assert [source.calls[0][0] for source in here.sources.values()] == ["read", "read"]


async def test_calls_are_bounded_and_the_model_answers_without_tools():
    here = stage(wants("read", "read"))
    response = await here.create(tools=[mcp()], max_tool_calls=3)
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "mcp_call", "mcp_call"]
    assert response["status"] == "completed"
    assert len(here.models.calls) == 3
    assert "tools" not in here.models.asked()


async def test_calls_that_wait_are_bounded_too():
    here = stage(wants("read", *["write"] * 200))
    response = await here.create(tools=[mcp(require_approval={"never": {"tool_names": ["read"]}})])
    assert kinds(response).count("mcp_approval_request") == 63


async def test_a_model_that_never_ends_is_asked_a_bounded_number_of_times():
    here = stage(wants("read"))
    response = await here.create(tools=[mcp()])
    assert len(here.sources["files"].calls) == 64
    assert len(here.models.calls) == 65
    assert response["status"] == "completed"


async def test_what_tools_say_is_bounded_in_sum():
    source = Source(tool("read"))
    source.answers["read"] = ToolResult(text="x" * (1 << 20))
    here = stage(wants("read"), source=source)
    await here.create(tools=[mcp()])
    assert len(source.calls) == 4


async def test_time_is_bounded():
    source = Source(tool("read"))

    async def slow() -> ToolResult:
        await here.clock.advance(301)
        return ToolResult(text="late")

    source.answers["read"] = slow
    here = stage(wants("read"), source=source)
    await here.create(tools=[mcp()])
    assert len(source.calls) == 2


async def test_the_output_is_bounded_over_all_calls_of_the_model():
    here = stage(wants("read"), source=Source(tool("read")))
    response = await here.create(tools=[mcp()], max_output_tokens=16)
    assert [here.models.asked(at)["max_completion_tokens"] for at in (0, 1, 7)] == [16, 14, 2]
    assert len(here.models.calls) == 8
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert response["usage"]["output_tokens"] == 16


async def test_what_must_be_called_must_be_called_once():
    here = stage(wants("read"), says())
    await here.create(tools=[mcp()], tool_choice="required")
    assert [here.models.asked(at)["tool_choice"] for at in (0, 1)] == ["required", "auto"]


@pytest.mark.parametrize(
    ("choice", "offered", "mode"),
    [
        ({"type": "mcp", "server_label": "other"}, ["find"], "required"),
        (
            {"type": "mcp", "server_label": "files", "name": "write"},
            ["write"],
            {"type": "function", "function": {"name": "write"}},
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "other"}]},
            ["find"],
            "auto",
        ),
        ("none", ["mine", "read", "write", "find"], "none"),
    ],
)
async def test_the_choice_among_tools_of_servers(choice, offered, mode):
    here = stage(says())
    here.sources["other"] = Source(tool("find"))
    function = {"type": "function", "name": "mine", "parameters": {"type": "object"}}
    response = await here.create(tools=[function, mcp(), mcp("other")], tool_choice=choice)
    check("Response", response)
    asked = here.models.asked(0)
    assert [each["function"]["name"] for each in asked["tools"]] == offered
    assert asked["tool_choice"] == mode


@pytest.mark.parametrize("choice", ["none", {"type": "allowed_tools", "mode": "auto", "tools": []}])
async def test_a_model_that_calls_what_it_was_not_to_call_is_not_followed(choice):
    here = stage(wants("read", "write"))
    response = await here.create(tools=[mcp()], tool_choice=choice)
    assert here.sources["files"].calls == []
    assert kinds(response) == ["mcp_list_tools"]


@pytest.mark.parametrize(
    "error", [AddressRefused("Not this one.", reason="private"), AddressFailed("It is away.", reason="unreachable")]
)
async def test_a_server_without_a_list(error):
    here = stage(says(), source=Source(fails=error))
    with pytest.raises(type(error)) as caught:
        await here.create(tools=[mcp()])
    assert caught.value.param == "tools[0].server_url"
    assert here.kept == []
    events = await here.events(tools=[mcp()])
    assert types(events)[-3:] == ["mcp_list_tools.failed", "output_item.done", "failed"]
    assert events[-2]["item"]["error"] == error.message
    assert events[-1]["response"]["error"]["message"] == error.message
    assert here.models.calls == []
    for event in events:
        check_event(event)


async def test_a_limit_that_is_reached_between_two_calls_fails_what_there_is():
    refusal = TooManyRequests("Slow down.", retry_after=3.0)
    here = stage(wants("read"), refusal)
    response = await here.create(tools=[mcp()])
    assert kinds(response) == ["mcp_list_tools", "mcp_call"]
    assert (response["status"], response["error"]["message"]) == ("failed", "Slow down.")
    with pytest.raises(TooManyRequests):
        await stage(refusal).create(tools=[mcp()])


@pytest.mark.parametrize(
    ("tools", "kind", "param"),
    [
        ([mcp(server_url=None)], InvalidField, "tools[0].server_url"),
        ([mcp(server_url="http://127.1/")], AddressRefused, "tools[0].server_url"),
        ([mcp(server_url="file:///etc/passwd")], AddressRefused, "tools[0].server_url"),
        ([mcp(connector_id="connector_gmail")], NotSupported, "tools[0].connector_id"),
        ([mcp(project_connection_id="c")], NotSupported, "tools[0].project_connection_id"),
        ([mcp(), mcp()], InvalidField, "tools[1]"),
        ([mcp(extra=1)], UnknownField, "tools[0].extra"),
        ([mcp(require_approval="sometimes")], InvalidField, "tools[0].require_approval"),
        ([{"type": "openapi", "openapi": {}}], NotSupported, "tools[0].type"),
    ],
)
async def test_tools_that_cannot_be(tools, kind, param):
    with pytest.raises(kind) as caught:
        await stage(says()).create(tools=tools)
    assert caught.value.param == param


async def test_a_client_that_leaves_ends_what_is_under_way():
    stream = Answer([chunk({"content": "I"}), chunk({"content": " look"}), DONE])
    here = stage(stream)
    reply = await here.reply(stream=True, tools=[mcp()])
    for _ in range(4):
        await anext(reply.stream)
    await reply.stream.aclose()
    assert stream.closed == 1
    assert here.sources["files"].closed == 1
    stored = await here.responses.get(somebody(), here.kept[0])
    assert stored["status"] == "cancelled"


async def test_one_function_alone_is_still_called_by_a_plain_answer():
    here = stage(calls("mine"))
    function = {"type": "function", "name": "mine", "parameters": {"type": "object"}}
    response = await here.create(tools=[function])
    assert kinds(response) == ["function_call"]

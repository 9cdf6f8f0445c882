"""Agents whose tools are called here: servers of MCP, APIs, and forms that a model fills in."""

import json

import msgspec
import pytest

from forehearth.agents.records import NewVersion
from forehearth.core.errors import InvalidField
from forehearth.core.place import Place
from tests.unit.dialects.responses.chats import DONE, chunk
from tests.unit.responses.stage import Source as Answer
from tests.unit.responses.stage import Stage, says, somebody
from tests.unit.responses.test_background import attempt
from tests.unit.responses.test_loop import kinds, wants
from tests.unit.responses.tool_sources import Source, failed, mcp, tool

PROJECT = Place(resource="here", project="sales")
API = {"type": "openapi", "openapi": {"name": "shop", "spec": {}, "auth": {"type": "anonymous"}}}
FORM = {
    "type": "capture_structured_outputs",
    "outputs": {"name": "note", "description": "A note.", "schema": {"type": "object"}, "strict": True},
}
ASKED = {"agent": {"name": "a"}}
BY = {"type": "agent_reference", "name": "a", "version": "1"}


async def stage(*answers, tools):
    made = Stage(*answers)
    made.sources |= {"files": Source(tool("read")), "shop": Source(tool("order"), tool("list", reads=True))}
    definition = msgspec.Raw(json.dumps({"kind": "prompt", "model": "m", "tools": tools}).encode())
    await made.agents.create_version(PROJECT, "a", NewVersion(definition=definition))
    return made


async def test_calls_of_apis_are_pairs_of_items():
    here = await stage(wants("shop_order"), says("Done."), tools=[API])
    response = await here.create(somebody(PROJECT), **ASKED)
    assert kinds(response) == ["openapi_call", "openapi_call_output", "message"]
    made, output, _ = response["output"]
    assert made == {
        "id": made["id"],
        "type": "openapi_call",
        "status": "completed",
        "call_id": made["call_id"],
        "name": "shop_order",
        "arguments": '{"q":"a"}',
        "agent_reference": BY,
        "response_id": response["id"],
    }
    assert (output["call_id"], output["name"], output["status"]) == (made["call_id"], "shop_order", "completed")
    assert output["output"] == 'order says {"q":"a"}'
    assert here.sources["shop"].calls == [("order", '{"q":"a"}')]
    *_, called, result = here.models.asked()["messages"]
    assert called["tool_calls"][0]["function"]["name"] == "shop_order"
    assert (result["role"], result["content"]) == ("tool", 'order says {"q":"a"}')
    again = await here.create(somebody(PROJECT), previous_response_id=response["id"], **ASKED)
    assert again["status"] == "completed"
    assert [each["role"] for each in here.models.asked()["messages"]] == [
        *("user", "assistant", "tool", "assistant", "user")
    ]


async def test_what_an_api_refuses_is_told():
    here = await stage(wants("shop_order"), says("Oh."), tools=[API])
    here.sources["shop"].answers["order"] = failed("http", "The API answered with status 404.", 404)
    response = await here.create(somebody(PROJECT), **ASKED)
    made, output, _ = response["output"]
    assert (made["status"], output["output"]) == ("failed", "The API answered with status 404.")


async def test_a_form_that_is_filled_in_is_an_item():
    here = await stage(wants("note"), says("Noted."), tools=[FORM])
    response = await here.create(somebody(PROJECT), **ASKED)
    captured, _ = response["output"]
    assert (captured["type"], captured["output"]) == ("structured_outputs", {"q": "a"})
    (offered,) = here.models.asked(0)["tools"]
    assert offered["function"]["name"] == "note"
    *_, called, result = here.models.asked()["messages"]
    assert called["tool_calls"][0]["function"] == {"name": "note", "arguments": '{"q":"a"}'}
    assert result["content"] == "Captured."


async def test_a_form_that_is_not_filled_in_rightly_is_told_to_the_model():
    here = await stage(wants("note", arguments="not JSON"), says("Sorry."), tools=[FORM])
    response = await here.create(somebody(PROJECT), **ASKED)
    assert kinds(response) == ["message"]
    assert here.models.asked()["messages"][-1]["content"] == "The arguments are not valid JSON."


async def test_all_of_them_in_a_conversation_and_in_the_background():
    talk_tools = [mcp(require_approval="always"), API, FORM]
    here = await stage(wants("read", "shop_list", "note"), tools=talk_tools)
    talk = await here.begin(place=PROJECT)
    first = await here.create(somebody(PROJECT), conversation=talk, **ASKED)
    assert kinds(first) == [
        *("mcp_list_tools", "mcp_approval_request", "openapi_call", "openapi_call_output", "structured_outputs")
    ]
    assert {json.dumps(item["agent_reference"]) for item in first["output"]} == {json.dumps(BY)}
    answer = {"type": "mcp_approval_response", "approval_request_id": first["output"][1]["id"], "approve": True}
    here.models.answers = [says("Done.")]
    made = await here.create(somebody(PROJECT), conversation=talk, input=[answer], background=True, **ASKED)
    here.models.answers = [Answer([chunk({"content": "Done."}, "stop"), DONE])]
    assert not await attempt(here)
    second = await here.responses.get(somebody(PROJECT), made["id"])
    assert kinds(second) == ["mcp_call", "message"]
    assert here.sources["files"].calls == [("read", '{"q":"a"}')]
    found = await here.conversations.everything(PROJECT, talk, most_bytes=1_000_000)
    assert [json.loads(item.body)["type"] for item in found] == [
        *("message", *kinds(first), "mcp_approval_response", "mcp_call", "message")
    ]


@pytest.mark.parametrize("name", ["order", "shop", "read"])
async def test_an_agent_s_tools_are_called_by_their_names_alone(name):
    here = await stage(wants(name), says("Done."), tools=[API])
    response = await here.create(somebody(PROJECT), **ASKED)
    assert kinds(response) == ["message"]
    assert [source.calls for source in here.sources.values()] == [[], []]


async def test_what_a_source_refuses_is_refused_at_once():
    here = await stage(says(), tools=[API])
    here.sources.clear()

    def refuse(tool, where):
        raise InvalidField("Not this one.", param=where)

    here._source = refuse
    for members in ({}, {"background": True}, {"stream": True}):
        with pytest.raises(InvalidField):
            await here.create(somebody(PROJECT), **ASKED, **members)
    assert here.kept == []

"""Tools of servers before a host that has the Responses API: the host calls them, but for those that only we can."""

import json

import msgspec
import pytest

from forehearth.agents.records import NewVersion
from forehearth.core.place import Place
from tests.unit.responses.stage import HERE, HostStream, Stage, says, somebody
from tests.unit.responses.test_background import attempt
from tests.unit.responses.test_loop import kinds, wants
from tests.unit.responses.test_passed import SAYS, host_response, told
from tests.unit.responses.tool_sources import Source, mcp, tool

PROJECT = Place(resource="here", project="sales")
CALLED = {"type": "mcp_call", "id": "mcp_host", "server_label": "files", "name": "t", "arguments": "{}", "output": "x"}


async def test_the_host_is_given_the_server_as_it_was_sent():
    here = Stage(host_response(CALLED, SAYS), passes=True)
    asked = mcp(authorization="token-canary")
    response = await here.create(tools=[asked])
    (call,) = here.models.calls
    assert call.only_responses
    assert here.models.passed()["tools"] == [asked]
    assert kinds(response) == ["mcp_call", "message"]
    assert b"canary" not in b"".join(document.body for document in here.store._documents.values())


async def test_what_opens_it_is_sealed_while_it_waits():
    here = Stage(HostStream(told(CALLED, SAYS)), passes=True)
    made = await here.create(tools=[mcp(authorization="token-canary")], background=True)
    stored = b"".join(document.body for document in here.store._documents.values())
    assert b"canary" not in stored + b"".join(job.input for job in here.jobs._jobs.values())
    assert not await attempt(here)
    assert here.models.passed()["tools"][0]["authorization"] == "token-canary"
    response = await here.responses.get(somebody(), made["id"])
    assert (response["status"], kinds(response)) == ("completed", ["mcp_call", "message"])
    assert (await here.kept_responses.at(HERE, made["id"])).sealed is None


async def test_a_host_s_call_that_a_dead_worker_left_open_is_closed_and_asked_anew():
    here = Stage(HostStream(told(CALLED, SAYS)), passes=True)
    made = await here.create(tools=[mcp()], background=True)
    here.mortal.writes, here.mortal.dies_at, here.mortal.after = 0, 2, True
    assert await attempt(here)
    here.models.answers = [HostStream(told(CALLED, SAYS))]
    assert not await attempt(here)
    response = await here.responses.get(somebody(), made["id"])
    assert response["status"] == "completed"
    assert kinds(response)[-2:] == ["mcp_call", "message"]


@pytest.mark.parametrize(
    "given",
    [
        {"type": "openapi", "openapi": {"name": "shop", "spec": {}, "auth": {"type": "anonymous"}}},
        {"type": "mcp", "server_label": "shop", "server_url": "https://a.example/m", "project_connection_id": "c"},
    ],
)
async def test_an_agent_s_tools_that_no_host_can_call_are_called_here(given):
    name = "shop_look" if given["type"] == "openapi" else "look"
    here = Stage(wants(name), says("Done."), passes=True)
    here.sources["shop"] = Source(tool("look"))
    tools = [given | ({} if given["type"] == "openapi" else {"require_approval": "never"})]
    definition = msgspec.Raw(json.dumps({"kind": "prompt", "model": "m", "tools": tools}).encode())
    await here.agents.create_version(PROJECT, "a", NewVersion(definition=definition))
    response = await here.create(somebody(PROJECT), agent={"name": "a"})
    assert here.sources["shop"].calls == [("look", '{"q":"a"}')]
    assert response["output"][-1]["content"][0]["text"] == "Done."
    assert not any(call.only_responses or call.responses for call in here.models.calls)


async def test_without_store_nothing_is_left_behind():
    here = Stage(wants("read"), says("Done."))
    here.sources["files"] = Source(tool("read"))
    response = await here.create(tools=[mcp()], store=False)
    assert (response["store"], kinds(response)) == (False, ["mcp_list_tools", "mcp_call", "message"])
    here.models.answers = [says()]
    await here.events(tools=[mcp()], store=False)
    assert here.store._documents == {}

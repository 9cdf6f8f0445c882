"""A published service with an OpenAPI document of its own: Glances, the system monitor."""

import json

import pytest

from forehearth.core.egress import EgressRequest
from forehearth.core.egress_settings import EgressSettings
from forehearth.core.tool import OpenApiTool
from forehearth.egress.client import GuardedClient
from forehearth.tools.openapi import OpenApiTools
from tests.integration.tools.served import glances


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with glances(tmp_path_factory.mktemp("glances")) as found:
        yield found


@pytest.fixture
async def client(port):
    async with GuardedClient(EgressSettings(allow=(f"127.0.0.1:{port}",))) as client:
        yield client


@pytest.fixture
async def source(client, port):
    answer = await client.send(EgressRequest(url=f"http://127.0.0.1:{port}/openapi.json"))
    document = json.loads(answer.body)
    document["servers"] = [{"url": f"http://127.0.0.1:{port}"}]
    return OpenApiTools(OpenApiTool(name="glances", document=document), client)


async def test_its_operations_are_tools(source):
    tools = {tool.name: tool for tool in await source.tools()}
    assert len(tools) > 25
    history = tools["_api_history_api_4__plugin__history_get"]
    assert history.parameters["required"] == ["plugin"]
    assert set(history.parameters["properties"]) == {"plugin", "nb"}
    assert history.read_only
    assert not tools["_events_clear_all_api_4_events_clear_all_post"].read_only


async def test_they_are_called(source, client):
    plugins = await source.call("_api_plugins_api_4_pluginslist_get", "")
    assert "cpu" in json.loads(plugins.text)
    memory = await source.call("_api_api_4__plugin__get", '{"plugin": "mem"}')
    assert json.loads(memory.text)["total"] > 0
    total = await source.call("_api_item_api_4__plugin___item__get", '{"plugin": "mem", "item": "total"}')
    assert json.loads(total.text) == {"total": json.loads(memory.text)["total"]}
    history = await source.call("_api_history_api_4__plugin__history_get", '{"plugin": "cpu", "nb": 1}')
    assert not history.is_error
    cleared = await source.call("_events_clear_all_api_4_events_clear_all_post", "{}")
    assert not cleared.is_error
    assert client.busy == 0


async def test_what_the_service_refuses_is_a_result(source):
    unknown = await source.call("_api_api_4__plugin__get", '{"plugin": "../../etc/passwd"}')
    assert (unknown.is_error, unknown.fault.kind, unknown.fault.code) == (True, "http", 404)
    wrong = await source.call("_api_history_api_4__plugin__history_get", '{"plugin": "cpu", "nb": "many"}')
    assert (wrong.is_error, wrong.fault.code) == (True, 422)
    assert "nb" in wrong.text

"""A published MCP server, served by the official library, in each way that it can answer."""

import json
import logging

import pytest

from forehearth.core.egress_settings import EgressSettings
from forehearth.core.secret import Secret
from forehearth.core.tool import McpServer, ToolFilter
from forehearth.egress.client import GuardedClient
from forehearth.tools.mcp import McpTools
from forehearth.tools.mcp_channel import HANDSHAKE_VERSIONS, STATELESS_VERSION
from tests.integration.tools.served import TIME, running


@pytest.fixture(scope="module", params=["events", "json", "events stateless", "json stateless"])
def port(request):
    with running("-c", TIME, *request.param.split()) as found:
        yield found


def server(port, **more):
    return McpServer(label="time", url=f"http://127.0.0.1:{port}/mcp", **more)


def egress(port):
    return GuardedClient(EgressSettings(allow=(f"127.0.0.1:{port}",)))


@pytest.mark.parametrize("version", [HANDSHAKE_VERSIONS[0], STATELESS_VERSION])
async def test_its_tools_are_listed_and_called(port, version):
    async with egress(port) as client:
        source = McpTools(server(port), client)
        if version == STATELESS_VERSION:
            source._channel.version = version
        tools = {tool.name: tool for tool in await source.tools()}
        assert source._channel.version == version
        assert set(tools) == {"get_current_time", "convert_time"}
        assert tools["convert_time"].parameters["required"] == ["source_timezone", "time", "target_timezone"]
        assert tools["convert_time"].description == "Convert time between timezones"
        assert tools["convert_time"].read_only
        asked = {"source_timezone": "UTC", "time": "12:30", "target_timezone": "Asia/Tokyo"}
        result = await source.call("convert_time", json.dumps(asked))
        assert not result.is_error
        assert json.loads(result.text)["target"]["datetime"].endswith("T21:30:00+09:00")
        await source.aclose()
        await source.aclose()
        assert client.busy == 0


async def test_what_the_tool_cannot_do_is_a_result(port):
    async with egress(port) as client:
        source = McpTools(server(port), client)
        result = await source.call("get_current_time", '{"timezone": "Nowhere/Land"}')
        assert (result.is_error, result.fault.kind) == (True, "execution")
        assert "Nowhere/Land" in result.text
        missing = await source.call("get_current_time", "{}")
        assert (missing.is_error, missing.fault.kind) == (True, "execution")
        unknown = await source.call("set_time", "{}")
        assert (unknown.fault.kind, unknown.fault.code) == ("protocol", -32602)
        wrong = await source.call("get_current_time", "[1]")
        assert wrong.fault.kind == "refused"
        await source.aclose()


async def test_only_what_is_allowed_is_listed_and_called(port):
    async with egress(port) as client:
        named = McpTools(server(port, allowed=ToolFilter(names=frozenset({"get_current_time"}))), client)
        opened = client.connections_opened
        refused = await named.call("convert_time", "{}")
        assert (refused.fault.kind, client.connections_opened) == ("refused", opened)
        assert [tool.name for tool in await named.tools()] == ["get_current_time"]
        writing = McpTools(server(port, allowed=ToolFilter(read_only=False)), client)
        assert (await writing.call("get_current_time", '{"timezone": "UTC"}')).fault.kind == "refused"
        assert await writing.tools() == []
        reading = McpTools(server(port, allowed=ToolFilter(read_only=True)), client)
        assert not (await reading.call("get_current_time", '{"timezone": "UTC"}')).is_error
        for source in (named, writing, reading):
            await source.aclose()


async def test_a_session_that_the_server_forgot_is_begun_anew(port):
    async with egress(port) as client:
        source = McpTools(server(port), client)
        await source.tools()
        session = source._channel._session
        if session is None:
            return  # this one has none
        source._channel._session = b"0" * 32
        assert not (await source.call("get_current_time", '{"timezone": "UTC"}')).is_error
        assert source._channel._session not in (None, b"0" * 32, session)
        source._channel._session = b"1" * 32
        assert len(await source.tools()) == 2
        await source.aclose()


async def test_credentials_are_in_no_log(port, caplog):
    caplog.set_level(logging.DEBUG)
    given = {"authorization": Secret("token-canary-5301"), "headers": {"x-key": Secret("key-canary-5301")}}
    async with egress(port) as client:
        for url in (f"http://127.0.0.1:{port}/mcp", f"http://127.0.0.1:{port}/nothing", "http://127.0.0.1:1/"):
            source = McpTools(McpServer(label="time", url=url, **given), client)
            answer = await source.call("get_current_time", '{"timezone": "UTC"}')
            await source.aclose()
            assert "canary" not in repr((source, answer, caplog.records))
    assert caplog.records
    assert not [each for each in caplog.records if "canary" in each.getMessage() or "canary" in repr(each.args)]


async def test_the_wrong_path_is_told_as_a_status(port):
    async with egress(port) as client:
        source = McpTools(McpServer(label="time", url=f"http://127.0.0.1:{port}/nothing"), client)
        result = await source.call("get_current_time", "{}")
        assert (result.fault.kind, result.fault.code) == ("http", 404)
        assert result.text == "The MCP server 'time': it answers with status 404."

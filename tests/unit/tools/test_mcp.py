"""MCP servers that do as they please: what is believed, what is not, and what it costs."""

import asyncio
import json

import pytest

from forehearth.core.errors import AddressFailed, AddressRefused
from forehearth.core.secret import Secret
from forehearth.core.tool import McpServer, ToolFilter
from forehearth.core.upstream import Response
from forehearth.tools import mcp
from forehearth.tools.mcp import McpTools
from forehearth.tools.mcp_channel import Channel
from forehearth.tools.text import MOST_CHARACTERS
from tests.unit.tools.asked_egress import Pieces, ScriptedEgress, as_events, as_json

TOOL = {"name": "t", "description": "d", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
SERVER = McpServer(label="L", url="https://mcp.example/mcp", param="tools[0]")


def scripted(*, session="s1", version="2025-11-25", **answers):
    """An egress whose server agrees to the handshake, and answers methods (`tools_list`, `tools_call`) as given."""

    def answer(request):
        if request.method != b"POST":
            return answers.get(request.method.decode().lower(), lambda _: Response(status=405))(request)
        message = json.loads(request.body)
        method = message.get("method")
        if "id" not in message or method is None:
            return Response(status=202)
        if method in answers:
            return answers[method](message)
        if method == "initialize":
            headers = {"mcp_session_id": session} if session else {}
            return as_json(result(message, {"protocolVersion": version, "capabilities": {}}), **headers)
        name = method.replace("/", "_")
        return answers[name](message) if name in answers else as_json(result(message, {"tools": [TOOL]}))

    return ScriptedEgress(answer)


def result(message, value):
    return {"jsonrpc": "2.0", "id": message["id"], "result": value}


def error(message, code, text, **more):
    return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": text, **more}}


def called(value):
    return lambda message: as_json(result(message, value))


def methods(egress):
    return [json.loads(each.body).get("method") if each.body else each.method.decode() for each in egress.asked]


async def test_the_way_of_a_conversation():
    egress = scripted(tools_call=called({"content": [{"type": "text", "text": "yes"}]}))
    source = McpTools(SERVER, egress)
    (tool,) = await source.tools()
    assert (tool.name, tool.description, tool.parameters, tool.read_only) == ("t", "d", {"type": "object"}, True)
    assert len(tool.digest) == 64
    answer = await source.call("t", '{"a": 1}')
    assert (answer.text, answer.is_error, answer.fault) == ("yes", False, None)
    await source.aclose()
    assert methods(egress) == ["initialize", "notifications/initialized", "tools/list", "tools/call", "DELETE"]
    assert b"mcp-session-id" not in egress.headers(0)
    for position in range(1, 5):
        assert egress.headers(position)[b"mcp-session-id"] == b"s1"
        assert egress.headers(position)[b"mcp-protocol-version"] == b"2025-11-25"
    assert json.loads(egress.asked[3].body)["params"] == {"name": "t", "arguments": {"a": 1}}
    assert egress.asked[0].param == "tools[0].server_url"


async def test_credentials_are_sent_and_never_shown():
    server = McpServer(
        label="L",
        url="https://mcp.example/mcp",
        authorization=Secret("token-9"),
        headers={"X-Api-Key": Secret("key-9"), "Authorization": Secret("other")},
    )
    egress = scripted()
    await McpTools(server, egress).tools()
    sent = [(name, secret.reveal()) for name, secret in egress.asked[-1].secrets]
    assert sent == [(b"x-api-key", "key-9"), (b"authorization", "Bearer token-9")]
    for shown in (repr(server), repr(egress.asked[-1]), str(egress.asked[-1].headers)):
        assert "key-9" not in shown
        assert "token-9" not in shown


@pytest.mark.parametrize("name", ["Accept", "mcp-session-id", "Content-Type", "MCP-Protocol-Version", "Last-Event-ID"])
def test_headers_of_the_protocol_are_not_the_callers(name):
    server = McpServer(label="L", url="https://mcp.example/", headers={name: Secret("x")}, param="tools[1]")
    with pytest.raises(AddressRefused) as caught:
        McpTools(server, scripted())
    assert (caught.value.reason, caught.value.param) == ("header", "tools[1].headers")


async def test_pages_are_read_to_their_end():
    def page(message):
        cursor = int(message["params"].get("cursor", 0))
        tools = [{**TOOL, "name": f"t{cursor}"}]
        return as_json(result(message, {"tools": tools, **({"nextCursor": str(cursor + 1)} if cursor < 4 else {})}))

    assert [tool.name for tool in await McpTools(SERVER, scripted(tools_list=page)).tools()] == [
        "t0", "t1", "t2", "t3", "t4",
    ]  # fmt: skip


def many(count):
    return [{**TOOL, "name": f"t{number}"} for number in range(count)]


async def test_of_many_tools_some_can_be_allowed():
    egress = scripted(tools_list=called({"tools": many(1_000)}))
    allowed = ToolFilter(names=frozenset({"t7", "t999"}))
    server = McpServer(label="L", url="https://mcp.example/", allowed=allowed)
    assert [tool.name for tool in await McpTools(server, egress).tools()] == ["t7", "t999"]


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ({"tools": many(129)}, "more than 128 of its tools"),
        ({"tools": many(1_025)}, "more than 1024 tools"),
        ({"tools": [], "nextCursor": "c"}, "does not end"),
        ({"tools": [], "nextCursor": 5}, "does not end"),
        ({"tools": [], "nextCursor": "c" * 5_000}, "does not end"),
        ({"tools": {}}, "is not one"),
        ({"tools": [{"name": "t"}]}, "is not one"),
        ({"tools": [{"name": 5, "inputSchema": {}}]}, "is not one"),
        ({"tools": [{"name": "t", "inputSchema": []}]}, "is not one"),
        ({}, "is not one"),
        ({"tools": [{**TOOL, "name": ""}]}, "a name that is empty"),
        ({"tools": [{**TOOL, "name": "x" * 129}]}, "a name that is empty"),
        ({"tools": [{**TOOL, "name": "a\nb"}]}, "a name that is empty"),
        ({"tools": [{**TOOL, "description": "x" * 16_385}]}, "described in more than"),
        ({"tools": [{**TOOL, "inputSchema": {"x": "y" * 65_536}}]}, "schema of 't' has more than"),
    ],
)
async def test_a_list_that_cannot_be_used(listed, told):
    def page(message):
        # The cursor changes once, so that it is its standing still that is noticed.
        return as_json(result(message, listed))

    with pytest.raises(AddressFailed) as caught:
        await McpTools(SERVER, scripted(tools_list=page)).tools()
    assert (caught.value.reason, caught.value.param) == ("unusable", "tools[0]")
    assert caught.value.message.startswith("The MCP server 'L' cannot be used: ")
    assert told in caught.value.message


async def test_pages_without_end_are_left():
    def page(message):
        return as_json(result(message, {"tools": [], "nextCursor": str(message["id"])}))

    egress = scripted(tools_list=page)
    with pytest.raises(AddressFailed, match="more than 32 pages"):
        await McpTools(SERVER, egress).tools()
    assert len(egress.asked) == 34


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda _: Response(status=200, body=b"<html>"), "no JSON-RPC response"),
        (lambda _: Response(status=202), "no JSON-RPC response"),
        (lambda _: as_json({"jsonrpc": "2.0", "id": 99, "result": {}}), "no JSON-RPC response"),
        (lambda _: as_json([[]]), "no JSON-RPC response"),
        (lambda _: Response(status=200, body=b"[" * 100_000), "no JSON-RPC response"),
        (lambda _: Response(status=200, body=b'{"id": ' * 100_000), "no JSON-RPC response"),
        (lambda _: Response(status=500, body=b"secret trace"), "status 500"),
        (lambda _: Response(status=401), "status 401: it wants other credentials"),
        (lambda _: as_events(raw=b"data: {no\n\n"), "no JSON-RPC message"),
        (lambda _: as_events(), "ended without an answer"),
        (lambda _: as_events(raw=b"data: " + b"x" * (4 * 1024 * 1024 + 1), cut=1 << 20), "larger than is taken"),
        (lambda message: as_json(result(message, {"protocolVersion": "1999-01-01"})), "no revision"),
        (lambda message: as_json(result(message, {})), "no revision"),
        (lambda message: as_json(result(message, {}), mcp_session_id="a b"), "session id"),
        (lambda message: as_events(result(message, {}), mcp_session_id="a b"), "session id"),
        (lambda message: as_json(error(message, -32000, "no")), "refuses the handshake (error -32000)"),
    ],
)
async def test_a_server_that_is_none(answer, told):
    egress = scripted(initialize=answer)
    source = McpTools(SERVER, egress)
    with pytest.raises(AddressFailed) as caught:
        await source.tools()
    assert told in caught.value.message
    assert "secret" not in caught.value.message
    failed = await source.call("t", "{}")
    assert failed.is_error
    assert failed.fault.kind == "http"
    assert all(stream.closed for stream in egress.streams)


async def test_a_server_that_says_things_without_an_end_is_given_up():
    class Endless(Pieces):
        async def __anext__(self):
            await asyncio.sleep(0)
            return b": still here\n"

    egress = ScriptedEgress(lambda _: Response(status=200, headers={}, stream=Endless([])))
    with pytest.raises(AddressFailed, match=r"gave no answer within 0\.01 seconds"):
        await Channel(SERVER, egress, longest=0.01).ask("ping", {})
    assert [stream.closed for stream in egress.streams] == [1]


async def test_what_egress_refuses_is_a_result_of_a_call():
    def refuse(_):
        raise AddressRefused("'x' is not asked: because.", reason="private")

    source = McpTools(SERVER, ScriptedEgress(refuse))
    with pytest.raises(AddressRefused):
        await source.tools()
    answer = await source.call("t", "{}")
    assert (answer.text, answer.fault.kind) == ("'x' is not asked: because.", "http")


async def test_a_server_without_a_handshake_is_spoken_to_without():
    schema = {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "boolean", "x-mcp-header": "Deep"},
            "q": {"type": "string"},
        },
    }
    egress = scripted(
        initialize=lambda message: as_json(error(message, -32022, "x", data={"supported": ["2026-07-28"]}), 400),
        tools_list=called({"resultType": "complete", "tools": [{"name": "tö", "inputSchema": schema}]}),
        tools_call=called({"resultType": "complete", "content": [{"type": "text", "text": "yes"}]}),
    )
    source = McpTools(SERVER, egress)
    await source.tools()
    assert (await source.call("tö", '{"region": "eu west", "deep": true, "q": "x"}')).text == "yes"
    await source.aclose()
    assert methods(egress) == ["initialize", "tools/list", "tools/call"]
    headers = egress.headers(2)
    assert headers[b"mcp-protocol-version"] == b"2026-07-28"
    assert (headers[b"mcp-method"], headers[b"mcp-name"]) == (b"tools/call", b"=?base64?dMO2?=")
    assert (headers[b"mcp-param-region"], headers[b"mcp-param-deep"]) == (b"eu west", b"true")
    assert b"mcp-param-q" not in headers
    meta = json.loads(egress.asked[2].body)["params"]["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {}


async def test_a_tool_that_wants_to_ask_its_user_is_told_no():
    egress = scripted(tools_call=called({"resultType": "input_required", "inputRequests": {}}))
    answer = await McpTools(SERVER, egress).call("t", "{}")
    assert (answer.is_error, answer.fault.kind) == (True, "protocol")


async def test_in_a_stream_the_servers_own_requests_are_answered():
    def call(message):
        return as_events(
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}},
            {"jsonrpc": "2.0", "id": "p", "method": "ping"},
            {"jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": {}},
            {"jsonrpc": "2.0", "id": 99, "result": {"content": [{"type": "text", "text": "not this one"}]}},
            result(message, {"content": [{"type": "text", "text": "yes"}]}),
            {"jsonrpc": "2.0", "id": "q", "method": "ping"},
        )

    egress = scripted(tools_call=call)
    assert (await McpTools(SERVER, egress).call("t", "{}")).text == "yes"
    answers = [json.loads(each.body) for each in egress.asked[-2:]]
    assert answers[0] == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert (answers[1]["id"], answers[1]["error"]["code"]) == (5, -32601)
    assert egress.streams[0].closed


async def test_a_server_that_asks_without_end_is_left():
    pings = [{"jsonrpc": "2.0", "id": number, "method": "ping"} for number in range(100)]
    egress = scripted(tools_call=lambda _: as_events(*pings))
    answer = await McpTools(SERVER, egress).call("t", "{}")
    assert "asks too much" in answer.text
    assert len(egress.asked) == 2 + 1 + 16


async def test_a_stream_that_is_cut_is_asked_for_its_rest():
    numbers = []

    def call(message):
        numbers.append(message["id"])
        return as_events(raw=b"id: e1\nretry: 0\ndata:\n\n")

    def rest(request):
        assert dict(request.headers)[b"last-event-id"] == b"e1"
        return as_events({"jsonrpc": "2.0", "id": numbers[0], "result": {"content": [{"type": "text", "text": "yes"}]}})

    egress = scripted(tools_call=call, get=rest)
    assert (await McpTools(SERVER, egress).call("t", "{}")).text == "yes"


async def test_a_stream_is_not_asked_for_its_rest_for_ever():
    egress = scripted(
        tools_call=lambda _: as_events(raw=b"id: e1\ndata:\n\n"), get=lambda _: as_events(raw=b"id: e2\ndata:\n\n")
    )
    assert "ended without an answer" in (await McpTools(SERVER, egress).call("t", "{}")).text
    assert [each.method for each in egress.asked].count(b"GET") == 3
    assert all(stream.closed for stream in egress.streams)


async def test_a_session_that_is_lost_each_time_is_given_up():
    egress = scripted(tools_call=lambda _: Response(status=404), tools_list=lambda _: Response(status=404))
    source = McpTools(SERVER, egress)
    answer = await source.call("t", "{}")
    assert (answer.fault.kind, answer.fault.code) == ("http", 404)
    assert methods(egress).count("initialize") == 2
    with pytest.raises(AddressFailed, match="forgets its sessions"):
        await source.tools()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        ({"content": [{"type": "image", "mimeType": "image/png"}]}, "[image of the type image/png: left out]"),
        ({"content": [{"type": "audio"}]}, "[audio of the type unknown: left out]"),
        ({"content": [{"type": "resource", "resource": {"uri": "x:y", "text": "t"}}]}, "t"),
        ({"content": [{"type": "resource", "resource": {"uri": "x:y"}}]}, "[x:y: left out, as it is no text]"),
        ({"content": [{"type": "resource_link", "uri": "x:y", "name": "n"}]}, "[n: x:y]"),
        ({"content": [], "structuredContent": {"a": 1}}, '{"a":1}'),
        ({"content": [{"type": "new"}, 5, {"type": "text", "text": 5}]}, ""),
        ({"content": "no list"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
async def test_what_a_result_is_for_a_model(value, text):
    answer = await McpTools(SERVER, scripted(tools_call=called(value))).call("t", "{}")
    assert (answer.text, answer.is_error) == (text, False)


async def test_a_long_result_is_cut_and_says_so():
    long = {"content": [{"type": "text", "text": "x" * (MOST_CHARACTERS + 5)}]}
    answer = await McpTools(SERVER, scripted(tools_call=called(long))).call("t", "{}")
    assert answer.text == "x" * MOST_CHARACTERS + "\n[cut: 5 more characters]"


async def test_errors_of_protocol_and_of_tools_are_told_apart():
    failed = {"isError": True, "content": [{"type": "text", "text": "broke"}]}
    answer = await McpTools(SERVER, scripted(tools_call=called(failed))).call("t", "{}")
    assert (answer.text, answer.fault.kind, answer.fault.message) == ("broke", "execution", "broke")
    refusing = scripted(tools_call=lambda message: as_json(error(message, -32602, "x" * 5_000)))
    answer = await McpTools(SERVER, refusing).call("t", "{}")
    assert (answer.fault.kind, answer.fault.code, len(answer.text)) == ("protocol", -32602, 2_000)


@pytest.mark.parametrize("arguments", ["[1]", "{", "5", '"x"', "\ud800", "[" * 100_000, '{"a": ' * 50_000])
async def test_arguments_that_are_no_object_are_not_sent(arguments):
    egress = scripted()
    answer = await McpTools(SERVER, egress).call("t", arguments)
    assert (answer.is_error, answer.fault.kind) == (True, "refused")
    assert egress.asked == []


async def test_arguments_that_are_too_long_are_not_sent():
    egress = scripted()
    answer = await McpTools(SERVER, egress).call("t", json.dumps({"a": "x" * 300_000}))
    assert answer.fault.kind == "refused"
    assert egress.asked == []


async def test_a_tool_that_was_not_listed_is_not_called():
    egress = scripted()
    source = McpTools(SERVER, egress)
    await source.tools()
    asked = len(egress.asked)
    assert (await source.call("other", "{}")).fault.kind == "refused"
    assert len(egress.asked) == asked


def test_a_changed_tool_has_another_digest():
    def digest(**changed):
        return mcp._spec(
            mcp._Tool(**{"name": "t", "inputSchema": {"a": 1, "b": 2}, "description": "d", **changed})
        ).digest

    assert digest() == digest(inputSchema={"b": 2, "a": 1})
    assert len({digest(), digest(description="e"), digest(name="u"), digest(inputSchema={"a": 1})}) == 4

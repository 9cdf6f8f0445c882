"""Addresses that egress forbids, by the whole way of a response: none is connected to, in whatever form it comes.

Each URL of the corpus is a server of MCP, a server of an agent's API, and where a redirect of either leads. What is
connected to is counted on the sockets of this process, not believed.
"""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
import pytest

from forehearth.agents.records import NewVersion
from forehearth.core.egress_settings import EgressSettings
from forehearth.core.errors import AddressRefused, ForehearthError, Refused
from forehearth.core.place import Place
from forehearth.egress.client import GuardedClient
from forehearth.tools.asked import source_of
from tests.integration.egress.conftest import listener, other  # noqa: F401 - fixtures that the tests ask for
from tests.integration.egress.connects import Connects
from tests.integration.egress.corpus import CORPUS
from tests.integration.egress.test_corpus import resolve as resolve_names
from tests.integration.egress.test_redirects import ABSOLUTE, STATUSES, redirect
from tests.unit.responses.stage import Stage, says, somebody
from tests.unit.responses.test_loop import wants
from tests.unit.responses.tool_sources import mcp

PROJECT = Place(resource="here", project="sales")


def placed(url: str, port: int) -> str:
    """A URL of the corpus with the port of a listener that takes whoever comes."""
    return url.replace(":P", f":{port}").replace("+P", f"+{port}").replace(":0P", f":0{port}")


def on(client: GuardedClient, *answers: Any) -> Stage:
    """The service of responses with the real way to tools, before a model that calls `look` whatever it is told of."""
    here = Stage(*(answers or (wants("look", "api_look", arguments="{}"), says("Done."))))
    here._source = partial(source_of, egress=client)
    return here


def api(url: str) -> dict[str, Any]:
    """An agent's API of one operation, at that server."""
    spec = {"openapi": "3.1.0", "servers": [{"url": url}], "paths": {"/x": {"get": {"operationId": "look"}}}}
    return {"type": "openapi", "openapi": {"name": "api", "spec": spec, "auth": {"type": "anonymous"}}}


async def asked_of_agent(here: Stage, tool: dict[str, Any]) -> dict[str, Any]:
    """The response of an agent with that tool."""
    definition = msgspec.Raw(json.dumps({"kind": "prompt", "model": "m", "tools": [tool]}).encode())
    await here.agents.create_version(PROJECT, "a", NewVersion(definition=definition))
    return await here.create(somebody(PROJECT), agent={"name": "a"})


async def test_no_server_of_mcp_is_one_of_them(listener):  # noqa: F811 - the fixture
    wrong = []
    with Connects() as connects:
        async with GuardedClient(EgressSettings(), resolve=resolve_names) as client:
            for url, _ in CORPUS:
                here = on(client)
                try:
                    await here.create(tools=[mcp(server_url=placed(url, listener.port))])
                    wrong.append(url)
                except AddressRefused as error:
                    if not (error.param or "").startswith("tools[0]"):
                        wrong.append(f"{url}: {error.param}")
                if here.models.calls or here.kept:
                    wrong.append(f"{url}: the model was asked")
    assert (wrong, connects.where, listener.connections) == ([], [], 0)
    assert len(CORPUS) >= 300


async def test_no_server_of_an_api_is_one_of_them(listener):  # noqa: F811 - the fixture
    called = 0
    with Connects() as connects:
        async with GuardedClient(EgressSettings(), resolve=resolve_names) as client:
            for url, _ in CORPUS:
                try:
                    response = await asked_of_agent(on(client), api(placed(url, listener.port)))
                except Refused:
                    continue  # when the document is read
                made = [item for item in response["output"] if item["type"] == "openapi_call"]
                assert [item["status"] for item in made] == ["failed"], url
                called += 1
    assert (connects.where, listener.connections) == ([], 0)
    assert called > 100


async def test_no_redirect_of_either_leads_there(listener, other):  # noqa: F811 - the fixtures
    async def resolve(host: str, port: int) -> list[Any]:
        if host == "open.example":
            return [(socket.AF_INET, ("127.0.0.1", port))]
        return await resolve_names(host, port)

    settings = EgressSettings(allow=(f"open.example:{listener.port}",))
    asked = f"http://open.example:{listener.port}"
    urls = [url for url, _ in ABSOLUTE if len(url) < 8_000]
    with Connects() as connects:
        async with GuardedClient(settings, resolve=resolve) as client:
            for at, url in enumerate(urls):
                listener.answer = redirect(STATUSES[at % len(STATUSES)], placed(url, other.port).encode())
                if at % 2:
                    with pytest.raises(ForehearthError):
                        await on(client).create(tools=[mcp(server_url=f"{asked}/mcp")])
                else:
                    response = await asked_of_agent(on(client), api(asked))
                    assert response["output"][0]["status"] == "failed", url
    assert {tuple(where) for where in connects.where} == {("127.0.0.1", listener.port)}
    assert other.connections == 0
    assert len(urls) // 2 >= 150
    assert listener.connections == len(urls)


class Toy:
    """A server of MCP with the tool `look`, which says where it was asked."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        asked = json.loads(await reader.readexactly(int(length[1]))) if length else {"method": head.split()[0].decode()}
        self.methods.append(asked["method"])
        body = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), "result": _result(asked)}).encode()
        start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
        writer.write(start + b"content-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()


def _result(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["method"] == "initialize":
        return {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {}}
    if asked["method"] == "tools/list":
        return {"tools": [{"name": "look", "inputSchema": {"type": "object"}}]}
    return {"content": [{"type": "text", "text": "seen"}]}


@pytest.fixture
async def toy() -> AsyncIterator[tuple[Toy, int]]:
    made = Toy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("inside", ["169.254.169.254", "168.63.129.16", "0.0.0.0"])
async def test_a_name_that_leads_elsewhere_between_the_list_and_the_call_is_not_followed(toy, inside):
    """Rebinding: the operator allows a name; its owner lets it lead to the metadata service a moment later."""
    server, port = toy
    answers: list[str] = []

    async def changing(host: str, port: int) -> list[Any]:
        answers.append(inside if "tools/list" in server.methods else "127.0.0.1")
        return [(socket.AF_INET, (answers[-1], port))]

    settings = EgressSettings(allow=(f"open.example:{port}",))
    with Connects() as connects:
        async with GuardedClient(settings, resolve=changing) as client:
            here = on(client)
            response = await here.create(tools=[mcp(server_url=f"http://open.example:{port}/mcp")])
    listed, made, _ = response["output"]
    assert [tool["name"] for tool in listed["tools"]] == ["look"]
    assert (made["status"], made["error"]["type"]) == ("failed", "http_error")
    assert inside not in json.dumps(made)
    assert inside in answers
    assert {tuple(where) for where in connects.where} == {("127.0.0.1", port)}
    assert "tools/call" not in server.methods


async def test_what_may_be_asked_is_reached(toy):
    """So that the tests above do not hold because nothing is ever reached."""
    server, port = toy
    async with GuardedClient(EgressSettings(allow=(f"127.0.0.1:{port}",))) as client:
        response = await on(client).create(tools=[mcp(server_url=f"http://127.0.0.1:{port}/mcp")])
        assert response["output"][1]["output"] == "seen"
        response = await asked_of_agent(on(client), api(f"http://127.0.0.1:{port}"))
        assert response["output"][0]["status"] == "completed"
    assert server.methods == ["initialize", "notifications/initialized", "tools/list", "tools/call", "GET"]

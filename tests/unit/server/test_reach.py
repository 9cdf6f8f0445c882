"""Credentials of a project's connection for its tools: of the configuration or made here, never another project's."""

import pytest

from forehearth.connections.service import Connections
from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.errors import InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.server.reach import Tools, nowhere
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock
from tests.families import sealer
from tests.unit.tools.asked_egress import ScriptedEgress, as_json

HERE = Place(resource="here", project="sales")
MCP = {"type": "mcp", "server_label": "L", "server_url": "https://a.example/mcp", "project_connection_id": "c"}


def connection(**credentials):
    return ConnectionSettings(type="CustomKeys", target="https://a.example", **credentials)


def made(configured=None):
    connections = Connections(MemoryDocuments(), configured or {}, sealer(), VirtualClock())
    egress = ScriptedEgress(lambda _: as_json({"jsonrpc": "2.0", "id": 1, "result": {}}))
    return connections, Tools(connections, egress), egress


async def sent(tools, egress, place=HERE, wanted=("c",)):
    """The credentials of the first request to the server."""
    sources = await tools.sources_at(place, wanted)
    await sources(MCP, "tools[0]").call("t", "{}")
    return {name: secret.reveal() for name, secret in egress.asked[0].secrets}


async def test_one_of_the_configuration():
    _, tools, egress = made({HERE: {"c": connection(keys={"x-key": Secret("one")})}})
    assert await sent(tools, egress) == {b"x-key": "one"}


async def test_one_that_was_made_while_the_server_ran_at_an_agent_s_own_endpoint_too():
    connections, tools, egress = made()
    await connections.create(HERE, "c", connection(key=Secret("two")))
    assert await sent(tools, egress, Place(resource="here", project="sales", agent="a")) == {
        b"authorization": "Bearer two"
    }


@pytest.mark.parametrize("place", [Place(resource="here", project="other"), Place(resource="there", project="sales")])
async def test_none_of_another_project(place):
    _, tools, egress = made({HERE: {"c": connection(keys={"x-key": Secret("one")})}})
    with pytest.raises(InvalidField, match="no connection 'c'"):
        await sent(tools, egress, place)
    assert egress.asked == []


async def test_where_nobody_is_asked_there_are_none():
    sources = await nowhere(HERE, ["c"])
    with pytest.raises(NotFound, match="no tool at 'sales'"):
        sources(MCP, "tools[0]")

"""Tools as callers write them."""

import pytest

from forehearth.core.errors import AddressRefused, InvalidField, NotSupported
from forehearth.core.tool import ToolFilter, ToolSpec
from forehearth.tools.asked import approval, mcp_server, source_of
from forehearth.tools.mcp import McpTools
from forehearth.tools.openapi import OpenApiTools
from tests.unit.tools.asked_egress import ScriptedEgress

MCP = {"type": "mcp", "server_label": "L", "server_url": "https://mcp.example/mcp"}
SPEC = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://a.example"}],
    "paths": {"/": {"get": {"operationId": "o"}}},
}
OPENAPI = {"type": "openapi", "openapi": {"name": "n", "spec": SPEC, "auth": {"type": "anonymous"}}}
EGRESS = ScriptedEgress(lambda _: None)


def spec(name, read_only=False):
    return ToolSpec(name=name, parameters={}, read_only=read_only)


def test_each_kind_has_its_source():
    assert isinstance(source_of(MCP, "tools[0]", egress=EGRESS), McpTools)
    assert isinstance(source_of(OPENAPI, "tools[0]", egress=EGRESS), OpenApiTools)
    assert EGRESS.asked == []


def test_a_server_is_read():
    server = mcp_server(
        {
            **MCP,
            "authorization": "t",
            "headers": {"X": "y"},
            "allowed_tools": {"tool_names": ["a"], "read_only": True},
            "server_description": "d",
        },
        "tools[3]",
    )
    assert (server.label, server.url, server.param) == ("L", "https://mcp.example/mcp", "tools[3]")
    assert (server.authorization.reveal(), server.headers["X"].reveal()) == ("t", "y")
    assert server.allowed == ToolFilter(names=frozenset({"a"}), read_only=True)
    assert mcp_server({**MCP, "allowed_tools": ["a"]}, "t").allowed == ToolFilter(names=frozenset({"a"}))
    assert mcp_server({**MCP, "allowed_tools": []}, "t").allowed == ToolFilter(names=frozenset())
    assert mcp_server({**MCP, "allowed_tools": None}, "t").allowed == ToolFilter()


@pytest.mark.parametrize(
    ("tool", "error", "param"),
    [
        ({"type": "mcp", "server_label": "L"}, InvalidField, "tools[0].server_url"),
        ({"type": "mcp", "server_url": "https://x.example"}, InvalidField, "tools[0].server_label"),
        ({**MCP, "headers": {"a": 5}}, InvalidField, "tools[0].headers[...]"),
        ({**MCP, "headers": {"Accept": "x"}}, AddressRefused, "tools[0].headers"),
        ({**MCP, "allowed_tools": "a"}, InvalidField, "tools[0].allowed_tools"),
        ({"type": "mcp", "server_label": "L", "connector_id": "c"}, NotSupported, "tools[0].connector_id"),
        ({"type": "mcp", "server_label": "L", "tunnel_id": "c"}, NotSupported, "tools[0].tunnel_id"),
        ({**MCP, "project_connection_id": "c"}, InvalidField, "tools[0].project_connection_id"),
        ({"type": "openapi"}, InvalidField, "tools[0].openapi"),
        ({"type": "openapi", "openapi": {"name": "n", "spec": SPEC}}, InvalidField, "tools[0].openapi.auth"),
        ({"type": "openapi", "openapi": {**OPENAPI["openapi"], "spec": {}}}, InvalidField, "tools[0].openapi.spec"),
        ({"type": "function"}, NotSupported, "tools[0].type"),
        ({}, NotSupported, "tools[0].type"),
    ],
)
def test_what_is_refused(tool, error, param):
    with pytest.raises(error) as caught:
        source_of(tool, "tools[0]", egress=EGRESS)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (None, "abr"), ("always", "abr"), ("never", ""), ({}, "abr"), ({"never": {}}, "abr"), ({"always": {}}, "abr"),
        ({"never": {"tool_names": ["a"]}}, "br"), ({"never": {"read_only": True}}, "ab"),
        ({"always": {"tool_names": ["a"]}}, "abr"), ({"never": {"tool_names": []}}, "abr"),
        ({"always": {"tool_names": ["a"]}, "never": {"tool_names": ["a", "b"]}}, "ar"),
    ],
)  # fmt: skip
def test_which_calls_wait_for_a_yes(asked, waits):
    found = approval({**MCP, "require_approval": asked}, "tools[0]")
    tools = [spec("a"), spec("b"), spec("r", read_only=True)]
    assert "".join(tool.name for tool in tools if found.needed(tool)) == waits


def test_an_approval_that_is_none_of_them():
    with pytest.raises(InvalidField) as caught:
        approval({**MCP, "require_approval": "sometimes"}, "tools[0]")
    assert caught.value.param == "tools[0].require_approval"

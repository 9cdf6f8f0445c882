"""A project's connection as the credentials of a tool: what is sent of it, and where to."""

import json

import pytest

from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.errors import InvalidField, NotServedYet, NotSupported
from forehearth.core.secret import Secret
from forehearth.tools.asked import mcp_server, source_of
from tests.unit.tools.asked_egress import ScriptedEgress, as_json

BEARER = {"type": "http", "scheme": "bearer"}
HEADER = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
QUERY = {"type": "apiKey", "in": "query", "name": "api key"}
TARGET = "https://a.example/base"


def connection(target=TARGET, **credentials):
    return ConnectionSettings(type="CustomKeys", target=target, **credentials)


KEY = connection(key=Secret("secret-key"))
KEYS = connection(keys={"x-api-key": Secret("one"), "api key": Secret("two&"), "Authorization": Secret("Bearer three")})


def api(*schemes, server="https://a.example/v1", connection_id="c", parameters=()):
    spec = {
        "openapi": "3.1.0",
        "servers": [{"url": server}],
        "paths": {"/x": {"get": {"operationId": "o", "parameters": list(parameters)}}},
        "components": {"securitySchemes": {str(at): scheme for at, scheme in enumerate(schemes)}},
    }
    auth = {"type": "project_connection", "security_scheme": {"project_connection_id": connection_id}}
    return {"type": "openapi", "openapi": {"name": "n", "spec": spec, "auth": auth}}


async def sent(tool, connections, arguments="{}"):
    """The only request of a call."""
    egress = ScriptedEgress(lambda _: as_json({"ok": True}))
    source = source_of(tool, "tools[0]", egress=egress, connections=connections)
    assert not (await source.call("o", arguments)).is_error
    (request,) = egress.asked
    return request


@pytest.mark.parametrize(
    ("schemes", "its", "headers", "url"),
    [
        ([BEARER], KEY, {b"authorization": "Bearer secret-key"}, ""),
        ([HEADER], KEY, {b"x-api-key": "secret-key"}, ""),
        ([QUERY], KEY, {}, "?api%20key=secret-key"),
        ([HEADER], KEYS, {b"x-api-key": "one"}, ""),
        ([QUERY], KEYS, {}, "?api%20key=two%26"),
        ([BEARER], KEYS, {b"authorization": "Bearer three"}, ""),
        ([HEADER, QUERY, {"type": "oauth2"}, 5], KEYS, {b"x-api-key": "one"}, "?api%20key=two%26"),
    ],
)
async def test_an_api_is_given_what_its_document_wants(schemes, its, headers, url):
    request = await sent(api(*schemes), {"c": its})
    assert {name: secret.reveal() for name, secret in request.secrets} == headers
    assert request.url == f"https://a.example/v1/x{url}"
    assert "secret-key" not in repr(request.secrets)


@pytest.mark.parametrize("name", ["c", "/subscriptions/s/providers/x/projects/p/connections/c", "/connections/c/"])
async def test_a_connection_is_named_or_meant_by_its_id(name):
    assert (await sent(api(HEADER, connection_id=name), {"c": KEY})).secrets


async def test_a_model_sends_no_header_in_place_of_the_credential():
    parameter = {"name": "X-Api-Key", "in": "header", "schema": {"type": "string"}}
    request = await sent(api(HEADER, parameters=[parameter]), {"c": KEY}, json.dumps({"X-Api-Key": "mine"}))
    assert [name for name, _ in (*request.headers, *request.secrets)].count(b"x-api-key") == 1
    assert dict(request.secrets)[b"x-api-key"].reveal() == "secret-key"


@pytest.mark.parametrize(
    ("tool", "connections"),
    [
        (api(HEADER), {}),
        (api(HEADER), {"other": KEY}),
        (api(HEADER, server="https://b.example"), {"c": KEY}),
        (api(HEADER, server="http://a.example"), {"c": KEY}),
        (api(HEADER, server="https://a.example:8443"), {"c": KEY}),
        (api(HEADER, server="https://a.example.evil.example"), {"c": KEY}),
        (api(HEADER), {"c": connection("not an address", key=Secret("k"))}),
        (api(HEADER), {"c": connection(entra=True)}),
        (api(), {"c": KEY}),
        (api({"type": "apiKey", "in": "cookie", "name": "x"}), {"c": KEY}),
        (api(HEADER), {"c": connection(keys={"other": Secret("k")})}),
        (api(HEADER, connection_id=""), {"c": KEY}),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(tool, connections):
    egress = ScriptedEgress(lambda _: None)
    with pytest.raises(InvalidField) as caught:
        source_of(tool, "tools[0]", egress=egress, connections=connections)
    assert caught.value.param == "tools[0].openapi.auth.security_scheme.project_connection_id"
    assert egress.asked == []


@pytest.mark.parametrize(("kind", "error"), [("managed_identity", NotServedYet), ("other", NotSupported)])
def test_other_credentials_are_refused_by_name(kind, error):
    tool = api()
    tool["openapi"]["auth"] = {"type": kind, "security_scheme": {"audience": "x"}}
    with pytest.raises(error) as caught:
        source_of(tool, "tools[0]", egress=ScriptedEgress(lambda _: None), connections={"c": KEY})
    assert caught.value.param == "tools[0].openapi.auth.type"


MCP = {"type": "mcp", "server_label": "L", "server_url": "https://a.example/mcp", "project_connection_id": "c"}


def test_a_server_of_mcp_is_given_the_connection_s_keys():
    found = mcp_server(MCP, "tools[0]", {"c": KEYS})
    assert {name: each.reveal() for name, each in found.headers.items()} == {
        "x-api-key": "one",
        "api key": "two&",
        "Authorization": "Bearer three",
    }
    assert mcp_server(MCP, "tools[0]", {"c": KEY}).headers["authorization"].reveal() == "Bearer secret-key"


@pytest.mark.parametrize("url", ["https://b.example/mcp", "http://a.example/mcp", "https://a.example:1443/mcp"])
def test_and_no_other_server(url):
    with pytest.raises(InvalidField) as caught:
        mcp_server({**MCP, "server_url": url}, "tools[0]", {"c": KEY})
    assert caught.value.param == "tools[0].project_connection_id"

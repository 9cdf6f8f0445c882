"""A role given to each kind of holder at each scope, while the server runs: what it opens, and that it goes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.identity.test_matrix import DEFINITION, Client

CONFIG = """
version: 1
backends: {{script: {{provider: scripted}}}}
deployments: {{chat: {{backends: [{{backend: script}}]}}}}
projects: {{sales: {{}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: user}}
"""
AGENT = "/api/projects/{}/agents/helper/endpoint/protocols/openai/responses?api-version=v1"
ASKED = (
    ("GET", "/openai/v1/models", None),
    ("GET", "/api/projects/sales/openai/v1/models", None),
    ("GET", "/api/projects/default/openai/v1/models", None),
    ("POST", AGENT.format("sales"), {"input": "hi"}),
    ("POST", AGENT.format("default"), {"input": "hi"}),
)
SCOPES: Mapping[str, tuple[Mapping[str, str], list[int]]] = {
    "resource": ({}, [200, 200, 200, 200, 200]),
    "project": ({"project": "sales"}, [403, 200, 403, 200, 403]),
    "agent": ({"project": "sales", "agent": "helper"}, [403, 403, 403, 200, 403]),
}
"""What says where, and what is then answered to `ASKED`."""
APPLICATION = {"scp": None, "idtyp": "app", "azp": "client-of-somebody"}
HOLDERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "user": ("somebody", {}),
    "group": ("a-group", {"groups": ["others", "a-group"]}),
    "application": ("client-of-somebody", APPLICATION),
    "app_role": ("a-role", {"roles": ["a-role"]}),
}
"""What the assignment calls them, and what their tokens say."""


@pytest.fixture(scope="module")
def server(issuer: LoopbackIssuer, start_module_forehearth: StartForehearth) -> ForehearthServer:
    config = CONFIG.format(issuer=issuer.url, keys=issuer.keys_url)
    return start_module_forehearth(config, environment={"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})


@pytest.fixture(scope="module")
def client(server: ForehearthServer, issuer: LoopbackIssuer) -> Iterator[Client]:
    user = issuer.token("user")
    client = Client(server, user)
    for project in ("sales", "default"):
        target = f"/api/projects/{project}/agents/helper/versions?api-version=v1"
        assert client.ask("POST", target, {"definition": DEFINITION}, {"authorization": f"Bearer {user}"}).status == 200
    yield client
    client.close()


def given(client: Client, server: ForehearthServer, **scope: str) -> tuple[int, dict[str, Any]]:
    answer = client.ask("POST", "/admin/role-assignments", {"role": "Azure AI User", **scope}, {"api-key": server.key})
    return answer.status, json.loads(answer.body)


def taken(client: Client, server: ForehearthServer, assignment: str) -> int:
    return client.ask("DELETE", f"/admin/role-assignments/{assignment}", None, {"api-key": server.key}).status


def answers(client: Client, headers: Mapping[str, str]) -> list[int]:
    return [client.ask(*asked, headers).status for asked in ASKED]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", HOLDERS)
def test_holders_of_tokens(client: Client, server: ForehearthServer, issuer: LoopbackIssuer, kind: str, scope: str):
    (name, claims), (where, expected) = HOLDERS[kind], SCOPES[scope]
    headers = {"authorization": f"Bearer {issuer.token('somebody', **claims)}"}
    assert answers(client, headers) == [403] * len(ASKED)
    status, made = given(client, server, principalType=kind, principalId=name, **where)
    assert (status, made["role"]) == (201, "Foundry User")
    assert answers(client, headers) == expected
    assert taken(client, server, made["id"]) == 204
    assert answers(client, headers) == [403] * len(ASKED)


def test_a_key_has_its_role_at_the_resource_and_can_have_none_where_keys_are_not_taken(
    client: Client, server: ForehearthServer
):
    key = client.new_key(rolesOnly=True)
    headers = {"api-key": key["key"]}
    assert answers(client, headers) == [403, 401, 401, 401, 401]
    for scope in ("project", "agent"):
        status, said = given(client, server, principalType="key", principalId=key["id"], **SCOPES[scope][0])
        assert (status, said["error"]["target"]) == (400, "project")
    status, made = given(client, server, principalType="key", principalId=key["id"])
    assert status == 201
    assert answers(client, headers) == [200, 401, 401, 401, 401]
    assert taken(client, server, made["id"]) == 204
    assert answers(client, headers) == [403, 401, 401, 401, 401]

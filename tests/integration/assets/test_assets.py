"""Indexes and datasets on a real server: the same in all workers, kept on the disk, each project's own."""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer, loopback_issuer

CONFIG = """
version: 1
server: {{workers: 2}}
backends: {{script: {{provider: scripted}}}}
deployments: {{chat: {{backends: [{{backend: script}}]}}}}
projects: {{sales: {{}}}}
resources:
  contoso:
    deployments: {{chat: {{backends: [{{backend: script}}]}}}}
identity:
  oidc:
    test: {{issuer: "{url}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: maria}}
    - {{role: Foundry User, user: maria, resource: contoso}}
"""
LOOPBACK = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
BODIES = {
    "indexes": {"type": "AzureSearch", "connectionName": "search", "indexName": "i"},
    "datasets": {"type": "uri_file", "dataUri": "https://example.com/a"},
}


class Client:
    """Asks one server; each call on a connection of its own, so that any worker may take it."""

    def __init__(self, server: ForehearthServer, token: str) -> None:
        self._port = server.port
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/merge-patch+json"}

    def ask(
        self, method: str, path: str, body: object = None, *, project: str = "default", host: str | None = None
    ) -> tuple[int, Any]:
        """Status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = self._headers | ({"host": host} if host else {})
        target = f"/api/projects/{project}{path}?api-version=v1"
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(raw) if raw else None


@pytest.fixture(scope="module")
def issuer() -> Iterator[LoopbackIssuer]:
    with loopback_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def config(issuer: LoopbackIssuer) -> str:
    return CONFIG.format(url=issuer.url, keys=issuer.keys_url)


@pytest.fixture(scope="module")
def client(start_module_forehearth: StartForehearth, issuer: LoopbackIssuer, config: str) -> Client:
    return Client(start_module_forehearth(config, environment=LOOPBACK), issuer.token("maria"))


@pytest.mark.parametrize("family", BODIES)
def test_of_all_who_write_a_version_at_once_one_makes_it_and_no_tag_is_lost(client: Client, family: str):
    path = f"/{family}/busy/versions/1"

    def write(number: int) -> int:
        return client.ask("PATCH", path, BODIES[family] | {"tags": {str(number): "x"}})[0]

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(write, range(40)))
    assert sorted(statuses) == [200] * 39 + [201]
    assert client.ask("GET", path)[1]["tags"] == dict.fromkeys(map(str, range(40)), "x")
    assert client.ask("DELETE", path) == (204, None)


@pytest.mark.parametrize("family", BODIES)
def test_what_others_have_is_not_there(client: Client, family: str):
    status, mine = client.ask("PATCH", f"/{family}/mine/versions/1", BODIES[family])
    assert status == 201
    for where in ({"host": "contoso.services.ai.azure.com"}, {"project": "sales"}):
        foreign, absent = (client.ask("GET", f"/{family}/{name}/versions/1", **where) for name in ("mine", "none"))
        assert foreign[0] == absent[0] == 404
        assert json.dumps(foreign[1]).replace("mine", "none") == json.dumps(absent[1])
        for path in (f"/{family}", f"/{family}/mine/versions"):
            assert client.ask("GET", path, **where) == (200, {"value": []})
        assert client.ask("DELETE", f"/{family}/mine/versions/1", **where)[0] == 204
        status, other = client.ask("PATCH", f"/{family}/mine/versions/1", mine, **where)
        assert (status, other["id"] == mine["id"]) == (201, False)
        assert client.ask("DELETE", f"/{family}/mine/versions/1", **where)[0] == 204
    assert client.ask("GET", f"/{family}/mine/versions/1") == (200, mine)


def test_they_outlive_the_server(
    start_forehearth: StartForehearth, issuer: LoopbackIssuer, config: str, tmp_path: Path
):
    server = start_forehearth(config, folder=tmp_path, environment=LOOPBACK)
    before = Client(server, issuer.token("maria"))
    made = {
        family: before.ask("PATCH", f"/{family}/lasting/versions/1", body | {"tags": {"a": "b"}})[1]
        for family, body in BODIES.items()
    }
    assert server.stop() == 0
    after = Client(start_forehearth(config, folder=tmp_path, environment=LOOPBACK), issuer.token("maria"))
    for family, asset in made.items():
        assert after.ask("GET", f"/{family}/lasting/versions/1") == (200, asset)
        assert after.ask("GET", f"/{family}") == (200, {"value": [asset]})

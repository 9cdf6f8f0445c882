"""Agents on a real server: kept on the disk, the same in all workers, and each resource's and project's own."""

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
DEFINITION = {"kind": "prompt", "model": "chat"}


class Client:
    """Asks one server; each call on a connection of its own, so that any worker may take it."""

    def __init__(self, server: ForehearthServer, token: str) -> None:
        self._port = server.port
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def ask(
        self, method: str, path: str, body: object = None, *, project: str = "default", host: str | None = None
    ) -> tuple[int, Any]:
        """Status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        target = f"/api/projects/{project}/agents{path}{'&' if '?' in path else '?'}api-version=v1"
        headers = self._headers | ({"host": host} if host else {})
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


def test_versions_that_all_workers_write_at_once_are_all_there(client: Client):
    def write(number: int) -> tuple[int, Any]:
        return client.ask("POST", "/busy/versions", {"definition": DEFINITION | {"instructions": str(number)}})

    with ThreadPoolExecutor(8) as threads:
        written = list(threads.map(write, range(40)))
    assert [status for status, _ in written] == [200] * 40
    numbers = sorted(int(version["version"]) for _, version in written)
    assert len(set(numbers)) == 40
    _, listed = client.ask("GET", "/busy/versions?limit=100")
    assert sorted(int(each["version"]) for each in listed["data"]) == numbers
    assert client.ask("GET", "/busy")[1]["versions"]["latest"]["version"] == str(numbers[-1])


def test_what_others_have_is_not_there(client: Client):
    contoso = "contoso.services.ai.azure.com"
    assert client.ask("POST", "/mine/versions", {"definition": DEFINITION})[0] == 200
    for where in ({"host": contoso}, {"project": "sales"}):
        for method, end in (("GET", ""), ("DELETE", ""), ("GET", "/versions/1"), ("POST", ":disable")):
            foreign, absent = (client.ask(method, f"/{name}{end}", **where) for name in ("mine", "none"))
            assert foreign[0] == absent[0] == 404
            assert json.dumps(foreign[1]).replace("mine", "none") == json.dumps(absent[1])
        assert client.ask("GET", "", **where) == (200, client.ask("GET", "?kind=hosted")[1])
        status, made = client.ask("POST", "/mine/versions", {"definition": DEFINITION}, **where)
        assert (status, made["version"]) == (200, "1")
        assert client.ask("DELETE", "/mine", **where)[0] == 200
    assert client.ask("GET", "/mine")[0] == 200


def test_agents_outlive_the_server(
    start_forehearth: StartForehearth, issuer: LoopbackIssuer, config: str, tmp_path: Path
):
    server = start_forehearth(config, folder=tmp_path, environment=LOOPBACK)
    body = {"name": "lasting", "definition": DEFINITION, "metadata": {"a": "b"}}
    made = Client(server, issuer.token("maria")).ask("POST", "", body)
    assert made[0] == 200
    assert server.stop() == 0
    again = start_forehearth(config, folder=tmp_path, environment=LOOPBACK)
    assert Client(again, issuer.token("maria")).ask("GET", "/lasting") == made

"""Agents on a real server: kept on the disk, the same in all workers, and each resource's and project's own."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartForehearth
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.projects import CONFIG, LOOPBACK, ProjectClient

DEFINITION = {"kind": "prompt", "model": "chat"}


@pytest.fixture(scope="module")
def config(issuer: LoopbackIssuer) -> str:
    return CONFIG.format(url=issuer.url, keys=issuer.keys_url)


@pytest.fixture(scope="module")
def client(start_module_forehearth: StartForehearth, issuer: LoopbackIssuer, config: str) -> ProjectClient:
    server = start_module_forehearth(config, environment=LOOPBACK)
    return ProjectClient(server, issuer.token("maria"), base="/agents")


def test_versions_that_all_workers_write_at_once_are_all_there(client: ProjectClient):
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


def test_what_others_have_is_not_there(client: ProjectClient):
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
    made = ProjectClient(server, issuer.token("maria"), base="/agents").ask("POST", "", body)
    assert made[0] == 200
    assert server.stop() == 0
    again = start_forehearth(config, folder=tmp_path, environment=LOOPBACK)
    assert ProjectClient(again, issuer.token("maria"), base="/agents").ask("GET", "/lasting") == made

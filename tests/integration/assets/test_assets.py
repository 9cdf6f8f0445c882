"""Indexes and datasets on a real server: the same in all workers, kept on the disk, each project's own."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import StartForehearth
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.projects import CONFIG, LOOPBACK, ProjectClient

MERGE_PATCH = "application/merge-patch+json"
BODIES = {
    "indexes": {"type": "AzureSearch", "connectionName": "search", "indexName": "i"},
    "datasets": {"type": "uri_file", "dataUri": "https://example.com/a"},
}


@pytest.fixture(scope="module")
def config(issuer: LoopbackIssuer) -> str:
    return CONFIG.format(url=issuer.url, keys=issuer.keys_url)


@pytest.fixture(scope="module")
def client(start_module_forehearth: StartForehearth, issuer: LoopbackIssuer, config: str) -> ProjectClient:
    server = start_module_forehearth(config, environment=LOOPBACK)
    return ProjectClient(server, issuer.token("maria"), media=MERGE_PATCH)


@pytest.mark.parametrize("family", BODIES)
def test_of_all_who_write_a_version_at_once_one_makes_it_and_no_tag_is_lost(client: ProjectClient, family: str):
    path = f"/{family}/busy/versions/1"

    def write(number: int) -> int:
        return client.ask("PATCH", path, BODIES[family] | {"tags": {str(number): "x"}})[0]

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(write, range(40)))
    assert sorted(statuses) == [200] * 39 + [201]
    assert client.ask("GET", path)[1]["tags"] == dict.fromkeys(map(str, range(40)), "x")
    assert client.ask("DELETE", path) == (204, None)


@pytest.mark.parametrize("family", BODIES)
def test_what_others_have_is_not_there(client: ProjectClient, family: str):
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
    before = ProjectClient(server, issuer.token("maria"), media=MERGE_PATCH)
    made = {
        family: before.ask("PATCH", f"/{family}/lasting/versions/1", body | {"tags": {"a": "b"}})[1]
        for family, body in BODIES.items()
    }
    assert server.stop() == 0
    after = ProjectClient(
        start_forehearth(config, folder=tmp_path, environment=LOOPBACK), issuer.token("maria"), media=MERGE_PATCH
    )
    for family, asset in made.items():
        assert after.ask("GET", f"/{family}/lasting/versions/1") == (200, asset)
        assert after.ask("GET", f"/{family}") == (200, {"value": [asset]})

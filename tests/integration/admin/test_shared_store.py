"""Two servers, as on two machines, on one PostgreSQL database: what is done at one is known at the other."""

import base64
import os
import subprocess
import time

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM, wait_until_ready
from tests.integration.admin.wired import CONFIG, Client
from tests.integration.server.toys import eventually
from tests.postgres_server import PostgresServer

SHARED = f"{CONFIG}\nstore: {{postgres: '${{DATABASE}}', pepper: '${{PEPPER}}', encryption_keys: ['${{SEAL}}']}}\n"
PROMISED = 5.0
"""Seconds until every server knows a new key, and refuses a revoked one."""


@pytest.fixture(scope="module")
def environment(postgres: PostgresServer) -> dict[str, str]:
    return {
        "DATABASE": postgres.create_database("shared_store"),
        "PEPPER": base64.b64encode(b"p" * 32).decode(),
        "SEAL": base64.b64encode(b"s" * 32).decode(),
    }


@pytest.fixture(scope="module")
def servers(start_module_forehearth: StartForehearth, environment) -> tuple[Client, Client]:
    """They start at once, on an empty database."""
    started = [start_module_forehearth(SHARED, environment=environment, wait=False) for _ in range(2)]
    for each in started:
        wait_until_ready(each)
    return Client(started[0]), Client(started[1])


def command(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOREHEARTH_")}
    return subprocess.run(
        [PROGRAM, *arguments], env=kept | environment, capture_output=True, text=True, timeout=60, check=False
    )


def at(client: Client) -> tuple[str, ...]:
    return ("--url", client.server.url, "--key", client.server.key)


def test_a_key_made_at_one_opens_the_other_and_revoked_there_nothing_any_more(servers, environment):
    here, there = servers
    made = command("keys", "create", "shop", *at(here), environment=environment)
    assert made.returncode == 0, made.stderr
    key, began = made.stdout.strip(), time.monotonic()
    eventually(lambda: (there.chat(key), here.chat(key)) == (200, 200))
    assert time.monotonic() - began < PROMISED
    ended = command("keys", "revoke", "shop", *at(there), environment=environment)
    assert ended.returncode == 0, ended.stderr
    began = time.monotonic()
    eventually(lambda: (there.chat(key), here.chat(key)) == (401, 401))
    assert time.monotonic() - began < PROMISED


def test_a_key_made_without_a_server_opens_those_that_run(servers, environment, tmp_path):
    (tmp_path / "forehearth.yaml").write_text(SHARED)
    own = ("--data-dir", str(tmp_path / "data"), "--config", str(tmp_path / "forehearth.yaml"))
    made = command("keys", "create", "apart", *own, environment=environment)
    assert made.returncode == 0, made.stderr
    assert [each.chat(made.stdout.strip()) for each in servers] == [200, 200]
    assert not (tmp_path / "data" / "store.db").exists()
    assert not (tmp_path / "data" / "keys" / "pepper").exists()


def test_the_audit_log_is_one(servers):
    for number, client in enumerate(servers):
        assert client.ask("DELETE", f"/admin/keys/nobody-{number}").status == 404
    logs = [client.ask("GET", "/admin/audit?limit=2").json["value"] for client in servers]
    assert logs[0] == logs[1]
    assert [each["target"] for each in logs[0]] == ["nobody-1", "nobody-0"]


def test_a_connection_is_one_and_its_credential_is_nowhere_to_be_read(servers, postgres):
    here, there = servers
    new = {"name": "search", "type": "ApiKey", "target": "https://x.example.com", "key": "canary-5e1f"}
    assert here.ask("POST", "/admin/connections", new).status == 201
    assert there.ask("GET", "/admin/connections/search").json["credentials"] == "ApiKey"
    done = there.ask("POST", "/admin/connections/reseal").json
    assert done == {"newKey": False, "resealed": 0, "unreadable": 0}
    dump = postgres.sql("shared_store", "SELECT encode(body, 'escape') FROM forehearth.documents")
    assert "https://x.example.com" in dump
    assert "canary-5e1f" not in dump
    assert there.ask("DELETE", "/admin/connections/search").status == 204
    assert here.ask("GET", "/admin/connections/search").status == 404


def test_a_server_with_another_pepper_does_not_start(servers, environment, start_forehearth: StartForehearth):
    other = environment | {"PEPPER": base64.b64encode(b"q" * 32).decode()}
    server = start_forehearth(SHARED, environment=other, wait=False)
    assert server.process.wait(30) == 3
    assert "give every server the same" in server.output
    assert environment["DATABASE"] not in server.output


def test_without_the_driver_no_server_starts_and_one_line_says_what_to_do(environment, start_forehearth, tmp_path):
    (tmp_path / "asyncpg.py").write_text("raise ImportError('not installed')")
    server = start_forehearth(SHARED, environment=environment | {"PYTHONPATH": str(tmp_path)}, wait=False)
    assert server.process.wait(30) == 3
    assert server.output.splitlines()[-1] == (
        "forehearth: store.postgres is set, and asyncpg cannot be loaded (not installed): "
        "pip install 'forehearth[postgres]'"
    )


def test_a_database_that_goes_away_is_told_and_comes_back(servers, environment, postgres):
    """Calls go on with the keys that are known; what changes keys is told to come again."""
    here, there = servers
    key = here.make("steady")["key"]
    postgres.stop()
    try:
        answer = here.ask("POST", "/admin/keys", {"name": "never"})
        assert (answer.status, answer.json["error"]["code"]) == (503, "ServiceUnavailable")
        assert [each.chat(key) for each in servers] == [200, 200]
        offline = command("keys", "list", *at(here), environment=environment)
        assert (offline.returncode, offline.stdout) == (1, "")
    finally:
        postgres.start()
    eventually(lambda: there.ask("POST", "/admin/keys", {"name": "after"}).status == 201)
    assert "never" not in there.names()
    for output in (here.server.output, there.server.output):
        assert not [each for each in ("Traceback", *environment.values()) if each in output]


def test_a_server_that_starts_before_its_database_waits_for_it(postgres, environment, start_forehearth, tmp_path):
    postgres.stop()
    try:
        server = start_forehearth(SHARED, environment=environment, wait=False)
        eventually(lambda: "nothing is served until the store is there" in server.output)
        (tmp_path / "forehearth.yaml").write_text(SHARED)
        own = ("--data-dir", str(tmp_path / "data"), "--config", str(tmp_path / "forehearth.yaml"))
        done = command("keys", "list", *own, environment=environment)
        assert (done.returncode, done.stdout) == (1, "")
        assert "the store does not answer" in done.stderr
        assert "store.postgres names" in done.stderr
    finally:
        postgres.start()
    wait_until_ready(server)
    assert Client(server).chat(server.key) == 200


def test_a_server_that_waits_for_its_database_ends_when_it_is_told(start_forehearth, environment):
    nobody = environment | {"DATABASE": "postgresql://hearth@/forehearth?host=/nonexistent"}
    server = start_forehearth(SHARED, environment=nobody, wait=False)
    eventually(lambda: "nothing is served until the store is there" in server.output)
    assert server.stop(patience=10.0) == 0

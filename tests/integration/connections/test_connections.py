"""Connections on a real server of two workers: made by the command, read by a project's people, and told in the log."""

import os
import subprocess

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.projects import CONFIG, LOOPBACK, ProjectClient

CANARY = "canary-71ab-nobody-shows-this"
MADE = ("create", "search", "--type", "CognitiveSearch", "--target", "https://search.example.com", "--api-key", "-")


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth, issuer: LoopbackIssuer):
    return start_module_forehearth(CONFIG.format(url=issuer.url, keys=issuer.keys_url), environment=LOOPBACK)


def command(server, *arguments: str, stdin: str = "") -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOREHEARTH_")}
    own = {"FOREHEARTH_URL": server.url, "FOREHEARTH_API_KEY": server.key}
    done = subprocess.run(
        [PROGRAM, *arguments], env=kept | own, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    return done.stdout


def test_a_credential_goes_from_the_command_to_whoever_may_see_it_and_nowhere_else(server, issuer: LoopbackIssuer):
    client = ProjectClient(server, issuer.token("maria"))
    command(server, "connections", *MADE, stdin=CANARY)
    path = "/connections/search"
    for _ in range(4):  # whichever worker answers
        assert client.ask("GET", path)[1]["credentials"] == {"type": "ApiKey"}
        status, shown = client.ask("POST", f"{path}/getConnectionWithCredentials")
        assert (status, shown["credentials"]) == (200, {"type": "ApiKey", "key": CANARY})
    for where in ({"host": "contoso.services.ai.azure.com"}, {"project": "sales"}):
        assert client.ask("POST", f"{path}/getConnectionWithCredentials", **where)[0] == 404
    told = command(server, "audit", "--action", "projects.connections_get_with_credentials")
    assert told.count("maria") == told.count("search") == 4
    assert "connections.create" in command(server, "audit")
    command(server, "connections", "rotate-key")
    assert client.ask("POST", f"{path}/getConnectionWithCredentials")[1]["credentials"]["key"] == CANARY
    command(server, "connections", "delete", "search")
    assert client.ask("GET", path)[0] == 404
    files = [each for each in server.data_dir.rglob("*") if each.is_file()]
    assert [each.name for each in files if CANARY.encode() in each.read_bytes()] == []
    assert CANARY not in server.output

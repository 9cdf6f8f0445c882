"""`forehearth runs` as a program beside a server: a run in the background is followed, drawn and listed."""

import json
import os
import subprocess

import pytest

from tests.forehearth_server import PROGRAM
from tests.integration.admin.wired import Client

RESPONSES = "/openai/v1/responses"


@pytest.fixture
def command(client: Client, tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOREHEARTH_")}
    own = {"FOREHEARTH_URL": client.server.url, "FOREHEARTH_API_KEY": client.server.key}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = kept | own | {"XDG_DATA_HOME": str(tmp_path)}
        return subprocess.run(
            [PROGRAM, "runs", *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_a_run_is_followed_to_its_end_then_drawn_and_listed(command, client):
    made = client.ask("POST", RESPONSES, {"model": "chat", "input": "Hello?", "background": True}).json["id"]
    tail = command("tail", made)
    assert tail.returncode == 0, tail.stderr
    lines = tail.stdout.splitlines()
    assert any(line.endswith("response.output_item.added  message") for line in lines)
    assert lines[-2].endswith("response.completed")
    assert lines[-1].endswith("completed")
    show = command("show", made)
    assert (show.returncode, "\x1b" in show.stdout) == (0, False)
    assert all(f"\n{word}" in show.stdout for word in ("attempt 1", "model chat", "  backend script", "message"))
    assert "Hello" not in show.stdout + tail.stdout
    listed = json.loads(command("list", "--json").stdout)
    assert listed[0]["id"] == made
    assert command("show", "resp_none").returncode == 1

"""Responses in the background on a running server whose workers are killed, and on one that is stopped and started."""

import base64
import http.client
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer, wait_until_ready
from tests.integration.assistants.carried import Runs
from tests.integration.responses.tool_host import ToolHost, tool_host
from tests.integration.server.toys import children_of, eventually
from tests.openai_schemas import check, check_event
from tests.postgres_server import PostgresServer
from tests.unit.dialects.responses.chats import folded

SAID = "one two three four five six seven eight nine ten"
CONFIG = """
version: 1
server: {workers: 2}
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: slowly}
        answer: one two three four five six seven eight nine ten
        tokens_per_second: 5
      - when: {contains: for ever}
        answer: and so on
        delay: 3600
deployments:
  m: {backends: [{backend: script}]}
"""
BROKEN = (OSError, http.client.HTTPException)


class Client:
    """Asks a server anew each time, because whoever answered may be dead."""

    def __init__(self, server: ForehearthServer) -> None:
        self.server = server
        self.request_id = ""
        """Of what was asked for first."""

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The JSON of an answer, from whichever worker lives."""
        while True:
            try:
                answer = self._open(method, path, body)
                found: dict[str, Any] = json.loads(answer.read())
            except BROKEN:
                wait_until_ready(self.server)
                continue
            assert answer.status == 200, found
            return found

    def events(self, method: str, path: str, body: Any = None) -> Iterator[dict[str, Any]]:
        """The events of a stream, until it ends or breaks off."""
        try:
            answer = self._open(method, path, body)
            assert answer.status == 200
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))
        except BROKEN:
            return

    def booked(self, request_id: str) -> str:
        """The deployment that the ledger has of a call; it learns of a dead worker's when the next one is there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)

        def found() -> Any:
            connection.request("GET", f"/admin/requests/{request_id}", headers={"api-key": self.server.key})
            answer = connection.getresponse()
            told = json.loads(answer.read())
            return told if answer.status == 200 else None

        deployment: str = eventually(found)["deployment"]
        connection.close()
        return deployment

    def _open(self, method: str, path: str, body: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        raw = None if body is None else json.dumps(body)
        headers = {"api-key": self.server.key, "content-type": "application/json", "connection": "close"}
        connection.request(method, f"/openai/v1/responses{path}", raw, headers)
        answer = connection.getresponse()
        self.request_id = self.request_id or answer.headers["x-request-id"]
        return answer


def kill_all_workers(server: ForehearthServer) -> None:
    """With what no process can catch."""
    workers = children_of(server.pid)
    assert len(workers) >= 2
    for worker in workers:
        os.kill(worker, signal.SIGKILL)


def followed(client: Client, id_: str, seen: list[dict[str, Any]]) -> None:
    """Go on behind what was seen, as often as it takes, until the last event."""
    while seen[-1]["type"] not in ("response.completed", "response.failed"):
        wait_until_ready(client.server)
        after = seen[-1]["sequence_number"]
        seen += client.events("GET", f"/{id_}?stream=true&starting_after={after}")


def require_sound(client: Client, id_: str, seen: list[dict[str, Any]]) -> dict[str, Any]:
    """What was seen in pieces is one unbroken row, and says what the response does."""
    assert [each["sequence_number"] for each in seen] == list(range(len(seen)))
    for each in seen:
        check_event(each)
    response = client.ask("GET", f"/{id_}")
    check("Response", response)
    assert response["status"] == "completed"
    assert folded(seen) == response
    assert list(client.events("GET", f"/{id_}?stream=true")) == seen
    return response


@pytest.fixture
def client(start_forehearth: StartForehearth) -> Client:
    return Client(start_forehearth(CONFIG))


def with_tools(host: ToolHost) -> str:
    """The configuration with a host and a server of tools."""
    config = CONFIG.replace("backends:\n", f"backends:\n{host.config['backend']}", 1)
    return f"{config.rstrip()}\n{host.config['deployment']}{host.config['egress']}"


@pytest.fixture
def host() -> Iterator[ToolHost]:
    with tool_host() as found:
        yield found


def test_it_comes_to_its_end_although_every_worker_is_killed_in_the_midst_of_it(
    start_forehearth: StartForehearth, host: ToolHost
):
    """And so do responses with tools, and a run of a classic agent, which are carried out beside it."""
    client = Client(start_forehearth(with_tools(host)))
    host.pause = 0.4
    working = [client.ask("POST", "", host.asking(f"who{at}", 8))["id"] for at in range(3)]
    client.request_id = ""
    runs = Runs(client.server)
    run = runs.begin()
    seen: list[dict[str, Any]] = []
    for event in client.events("POST", "", {"model": "m", "input": "slowly", "background": True, "stream": True}):
        seen.append(event)
        if len(seen) == 8:
            kill_all_workers(client.server)
    assert len(seen) >= 8
    id_ = seen[0]["response"]["id"]
    followed(client, id_, seen)
    response = require_sound(client, id_, seen)
    cut, whole = response["output"]
    assert (cut["status"], whole["status"]) == ("incomplete", "completed")
    assert SAID.startswith(cut["content"][0]["text"].strip())
    assert whole["content"][0]["text"] == SAID
    assert response["usage"]["output_tokens"] > 0
    assert client.booked(client.request_id) == client.booked(f"{client.request_id}-2") == "m"
    assert runs.finished(run)["status"] == "completed"
    assert runs.cuts(run) == 1
    for at, each in enumerate(working):
        told = list(client.events("GET", f"/{each}?stream=true"))
        made = require_sound(client, each, told)
        host.require_sound(f"who{at}", made, deaths=1)
        assert len([item for item in made["output"] if item["type"] == "mcp_call"]) == 8
    assert sum(host.calls.values()) >= 3
    stored = b"".join(path.read_bytes() for path in client.server.data_dir.rglob("*") if path.is_file())
    assert b"canary-" not in stored + client.server.log.read_bytes()


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_is_stopped_leaves_it_to_the_next_one(
    start_forehearth: StartForehearth, tmp_path: Path, with_signal: signal.Signals
):
    first = start_forehearth(CONFIG, folder=tmp_path)
    made = Client(first).ask("POST", "", {"model": "m", "input": "slowly", "background": True})
    assert (made["status"], made["background"]) == ("queued", True)
    seen = []
    for event in Client(first).events("GET", f"/{made['id']}?stream=true"):
        seen.append(event)
        if len(seen) == 6:
            break
    first.stop(with_signal)
    second = Client(start_forehearth(CONFIG, folder=tmp_path))
    followed(second, made["id"], seen)
    require_sound(second, made["id"], seen)


def test_another_server_on_the_same_database_goes_on_with_it(
    start_forehearth: StartForehearth, postgres: PostgresServer
):
    environment = {"DATABASE": postgres.create_database("background"), "PEPPER": base64.b64encode(b"p" * 32).decode()}
    shared = f"{CONFIG}store: {{postgres: '${{DATABASE}}', pepper: '${{PEPPER}}'}}\n"
    first = start_forehearth(shared, environment=environment)
    seen = []
    asked = {"model": "m", "input": "slowly", "background": True, "stream": True}
    for event in Client(first).events("POST", "", asked):
        seen.append(event)
        if len(seen) == 6:
            break
    first.stop(signal.SIGKILL)
    second = Client(start_forehearth(shared, environment=environment))
    id_ = seen[0]["response"]["id"]
    followed(second, id_, seen)
    require_sound(second, id_, seen)


def test_one_that_takes_for_ever_is_broken_off_and_one_is_removed(client: Client):
    asked = {"model": "m", "input": "for ever", "background": True}
    made, other = client.ask("POST", "", asked), client.ask("POST", "", asked)
    follower = client.events("GET", f"/{made['id']}?stream=true")
    for event in follower:
        if event["type"] == "response.in_progress":
            break
    assert client.ask("GET", f"/{made['id']}")["status"] == "in_progress"
    cancelled = client.ask("POST", f"/{made['id']}/cancel")
    assert cancelled["status"] == "cancelled"
    assert list(follower) == []
    assert client.ask("POST", f"/{made['id']}/cancel") == cancelled
    assert client.ask("DELETE", f"/{other['id']}")["deleted"] is True

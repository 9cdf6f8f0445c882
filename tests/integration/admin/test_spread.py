"""Keys over several workers, over restarts, and on a port of their own."""

import http.client
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM
from tests.integration.admin.wired import CHAT, CONFIG, QUESTION, Client
from tests.integration.server.toys import eventually

WORKERS = 3
PROMISED = 5.0
"""Seconds until every worker refuses a revoked key."""
OVERLAP = 4
LISTEN = "0A"
"""As Linux writes that state."""
ROUNDS = 60
"""Connections that are surely taken by every worker."""


@pytest.fixture(scope="module")
def client(start_module_forehearth: StartForehearth) -> Client:
    return Client(start_module_forehearth(CONFIG, "--workers", str(WORKERS)))


def statuses(client: Client, key: str) -> set[int]:
    return {client.ask("GET", "/openai/v1/models", key=key).status for _ in range(ROUNDS)}


def test_every_worker_knows_a_key_once_it_is_handed_over(client):
    assert statuses(client, client.make("fresh")["key"]) == {200}


def test_every_worker_refuses_a_revoked_key_once_that_is_answered_and_within_five_seconds(client):
    made = client.make("revoked")
    assert statuses(client, made["key"]) == {200}
    began = time.monotonic()
    assert client.ask("DELETE", "/admin/keys/revoked").status == 204
    assert time.monotonic() - began < PROMISED
    assert statuses(client, made["key"]) == {401}


def test_a_connection_that_was_let_in_is_not_let_in_for_ever(client):
    """Heads that come again on a connection are not decided anew, but the key in them is looked at each time."""
    made = client.make("kept")
    connection = http.client.HTTPConnection("127.0.0.1", client.server.port, timeout=10)

    def call() -> int:
        connection.request("POST", CHAT, json.dumps(QUESTION), {"api-key": made["key"]})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert [call() for _ in range(3)] == [200] * 3
    assert client.ask("DELETE", "/admin/keys/kept").status == 204
    assert call() == 401


def test_a_change_of_secrets_has_no_gap(client):
    """One caller goes on with the old one until it has the new one; not one call of it is refused."""
    key = [client.make("turning")["key"]]
    refused: list[int] = []
    over = threading.Event()
    calls = 0

    def call() -> None:
        nonlocal calls
        while not over.is_set():
            status = client.ask("GET", "/openai/v1/models", key=key[0]).status
            calls += 1
            if status != 200:
                refused.append(status)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        turned = client.ask("POST", "/admin/keys/turning/rotate", {"overlapSeconds": OVERLAP})
        assert turned.status == 200
        old, key[0] = key[0], turned.json["key"]
        eventually(lambda: client.chat(old) == 401)
    finally:
        over.set()
        caller.join()
    assert calls > 10
    assert refused == []


def test_two_names_at_the_same_moment_are_one_key(client):
    answers = []

    def make() -> None:
        answers.append(client.ask("POST", "/admin/keys", {"name": "twice"}).status)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == [201] + [409] * 7


def test_every_change_of_every_worker_is_in_the_audit_log(client):
    for number in range(6):
        client.make(f"noted-{number}")
    targets = {each["detail"] for each in client.ask("GET", "/admin/audit?action=keys.create&limit=100").json["value"]}
    assert targets >= {f"noted-{number}" for number in range(6)}


def test_the_audit_log_has_the_id_that_the_answer_had(client):
    answer = client.ask("DELETE", "/admin/keys/nobody")
    (record,) = client.ask("GET", "/admin/audit?limit=1").json["value"]
    assert f"x-request-id: {record['requestId']}\n" in answer.head


def test_keys_and_the_log_outlive_the_server(start_forehearth, tmp_path):
    first = Client(start_forehearth(CONFIG, folder=tmp_path))
    key = first.make("lasting")["key"]
    assert first.server.stop() == 0
    second = Client(start_forehearth(CONFIG, folder=tmp_path))
    assert second.chat(key) == 200
    assert [each["action"] for each in second.ask("GET", "/admin/audit").json["value"]] == ["keys.create"]


def test_a_limit_to_one_deployment_holds_in_a_call(client):
    key = client.make("limited", deployments=["chat"], operations=["chat_completions"])["key"]
    assert client.chat(key) == 200
    other = {"model": "other-chat", "messages": [{"role": "user", "content": "Hello?"}]}
    assert client.ask("POST", "/openai/v1/chat/completions", other, key=key).status in {403, 404}
    embeddings = {"model": "chat", "input": "Hello"}
    assert client.ask("POST", "/openai/v1/embeddings", embeddings, key=key).status == 403


def test_a_limit_to_a_project_leaves_nothing_outside_of_it(client):
    made = client.make("sales-desk", projects=["sales"])
    outside = client.ask("POST", CHAT, QUESTION, key=made["key"])
    assert outside.status == 403
    assert outside.json["error"]["code"] == "PermissionDenied"
    assert f"The principal `{made['id']}` lacks the required data action" in outside.json["error"]["message"]
    inside = client.ask("POST", f"/api/projects/sales{CHAT}", QUESTION, key=made["key"])
    assert inside.status == 401


def test_a_port_of_its_own(start_forehearth):
    server = start_forehearth(CONFIG.replace("version: 1", "version: 1\nserver: {admin_port: 0}"))
    client = Client(server)
    assert client.ask("GET", "/admin/keys").status == 404
    assert client.ask("GET", "/admin/keys", key=None).status in {401, 404}
    assert client.chat(server.key) == 200
    (own,) = listening(server.pid) - {server.port, server.tls_port}
    assert Client(server, own).ask("GET", "/admin/keys").json == {"value": []}
    assert Client(server, own).ask("GET", "/admin/keys", key=None).status == 401
    assert f"Admin  http://127.0.0.1:{own}/admin" in server.output
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "FOREHEARTH_API_KEY": server.key}
    listed = [str(PROGRAM), "keys", "list", "--json", "--data-dir", str(server.data_dir)]
    found = subprocess.run(listed, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    listed += ["--url", server.url]
    elsewhere = subprocess.run(listed, env=environment, capture_output=True, text=True, check=False)
    assert elsewhere.returncode == 1
    assert "With server.admin_port, that port alone has it" in elsewhere.stderr


def listening(process: int) -> set[int]:
    """The TCP ports that a process listens on."""
    files = Path(f"/proc/{process}/fd").iterdir()
    sockets = {str(each.readlink()).removeprefix("socket:[").removesuffix("]") for each in files}
    rows = [line.split() for line in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == LISTEN and row[9] in sockets}

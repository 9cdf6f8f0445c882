"""Roles over several workers: given, counted everywhere, and taken again; and what is told of those who are refused."""

import json
import os
import subprocess
import time

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM
from tests.integration.admin.wired import Client
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.server.toys import eventually

CONFIG = """
version: 1
backends: {{script: {{provider: scripted, rules: [{{answer: "Hello."}}]}}}}
deployments:
  chat: {{backends: [{{backend: script}}]}}
projects: {{sales: {{}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Owner, user: root}}
    - {{role: Foundry Account Owner, user: manager}}
"""
WORKERS = 3
PROMISED = 5.0
"""Seconds until a change counts in every worker."""
ROUNDS = 40
"""Connections that are surely taken by every worker."""
V1, FOUNDRY = "/openai/v1/models", "/models/info"
PATH = "/admin/role-assignments"
PROJECT = "/api/projects/sales/openai/v1/models"


@pytest.fixture(scope="module")
def client(issuer: LoopbackIssuer, start_module_forehearth: StartForehearth) -> Client:
    config = CONFIG.format(issuer=issuer.url, keys=issuer.keys_url)
    quiet = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return Client(start_module_forehearth(config, "--workers", str(WORKERS), environment=quiet))


@pytest.fixture
def command(client, tmp_path):
    def run(*arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        return subprocess.run(
            [PROGRAM, *arguments, "--url", client.server.url, "--key", client.server.key],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def bearer(issuer, who):
    return {"authorization": f"Bearer {issuer.token(who)}"}


def statuses(client, target, *, key=None, headers=None):
    return {client.ask("GET", target, key=key, headers=headers).status for _ in range(ROUNDS)}


def test_a_role_of_a_person_counts_in_every_worker_and_is_gone_from_every_worker(client, issuer, command):
    maria = bearer(issuer, "maria")
    assert statuses(client, PROJECT, headers=maria) == {403}
    began = time.monotonic()
    given = command("roles", "assign", "azure ai user", "--user", "maria", "--project", "sales")
    assert time.monotonic() - began < PROMISED
    assert (given.returncode, given.stderr) == (0, "Foundry User is given to user maria of test, at project sales.\n")
    assert statuses(client, PROJECT, headers=maria) == {200}
    assert {client.ask("GET", each, key=None, headers=maria).status for each in (V1, "/admin/keys")} == {403}
    assert client.ask("GET", PROJECT.replace("sales", "default"), key=None, headers=maria).status == 403
    rows = [row.split() for row in command("roles", "list").stdout.splitlines()]
    assert rows[0] == ["ID", "ROLE", "TO", "AT", "SOURCE"]
    assert [given.stdout.strip(), "Foundry", "User"] == rows[1][:3]
    assert [row[0] for row in rows[2:]] == ["configured-0", "configured-1"]
    began = time.monotonic()
    assert command("roles", "remove", given.stdout.strip()).returncode == 0
    assert time.monotonic() - began < PROMISED
    assert statuses(client, PROJECT, headers=maria) == {403}
    refused = command("roles", "remove", "configured-0")
    assert (refused.returncode, "identity.assignments[0]" in refused.stderr) == (1, True)


def test_a_key_is_narrowed_in_every_worker_and_no_removal_opens_it_again(client):
    key = client.make("shop")["key"]
    assert statuses(client, V1, key=key) == statuses(client, FOUNDRY, key=key) == {200}
    body = {"role": "Cognitive Services OpenAI User", "principalType": "key", "principalId": "shop"}
    given = client.ask("POST", PATH, body)
    assert given.status == 201
    assert statuses(client, V1, key=key) == {200}
    assert statuses(client, FOUNDRY, key=key) == {403}
    assert statuses(client, PROJECT, key=key) == {401}
    assert client.ask("DELETE", f"{PATH}/{given.json['id']}").status == 204
    assert statuses(client, V1, key=key) == {403}


def test_who_may_assign_what_over_a_whole_server(client, issuer):
    body = {"role": "Owner", "principalType": "user", "principalId": "manager"}
    manager, root = bearer(issuer, "manager"), bearer(issuer, "root")
    answer = client.ask("POST", PATH, body, key=None, headers=manager)
    assert (answer.status, answer.json["error"]["code"]) == (403, "PermissionDenied")
    answer = client.ask("POST", PATH, body | {"principalId": "eve"}, key=None, headers=root)
    assert answer.status == 201
    assert statuses(client, PATH, headers=bearer(issuer, "eve")) == {200}
    assert client.ask("DELETE", f"{PATH}/{answer.json['id']}", key=None, headers=manager).status == 403


def refusals(client, action):
    """What the audit log has of an endpoint's refusals; it is written a moment after they are answered."""
    return eventually(lambda: recorded(client, action))


def recorded(client, action):
    records = client.ask("GET", f"/admin/audit?action={action}&limit=100").json["value"]
    return [each for each in records if not each["allowed"]]


def test_refused_calls_are_in_the_audit_log_with_the_id_that_the_answer_had(client, issuer):
    wrong = client.ask("POST", "/openai/v1/embeddings", {}, key="fh-wrong-0123456789")
    may_not = client.ask("POST", "/openai/v1/completions", {}, key=None, headers=bearer(issuer, "nobody"))
    elsewhere = client.ask("GET", "/api/projects/sales/deployments?api-version=v1", key=client.server.key)
    assert (wrong.status, may_not.status, elsewhere.status) == (401, 403, 401)
    (record,) = refusals(client, "openai_v1.embeddings")
    assert f"x-request-id: {record['requestId']}\n" in wrong.head
    assert (record["actor"], record["actorKind"], record["status"]) == ("127.0.0.1", "address", 401)
    (record,) = refusals(client, "openai_v1.completions")
    assert f"x-request-id: {record['requestId']}\n" in may_not.head
    assert (record["actor"], record["actorKind"], record["status"]) == ("nobody", "user", 403)
    assert "OpenAI/deployments/completions/action" in record["detail"]
    (record,) = refusals(client, "projects.project_deployments_list")
    assert (record["project"], record["actorKind"]) == ("sales", "address")
    assert "0123456789" not in json.dumps(client.ask("GET", "/admin/audit?limit=100").json)


def test_a_storm_of_refusals_is_a_few_records(client):
    answers = [client.ask("GET", "/openai/v1/models/storm", key="fh-wrong").status for _ in range(200)]
    assert set(answers) == {401}
    assert 1 <= len(refusals(client, "openai_v1.models_get")) <= WORKERS
    assert client.chat(client.server.key) == 200
    assert recorded(client, "openai_v1.chat_completions") == []

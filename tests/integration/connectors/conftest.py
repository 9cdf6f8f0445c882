"""One server for the commands of developers: with tokens, https, a limit that is used up, and hosts that break."""

from collections.abc import Iterator

import pytest

from forehearth.cli.main import run
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.projects import LOOPBACK
from tests.media_host import MediaHost, media_host

CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - when: {{contains: break off}}
        answer: One two three four five.
        fault: reset_mid_stream
  broken:
    provider: scripted
    rules: [{{answer: One two three four five., fault: reset_mid_stream}}]
  ill:
    provider: scripted
    rules: [{{status: 500}}]
  media: {{provider: openai_compatible, base_url: "{media}/v1"}}
deployments:
  vectors: {{model: {{type: embeddings}}, backends: [{{backend: script}}]}}
  chat: {{model: {{name: gpt-x}}, backends: [{{backend: script}}]}}
  limited:
    backends: [{{backend: script}}]
    limits: [{{requests_per_minute: 1}}]
  breaking: {{backends: [{{backend: broken}}]}}
  ill: {{backends: [{{backend: ill}}]}}
  pictures: {{model: {{type: image_generation}}, backends: [{{backend: media}}]}}
  heard: {{model: {{type: audio_transcription}}, backends: [{{backend: media}}]}}
projects: {{sales: {{}}}}
identity:
  oidc:
    test: {{issuer: "{url}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: maria}}
    - {{role: Reader, user: reader}}
"""


@pytest.fixture(scope="module")
def media() -> Iterator[MediaHost]:
    with media_host() as host:
        yield host


@pytest.fixture(scope="module")
def server(start_module_forehearth, issuer: LoopbackIssuer, media: MediaHost) -> ForehearthServer:
    config = CONFIG.format(url=issuer.url, keys=issuer.keys_url, media=media.url)
    return start_module_forehearth(config, "--dev-issuer", environment=LOOPBACK)


@pytest.fixture
def command(server, monkeypatch, capsys):
    """Runs a command that finds the server by its data directory; its status, what it printed, and its errors."""
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY", "FOREHEARTH_TOKEN", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments, data_dir=server.data_dir):
        status = run([*arguments, "--data-dir", str(data_dir)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call

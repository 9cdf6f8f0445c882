"""Models that hear and speak behind the real server: not waited for, missed, killed, left by their callers."""

import http.client
import io
import json
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer, status
from tests.integration.server.test_models import busy, hosts
from tests.integration.server.toys import eventually
from tests.unit.embedded.fake_voices import form_body

CONFIG = """
version: 1
backends: {here: {provider: embedded}}
deployments:
  whisper-tiny-en: {model: {type: audio_transcription}, backends: [{backend: here}]}
  hibari-tts: {model: {type: audio_generation}, backends: [{backend: here}]}
"""


def noise(seconds: int) -> bytes:
    """A recording of which the model makes what it can, window after window."""
    file = io.BytesIO()
    sound = np.random.default_rng(0).normal(0, 0.1, seconds * 16_000).astype(np.float32)
    soundfile.write(file, sound, 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def asked(server: ForehearthServer, file: bytes) -> http.client.HTTPConnection:
    headers = {"api-key": server.key, "content-type": "multipart/form-data; boundary=b"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=100)
    body = form_body({"model": "whisper-tiny-en"}, file)
    connection.request("POST", "/openai/v1/audio/transcriptions", body, headers)
    return connection


def hear(server: ForehearthServer, file: bytes) -> tuple[int, Mapping[str, str], dict[str, Any]]:
    with closing(asked(server, file)) as connection:
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, json.load(answer)


def test_without_weights_and_network_it_is_ready_and_says_what_to_run(
    tmp_path: Path, start_forehearth: StartForehearth
) -> None:
    offline = {
        "FOREHEARTH_MODELS": str(tmp_path / "models"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "UV_HTTP_RETRIES": "0",
    }
    server = start_forehearth(CONFIG, environment=offline)
    assert status(f"{server.url}/health/ready") == 200
    code, _, body = hear(server, noise(1))
    assert code == 503, body
    assert status(f"{server.url}/health/ready") == 200


@pytest.mark.models
def test_who_leaves_frees_the_place_and_a_killed_host_is_followed_by_another(start_forehearth: StartForehearth) -> None:
    server = start_forehearth(CONFIG)
    assert hear(server, noise(1))[0] == 200
    [first] = hosts(server)
    long = noise(300)
    with closing(asked(server, long)):
        assert eventually(lambda: busy(server))
    assert eventually(lambda: not busy(server))

    outcomes: list[tuple[int, Mapping[str, str], dict[str, Any]]] = []
    asking = threading.Thread(target=lambda: outcomes.append(hear(server, long)))
    asking.start()
    eventually(lambda: busy(server))
    os.kill(first, signal.SIGKILL)
    asking.join()
    [(code, headers, body)] = outcomes
    assert code == 503, body
    assert int(headers["retry-after"]) >= 1
    assert eventually(lambda: hear(server, noise(1))[0] == 200)
    assert hosts(server) != [first]

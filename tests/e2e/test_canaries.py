"""Secrets with a mark in them, put everywhere that secrets are: none of them may come out anywhere else."""

import base64
import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM, ForehearthServer

CANARIES = {
    "development key": "canary-Dev3lopmentKeyOfTheTests-Qx81",
    "backend key": "canary-B4ckendKeyOfTheTests-Zk27vv",
    "client secret": "canary-Cl1entSecretOfTheTests-Wm55",
    "prompt": "canary Pr0mptThatNobodyLogs Hd93tt",
    "pepper": "Y2FuYXJ5LVBlcHBlck9mVGhlVGVzdHMtUXg4MUtsNzI=",
    "wrong key": "canary-Wr0ngKeyOfTheTests-Pb64mm",
    "wrong token": "eyJjYW5hcnkiOiJXcjBuZ1Rva2VuIn0.eyJjYW5hcnkiOiJZajM4In0.Y2FuYXJ5V3IwbmdTaWc",
}
ISSUER = "keys/issuer"
"""Where the development issuer keeps its secret, in the data directory, and nowhere else."""
SHOWN = 12
"""So many characters in a row of a secret are already too many."""
CONFIG = """
version: 1
backends:
  away:
    provider: openai_compatible
    base_url: http://127.0.0.1:1/v1
    api_key: ${BACKEND_KEY}
  script: {provider: scripted, rules: [{answer: hello}]}
deployments:
  away: {backends: [{backend: away}]}
  chat: {backends: [{backend: script}]}
store: {pepper: "${PEPPER}"}
identity:
  development:
    applications:
      robot: {secret: "${CLIENT_SECRET}"}
"""
PATHS = (
    "/openai/v1/chat/completions",
    "/models/chat/completions",
    "/openai/deployments/chat/chat/completions?api-version=2024-10-21",
    "/api/projects/default/openai/v1/chat/completions",
    "/admin/keys",
    "/nowhere",
)


@pytest.fixture
def server(start_forehearth: StartForehearth) -> ForehearthServer:
    return start_forehearth(
        CONFIG,
        "--dev-issuer",
        "--log-level",
        "debug",
        environment={
            "FOREHEARTH_API_KEY": CANARIES["development key"],
            "BACKEND_KEY": CANARIES["backend key"],
            "CLIENT_SECRET": CANARIES["client secret"],
            "PEPPER": CANARIES["pepper"],
            "NO_PROXY": "127.0.0.1",
        },
    )


def forms(secret: str) -> Iterator[bytes]:
    """A secret in parts, and as others write it."""
    for start in range(0, len(secret) - SHOWN + 1, 3):
        yield secret[start : start + SHOWN].encode()
    for shift in range(3):
        yield base64.b64encode(secret.encode()[shift:])[:16]
    yield quote(secret, safe="").encode()[:24]
    yield secret[::-1].encode()[:SHOWN]


def ask(server: ForehearthServer, method: str, path: str, body: object = None, **headers: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()} | {"content-type": "application/json"}
    connection.request(method, path, raw, given)
    answer = connection.getresponse()
    seen = repr(answer.getheaders()).encode() + answer.read()
    connection.close()
    return seen


def everything_asked(server: ForehearthServer) -> bytes:
    """What comes back to callers good and bad, and to commands."""
    key, prompt = CANARIES["development key"], CANARIES["prompt"]
    chat = {"model": "chat", "messages": [{"role": "user", "content": prompt}]}
    bodies = (chat, chat | {"model": "away"}, chat | {"stream": True}, {"model": prompt}, prompt.encode())
    seen = [ask(server, "POST", path, body, api_key=key) for path in PATHS for body in bodies]
    for path in PATHS:
        seen.append(ask(server, "POST", path, chat, api_key=CANARIES["wrong key"]))
        seen.append(ask(server, "POST", path, chat, authorization=f"Bearer {CANARIES['wrong token']}"))
        seen.append(ask(server, "POST", f"{path}?key={quote(CANARIES['wrong key'])}", chat))
    pages = ("/health/live", "/health/ready", "/metrics", "/openai/v1/models", "/admin/keys", "/admin/audit")
    seen.extend(ask(server, "GET", path, api_key=key) for path in pages)
    for words in (["keys", "create", "canary-holder"], ["keys", "list", "--json"], ["audit", "--json"]):
        run = subprocess.run(
            [str(PROGRAM), *words],
            env={"FOREHEARTH_URL": server.url, "FOREHEARTH_API_KEY": key, "HOME": "/nonexistent"},
            capture_output=True,
            check=False,
        )
        seen.append(run.stdout + run.stderr)
    return b"\n".join(seen)


def files(server: ForehearthServer) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()}


def test_no_secret_comes_out_anywhere(server: ForehearthServer, record_property):
    seen = everything_asked(server)
    assert b"canary-holder" in seen, "what is looked through has to be there"
    made = next(line for line in seen.split(b"\n") if line.startswith(b"fh-")).decode()
    kept = files(server)
    server.stop()
    places = {"answers": seen.replace(made.encode(), b""), "log": server.log.read_bytes()}
    places |= {str(path.relative_to(server.data_dir)): content for path, content in (kept | files(server)).items()}
    issuer = msgspec.json.decode(kept[server.data_dir / ISSUER])["secret"]
    found = [
        f"{name} in {place}"
        for name, secret in {**CANARIES, "a key that was made": made, ISSUER: issuer}.items()
        for place, content in places.items()
        if place != name and any(form in content for form in forms(secret))
    ]
    record_property("places searched", len(places))
    record_property("found", len(found))
    assert len(places) > 8
    assert found == []

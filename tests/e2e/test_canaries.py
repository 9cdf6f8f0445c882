"""Secrets with a mark in them, put everywhere that secrets are: none of them may come out anywhere else."""

import base64
import http.client
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM, ForehearthServer
from tests.media_host import MediaHost, media_host

CANARIES = {
    "development key": "canary-Dev3lopmentKeyOfTheTests-Qx81",
    "backend key": "canary-B4ckendKeyOfTheTests-Zk27vv",
    "client secret": "canary-Cl1entSecretOfTheTests-Wm55",
    "prompt": "canary Pr0mptThatNobodyLogs Hd93tt",
    "pepper": "Y2FuYXJ5LVBlcHBlck9mVGhlVGVzdHMtUXg4MUtsNzI=",
    "connection's key": "canary-C0nnectionKeyOfTheTests-Vn93",
    "file name": "canary-F1leNameOfTheTests-Rs46kk.wav",
    "spoken prompt": "canary Sp0kenPromptOfTheTests Lq20",
    "drawn prompt": "canary Dr4wnPromptOfTheTests Bg75",
    "private column": "canary R0wOfTheTests Jm68dd",
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
  script: {provider: scripted, rules: [{json: {word: hi}}]}
  studio: {provider: openai_compatible, base_url: "STUDIO/v1", api_key: "${BACKEND_KEY}"}
deployments:
  transcribe: {model: {type: audio_transcription}, backends: [{backend: studio}]}
  speak: {model: {type: audio_generation}, backends: [{backend: studio}]}
  draw: {model: {type: image_generation}, backends: [{backend: studio}]}
  mute: {model: {type: audio_transcription}, backends: [{backend: away}]}
  away: {backends: [{backend: away}]}
  chat: {backends: [{backend: script}]}
store: {pepper: "${PEPPER}"}
enrichment: {directories: [TABLES]}
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
def studio() -> Iterator[MediaHost]:
    with media_host() as host:
        yield host


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Where jobs read and write: what lands there is theirs."""
    (tmp_path / "in.jsonl").write_text(
        json.dumps({"id": 1, "text": "hello", "owner": CANARIES["private column"]}) + "\n"
    )
    return tmp_path


@pytest.fixture
def server(start_forehearth: StartForehearth, studio: MediaHost, tables: Path) -> ForehearthServer:
    return start_forehearth(
        CONFIG.replace("STUDIO", studio.url).replace("TABLES", str(tables)),
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
    given = {"content-type": "application/json"} | {name.replace("_", "-"): each for name, each in headers.items()}
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


def media_asked(server: ForehearthServer) -> bytes:
    """Forms and texts of media, to hosts that are there and away, with a key and without."""
    spoken, drawn = CANARIES["spoken prompt"], CANARIES["drawn prompt"]
    texts = {
        "audio/speech": {"model": "speak", "input": spoken, "voice": "alloy"},
        "images/generations": {"model": "draw", "prompt": drawn},
    }
    forms = (
        ("audio/transcriptions", "file", {"model": "transcribe", "prompt": spoken}),
        ("audio/transcriptions", "file", {"model": "mute", "prompt": spoken}),
        ("audio/transcriptions", "file", {"model": spoken}),
        ("images/edits", "image", {"model": "draw", "prompt": drawn}),
    )
    kind = "multipart/form-data; boundary=edge"
    seen = []
    for key in (CANARIES["development key"], CANARIES["wrong key"]):
        for path, text in texts.items():
            seen.append(ask(server, "POST", f"/openai/v1/{path}", text, api_key=key))
        for path, name, fields in forms:
            body = form(name, fields)
            seen.append(ask(server, "POST", f"/openai/v1/{path}", body, api_key=key, content_type=kind))
            cut = body[: len(body) // 2]
            seen.append(ask(server, "POST", f"/openai/v1/{path}", cut, api_key=key, content_type=kind))
    return b"\n".join(seen)


def form(name: str, fields: dict[str, str]) -> bytes:
    """A form whose file has a secret as its name."""
    parts = [f'content-disposition: form-data; name="{each}"\r\n\r\n{text}' for each, text in fields.items()]
    parts.append(
        f'content-disposition: form-data; name="{name}"; filename="{CANARIES["file name"]}"\r\n'
        "content-type: audio/wav\r\n\r\nRIFF"
    )
    return "".join(f"--edge\r\n{part}\r\n" for part in [*parts, "--edge--"]).encode().replace(b"--edge\r\n--", b"--")


def job_asked(server: ForehearthServer) -> bytes:
    """A job of enrichment, until it is over, and what is told of it."""
    key = CANARIES["development key"]
    job = {
        "version": 1,
        "name": "canary-job",
        "source": {"format": "jsonl", "path": "in.jsonl"},
        "prompt": "{text}",
        "private": ["owner"],
        "schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
        "deployment": {"name": "chat"},
        "sink": {"format": "delta", "path": "out"},
    }
    seen = [ask(server, "POST", "/admin/enrichments", job, api_key=key)]
    found = re.search(rb'"id":"([^"]+)"', seen[0])
    assert found is not None, seen
    one, deadline = f"/admin/enrichments/{found[1].decode()}", time.monotonic() + 60
    while b'"status":"Succeeded"' not in seen[-1]:
        assert time.monotonic() < deadline, seen[-1]
        time.sleep(0.1)
        seen.append(ask(server, "GET", one, api_key=key))
    return b"\n".join(
        [*seen, *(ask(server, "GET", f"{one}/report{each}", api_key=key) for each in ("", "?format=html"))]
    )


def project_asked(server: ForehearthServer) -> tuple[bytes, str]:
    """What a token opens in a project, and the token; a connection's key is shown to its holder, and left out here."""
    key, secret = CANARIES["development key"], CANARIES["connection's key"]
    made = {"name": "search", "type": "CognitiveSearch", "target": "https://search.invalid", "key": secret}
    seen = [ask(server, "POST", "/admin/connections?project=default", made, api_key=key)]
    token = (
        subprocess.run(
            [str(PROGRAM), "token", "--data-dir", str(server.data_dir)],
            env={"HOME": "/nonexistent"},
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    base = "/api/projects/default"
    agent = {"name": "greeter", "definition": {"kind": "prompt", "model": "chat"}}
    for method, path, body in (
        ("GET", "/connections", None),
        ("GET", "/connections/search", None),
        ("GET", "/deployments", None),
        ("POST", "/agents", agent),
        ("DELETE", "/agents/greeter", None),
    ):
        seen.append(ask(server, method, f"{base}{path}?api-version=v1", body, authorization=f"Bearer {token}"))
    shown = f"{base}/connections/search/getConnectionWithCredentials?api-version=v1"
    assert secret.encode() in ask(server, "POST", shown, {}, authorization=f"Bearer {token}")
    seen += [
        ask(server, "GET", f"/admin/{each}", api_key=key) for each in ("connections", "connections/search", "audit")
    ]
    return b"\n".join(seen), token.rpartition(".")[2]


def explained(server: ForehearthServer, seen: bytes) -> bytes:
    """What operators are told of each call that reached a deployment, whether or not it answered."""
    reached = [each for each in seen.split(b"\n") if b"x-ms-deployment-name" in each or b"ServiceUnavailable" in each]
    ids = [found[1] for each in reached if (found := re.search(rb"'x-request-id', '([^']+)'", each))]
    assert len(ids) > 10
    key = CANARIES["development key"]
    return b"\n".join(ask(server, "GET", f"/admin/requests/{each.decode()}", api_key=key) for each in ids)


def files(server: ForehearthServer) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()}


def test_no_secret_comes_out_anywhere(server: ForehearthServer, studio: MediaHost, record_property):
    project, signature = project_asked(server)
    seen = b"\n".join((project, everything_asked(server), media_asked(server), job_asked(server)))
    seen += explained(server, seen)
    for word in (b"canary-holder", b"canary-job", b"projects.agents_delete", b'"requestId"'):
        assert word in seen, "what is looked through has to be there"
    reached = b"".join(each.body for each in studio.seen)
    for name in ("file name", "spoken prompt", "drawn prompt"):
        assert CANARIES[name].encode() in reached, name
    made = next(line for line in seen.split(b"\n") if line.startswith(b"fh-")).decode()
    kept = files(server)
    server.stop()
    places = {"answers": seen.replace(made.encode(), b""), "log": server.log.read_bytes()}
    places |= {str(path.relative_to(server.data_dir)): content for path, content in (kept | files(server)).items()}
    issuer = msgspec.json.decode(kept[server.data_dir / ISSUER])["secret"]
    found = [
        f"{name} in {place}"
        for name, secret in {**CANARIES, "token": signature, "a key that was made": made, ISSUER: issuer}.items()
        for place, content in places.items()
        if place != name and any(form in content for form in forms(secret))
    ]
    record_property("places searched", len(places))
    record_property("found", len(found))
    assert len(places) > 8
    assert found == []

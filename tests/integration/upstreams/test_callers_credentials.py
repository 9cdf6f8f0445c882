"""What a caller shows us stays here on every way to a host: responses, passed on or made here, runs, media."""

import json
import time

import httpx
import pytest

from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.upstreams.calls import configuration

KEY = "a-key-of-the-backend-0123456789"
COOKIES = {
    "cookie": "session=a-cookie-of-the-caller",
    "proxy-authorization": "Basic a-proxy-password",
    "x-functions-key": "a-functions-key",
    "x-api-key": "a-key-of-another-service",
    "openai-organization": "an-organization",
}
SHOWN = ("a-cookie", "a-proxy-password", "a-functions-key", "a-key-of-another-service")
MESSAGE = {"role": "assistant", "content": "hi"}
CHAT = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
}
CHUNK = CHAT | {
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": MESSAGE, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
EVENTS = ((b"content-type", b"text/event-stream"),)
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": []}
KINDS = {"talk": {}, "pass": {}, "speak": {"type": "audio_generation"}, "hear": {"type": "audio_transcription"}}


def answered(seen: Seen) -> Answer:
    if seen.target.endswith(b"/responses"):
        return Answer(body=json.dumps(RESPONSE).encode())
    if seen.target.endswith(b"/speech"):
        return Answer(body=b"RIFF", headers=((b"content-type", b"audio/mpeg"),))
    if seen.target.endswith(b"/transcriptions"):
        return Answer(body=b'{"text": "hi"}')
    if json.loads(seen.body).get("stream"):
        return Answer(pieces=(b"data: " + json.dumps(CHUNK).encode() + b"\n\n", b"data: [DONE]\n\n"), headers=EVENTS)
    return Answer(body=json.dumps(CHAT).encode())


@pytest.fixture
async def host():
    async with Upstream(respond=answered) as host:
        yield host


@pytest.fixture
async def server(start_forehearth: StartForehearth, host: Upstream) -> ForehearthServer:
    there = {"provider": "openai_compatible", "base_url": f"{host.url}/v1", "api_key": "${BACKEND_KEY}"}
    backends = {name: there | ({"responses": True} if name == "pass" else {}) for name in KINDS}
    deployments = {
        name: {"backends": [{"backend": name}]} | ({"model": kind} if kind else {}) for name, kind in KINDS.items()
    }
    config = configuration(backends, deployments=deployments)
    return start_forehearth(config, environment={"BACKEND_KEY": KEY, "NO_PROXY": "127.0.0.1"})


async def test_nothing_of_a_callers_credentials_leaves_by_any_way(server: ForehearthServer, host: Upstream):
    headers = COOKIES | {"api-key": server.key}
    async with httpx.AsyncClient(base_url=f"{server.url}/openai/v1", headers=headers, timeout=30) as client:

        async def post(path: str, **sent: object) -> dict[str, object]:
            reply = await client.post(path, **sent)
            assert reply.status_code == 200, (path, reply.text)
            return reply.json() if reply.headers["content-type"].startswith("application/json") else {}

        await post("/responses", json={"model": "talk", "input": "hi"})
        await post("/responses", json={"model": "pass", "input": "hi"})
        await post("/audio/speech", json={"model": "speak", "input": "hi", "voice": "alloy"})
        await post("/audio/transcriptions", data={"model": "hear"}, files={"file": ("a.wav", b"RIFF")})
        assistant = await post("/assistants", json={"model": "talk"})
        turn = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "hi"}]}}
        run = await post("/threads/runs", json=turn)
        deadline = time.monotonic() + 30
        while run["status"] != "completed":
            assert run["status"] in {"queued", "in_progress"}, (run["status"], run["last_error"])
            assert time.monotonic() < deadline, run
            run = (await client.get(f"/threads/{run['thread_id']}/runs/{run['id']}")).json()
    paths = sorted(each.target.decode().removeprefix("/v1/") for each in host.requests)
    assert paths == ["audio/speech", "audio/transcriptions", "chat/completions", "chat/completions", "responses"]
    for seen in host.requests:
        wire = repr((seen.target, seen.headers, seen.body))
        assert not [each for each in (server.key, *SHOWN) if each in wire], seen.target
        assert seen.header(b"authorization") == f"Bearer {KEY}".encode()

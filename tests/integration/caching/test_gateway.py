"""Caches of the running server, in front of a host that counts what reaches it."""

import http.client
import json
import struct
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import openai
import pytest

from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.admin.wired import Client
from tests.integration.server.toys import eventually
from tests.soak.background import in_a_thread

CHAT = "/openai/v1/chat/completions"
PIECES = [f"piece {number} of the answer; " for number in range(5)]
WORKERS, PROMISED = 2, 5.0


def meant(text: str) -> list[float]:
    """A vector by the rarer words of a text: what asks the same lies together."""
    vector = [0.0] * 16
    for word in {each.strip("?.,").lower() for each in text.split()} - {"how", "do", "can", "i", "my", "to"}:
        at, sign = struct.unpack("<BB", blake2b(word.encode(), digest_size=2).digest())
        vector[at % 16] += 1.0 if sign % 2 else -1.0
    return vector


class Host:
    """A model host. Each answer is another one; a stream has five pieces, cut where a reader would not."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.embedded = 0

    def respond(self, seen: Seen) -> Answer | None:
        body = json.loads(seen.body)
        if seen.target.endswith(b"/embeddings"):
            self.embedded += 1
            vectors = [{"index": 0, "object": "embedding", "embedding": meant(body["input"][0])}]
            return Answer(body=json.dumps({"object": "list", "data": vectors, "model": "m"}).encode())
        self.asked[body["messages"][-1]["content"]] += 1
        number = self.asked.total()
        head = {"id": f"chatcmpl-{number}", "created": 1, "model": "m"}
        text = f"Answer {number}."
        if not body.get("stream"):
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            return Answer(body=json.dumps(head | {"object": "chat.completion", "choices": [choice]}).encode())
        deltas: list[tuple[Any, Any]] = [({"role": "assistant", "content": text}, None)]
        deltas += [({"content": each}, None) for each in PIECES] + [({}, "stop")]
        events = [
            head | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": f}]}
            for d, f in deltas
        ]
        sent = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events) + b"data: [DONE]\n\n"
        return Answer(pieces=tuple(sent[at : at + 100] for at in range(0, len(sent), 100)))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    host = Host()
    with in_a_thread(Upstream(respond=host.respond)) as upstream:
        host.url = upstream.url
        yield host


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth, host: Host) -> ForehearthServer:
    """Two tenants, each with a deployment whose cache is whole, one whose embedder is away, and one without a cache."""

    def cached(embeddings: str) -> dict[str, Any]:
        semantic = {"mode": "on", "embeddings": embeddings, "embedding_seconds": 10}
        return {"backends": [{"backend": "host"}], "cache": {"exact": {}, "semantic": semantic}}

    deployments = {
        "chat": cached("vectors"),
        "lame": cached("no-vectors"),
        "plain": {"backends": [{"backend": "host"}]},
        "off": {
            "backends": [{"backend": "host"}],
            "cache": {"semantic": {"mode": "off", "embeddings": "vectors"}},
        },
        "vectors": {"backends": [{"backend": "host"}], "model": {"type": "embeddings"}},
        "no-vectors": {"backends": [{"backend": "away"}], "model": {"type": "embeddings"}},
    }
    addresses = {"host": f"{host.url}/v1", "away": "http://127.0.0.1:9/v1"}
    backends = {name: {"provider": "openai_compatible", "base_url": url} for name, url in addresses.items()}
    config = {"version": 1, "backends": backends, "deployments": deployments}
    return start_module_forehearth(json.dumps(config | {"resources": {"contoso": {"deployments": deployments}}}))


def ask(server: ForehearthServer, text: str, *, key: str = "", path: str = CHAT, **more: Any) -> tuple[str, str]:
    """What the header says, and the answer's text or whole stream."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        body = {"model": "chat", "messages": [{"role": "user", "content": text}]} | more
        headers = {"content-type": "application/json", "api-key": key or server.key, **body.pop("headers", {})}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        assert answer.status == 200, content
        said = answer.headers.get("x-forehearth-cache", "")
        assert (answer.headers.get("age") is not None) == (said == "hit")
        return said, content if body.get("stream") else json.loads(content)["choices"][0]["message"]["content"]
    finally:
        connection.close()


def test_the_host_is_asked_once(server, host):
    said, text = ask(server, "Hello?")
    assert said == "miss"
    assert ask(server, "Hello?") == ("hit", text)
    classic = "/openai/deployments/chat/chat/completions?api-version=2024-10-21"
    assert ask(server, "Hello?", path=classic) == ("hit", text)
    assert ask(server, "Hello?", path="/models/chat/completions") == ("hit", text)
    assert host.asked["Hello?"] == 1
    key = Client(server).make("once")["key"]
    others = {"temperature": 0.5}, {"model": "plain"}, {"headers": {"cache-control": "no-cache"}}, {"key": key}
    assert [ask(server, "Hello?", **each)[0] for each in others] == ["miss", "", "miss", "miss"]
    assert host.asked["Hello?"] == 5


def test_a_cache_that_is_off_is_none(server, host):
    assert [ask(server, "Is it off?", model="off")[0] for _ in range(2)] == ["", ""]
    shown = Client(server).ask("GET", "/admin/cache").json["value"]
    assert "off" not in [each["deployment"] for each in shown]


def test_a_question_that_asks_the_same_is_answered_to_its_own_tenant_alone(server, host):
    contoso = {"host": "contoso.services.ai.azure.com"}
    said, text = ask(server, "How do I reset my password?")
    assert said == "miss"
    assert ask(server, "How can I reset my password?") == ("hit", text)
    assert ask(server, "How can I reset my phone?")[0] == "miss"
    assert ask(server, "How can I reset my password?", model="plain")[0] == ""
    said, theirs = ask(server, "How can I reset my password?", headers=contoso)
    assert (said, theirs != text) == ("miss", True)
    assert ask(server, "How do I reset my password?", headers=contoso) == ("hit", theirs)
    assert ask(server, "How do I reset my password?") == ("hit", text)


def test_the_official_client_reads_a_stream_that_comes_from_the_cache(server, host):
    def read(text: str) -> tuple[str | None, list[Any]]:
        client = openai.OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key, max_retries=0)
        messages: Any = [{"role": "user", "content": text}]
        raw = client.chat.completions.with_raw_response.create(model="chat", messages=messages, stream=True)
        return raw.headers.get("x-forehearth-cache"), [each.model_dump() for each in raw.parse()]

    said, events = read("How do I open a tin?")
    assert said == "miss"
    assert read("How do I open a tin?") == ("hit", events)
    assert read("How can I open a tin?") == ("hit", events)
    assert "".join(each["choices"][0]["delta"]["content"] or "" for each in events).endswith("".join(PIECES))
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert host.asked["How do I open a tin?"] == 1
    said, text = ask(server, "How can I open a tin?", stream=True)
    assert said == "hit"
    assert text.endswith("data: [DONE]\n\n")
    assert ask(server, "How do I open a tin?")[0] == "miss"


def test_an_embedder_that_is_away_costs_hits_and_no_call(server):
    asked = ("How do I fold a shirt?", "How do I fold a shirt?", "How can I fold a shirt?")
    assert [ask(server, each, model="lame")[0] for each in asked] == ["miss", "hit", "miss"]
    shown = shown_of(Client(server), "lame")
    assert (shown["embeddingFailures"], shown["misses"], shown["hits"]) == (2, 2, 1)


def shown_of(client: Client, deployment: str = "chat") -> Any:
    found = client.ask("GET", "/admin/cache").json["value"]
    return next(each for each in found if each["deployment"] == deployment)


def test_operators_see_and_empty_caches(server):
    client = Client(server)
    before = shown_of(client)
    key = client.make("shop")["key"]
    for each in ("", key):
        assert ask(server, "How do I bake bread?", key=each)[0] == "miss"
        assert ask(server, "How can I bake bread?", key=each)[0] == "hit"
    ask(server, "How do I bake bread?", temperature=1.9)
    after = shown_of(client)
    grown = {name: after[name] - before[name] for name in ("entries", "semanticHits", "misses", "bypassed", "kept")}
    assert grown == {"entries": 2, "semanticHits": 2, "misses": 2, "bypassed": 1, "kept": 2}
    assert 0 < after["hitRate"] < 1
    assert client.ask("DELETE", "/admin/cache?caller=shop").status == 204
    assert shown_of(client)["entries"] == after["entries"] - 1
    assert client.ask("DELETE", "/admin/cache?deployment=chta").json["error"]["target"] == "deployment"
    assert client.ask("DELETE", "/admin/cache?deployment=lame").status == 204
    assert shown_of(client)["entries"] == after["entries"] - 1
    assert client.ask("DELETE", "/admin/cache").status == 204
    assert shown_of(client)["entries"] == 0
    noted = client.ask("GET", "/admin/audit?action=cache.purge").json["value"]
    assert [each["detail"] for each in noted] == [
        "everything",
        "deployment=lame",
        "There is no deployment 'chta': did you mean 'chat'?",
        "caller=shop",
    ]
    assert "bread" not in server.output


def test_a_purge_reaches_every_worker(start_forehearth, host):
    deployment = {"backends": [{"backend": "host"}], "cache": {"exact": {}}}
    backends = {"host": {"provider": "openai_compatible", "base_url": f"{host.url}/v1"}}
    config = {"version": 1, "backends": backends, "deployments": {"chat": deployment}}
    server = start_forehearth(json.dumps(config), "--workers", str(WORKERS))
    client = Client(server)
    asked = host.asked["Everybody?"]

    def fill() -> None:
        """Ask until every worker has it: each has a cache of its own."""
        eventually(lambda: [ask(server, "Everybody?")[0] for _ in range(12)] == ["hit"] * 12)
        eventually(lambda: shown_of(client)["entries"] == WORKERS)

    fill()
    assert client.ask("DELETE", "/admin/cache?project=sales").status == 204
    assert shown_of(client)["entries"] == WORKERS
    began = time.monotonic()
    assert client.ask("DELETE", "/admin/cache?deployment=chat&caller=development").status == 204
    assert time.monotonic() - began < PROMISED
    fill()
    assert host.asked["Everybody?"] - asked == 2 * WORKERS

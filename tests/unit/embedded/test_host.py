"""The host's door: paths, models, queues, failures, and the end."""

import asyncio
import json
import threading
from typing import Any

import pytest

from forehearth.core.errors import BodyTooLarge, BodyTooSlow
from forehearth.core.exchange import Head, Reply
from forehearth.embedded.gguf import ModelUnusable
from forehearth.embedded.host import MAX_BODY, HostLimits
from tests.unit.embedded.fake_engine import (
    CHAT,
    EMBEDDINGS,
    FakeEmbeddings,
    FakeEngine,
    ask,
    busy,
    chat,
    chat_body,
    events,
    fake_host,
    parsed,
    post,
    until,
    waiting,
)


async def accepted(method: bytes, path: bytes) -> Reply:
    async with fake_host() as host:
        reply = host.accept(Head(method=method, raw_path=path))
    assert isinstance(reply, Reply)
    return reply


async def test_health_tells_engines_and_models() -> None:
    body = parsed(await accepted(b"GET", b"/health"))
    assert body["status"] == "ok"
    assert set(body["engines"]) == {"chat", "embeddings", "transcription", "speech"}
    assert all(engine["version"] != "none" for engine in body["engines"].values())
    assert body["models"][CHAT] == {"kind": "chat", "state": "unloaded", "slots": 4, "busy": 0, "waiting": 0}
    assert body["models"][EMBEDDINGS]["kind"] == "embeddings"


async def test_models_are_listed() -> None:
    body = parsed(await accepted(b"GET", b"/v1/models"))
    assert [(model["id"], model["object"]) for model in body["data"]] == [(CHAT, "model"), (EMBEDDINGS, "model")]


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        (b"GET", b"/", 404, "not_found", None),
        (b"POST", b"/v1/chat/completions/", 404, "not_found", None),
        (b"POST", b"/v1/responses", 404, "not_found", None),
        (b"GET", b"/v1/chat/completions", 405, "method_not_allowed", b"POST"),
        (b"DELETE", b"/v1/embeddings", 405, "method_not_allowed", b"POST"),
        (b"POST", b"/health", 405, "method_not_allowed", b"GET"),
    ],
)
async def test_other_paths_and_methods_are_refused(
    method: bytes, path: bytes, status: int, code: str, allow: bytes | None
) -> None:
    reply = await accepted(method, path)
    assert reply.status == status
    assert parsed(reply)["error"]["code"] == code
    assert dict(reply.headers).get(b"allow") == allow


async def test_trouble_with_the_body_is_told_in_the_dialect() -> None:
    async with fake_host() as host:
        asked = ask(host, "/v1/chat/completions")
        assert asked.max_body == MAX_BODY
        large, slow = asked.refuse(BodyTooLarge("too large")), asked.refuse(BodyTooSlow("too slow"))
    assert (large.status, slow.status) == (413, 408)
    assert parsed(large)["error"] == {
        "message": "too large",
        "type": "invalid_request_error",
        "param": None,
        "code": "body_too_large",
    }


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"text"', b"[" * 100_000])
async def test_what_is_not_an_object_is_refused(body: bytes) -> None:
    async with fake_host() as host:
        reply = await post(host, "/v1/chat/completions", body)
    assert reply.status == 400
    assert parsed(reply)["error"]["code"] == "malformed_body"


@pytest.mark.parametrize(
    ("path", "model", "status", "code", "words"),
    [
        ("/v1/chat/completions", "nope", 404, "model_not_found", "tiny-chat, tiny-embeddings do"),
        ("/v1/chat/completions", None, 400, "invalid_value", "Missing required parameter: model"),
        ("/v1/chat/completions", 3, 400, "invalid_value", "model: expected a string, but got a whole number"),
        ("/v1/chat/completions", EMBEDDINGS, 400, "unsupported_value", "cannot do chat completions"),
        ("/v1/completions", EMBEDDINGS, 400, "unsupported_value", "cannot do completions"),
        ("/v1/embeddings", CHAT, 400, "unsupported_value", "cannot do embeddings"),
    ],
)
async def test_the_model_must_be_one_that_does_it(path: str, model: Any, status: int, code: str, words: str) -> None:
    async with fake_host() as host:
        reply = await post(host, path, {"model": model, "messages": [], "input": "x", "prompt": "x"})
    error = parsed(reply)["error"]
    assert (reply.status, error["code"], error["param"], error["type"]) == (
        status,
        code,
        "model",
        "invalid_request_error",
    )
    assert words in error["message"]


async def test_a_full_line_says_when_to_come_back() -> None:
    hold = threading.Event()
    engine = FakeEngine(lambda _: (hold, "x"))
    async with fake_host(engine, limits=HostLimits(threads=1, slots=1, most_waiting=2)) as host:
        calls = [asyncio.create_task(chat(host)) for _ in range(3)]
        await until(lambda: waiting(host) == 2)
        reply = await chat(host)
        hold.set()
        assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * 3
    assert reply.status == 503
    assert dict(reply.headers)[b"retry-after"] == b"2"
    assert parsed(reply)["error"]["code"] == "backend_overloaded"
    assert len(engine.bodies) == 3


async def test_waiting_in_line_can_be_given_up() -> None:
    hold = threading.Event()
    engine = FakeEngine(lambda _: (hold, "x"))
    async with fake_host(engine, limits=HostLimits(threads=1, slots=1)) as host:
        first = asyncio.create_task(chat(host))
        second = asyncio.create_task(chat(host))
        await until(lambda: waiting(host) == 1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert waiting(host) == 0
        hold.set()
        assert (await first).status == 200
    assert len(engine.bodies) == 1


async def test_one_request_for_many_choices_leaves_room_in_line() -> None:
    hold = threading.Event()
    engine = FakeEngine(lambda _: (hold, "x"))
    async with fake_host(engine, limits=HostLimits(threads=1, slots=2, most_waiting=1)) as host:
        many = asyncio.create_task(chat(host, n=20))
        await until(lambda: busy(host) == 2)
        other = asyncio.create_task(chat(host))
        await until(lambda: waiting(host) == 1)
        hold.set()
        assert (await other).status == 200
        assert len(parsed(await many)["choices"]) == 20


CONTEXT = {
    "error": {
        "code": 400,
        "message": "too many",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 99,
        "n_ctx": 64,
    }
}
FAILURES: list[tuple[Any, int, str, str | None, str]] = [
    (
        CONTEXT,
        400,
        "context_length_exceeded",
        "messages",
        "maximum context length is 64 tokens. However, your prompt has 99",
    ),
    ({"error": {"message": "bad thing", "type": "invalid_request_error"}}, 400, "invalid_value", None, "bad thing"),
    ({"error": {"message": "secret", "type": "server_error"}}, 502, "backend_broken", None, "The engine failed"),
    (ValueError("Expected 'messages' to be an array"), 400, "invalid_value", None, "Expected 'messages'"),
    (RuntimeError("Jinja: roles must alternate"), 400, "invalid_value", None, "roles must alternate"),
    (RuntimeError("secret"), 502, "backend_broken", None, "The engine failed"),
    ({"choices": "what"}, 502, "backend_failed", None, "failed unexpectedly"),
]


@pytest.mark.parametrize(("step", "status", "code", "param", "words"), FAILURES)
async def test_what_the_engine_raises_or_returns_becomes_our_error(
    step: Any, status: int, code: str, param: str | None, words: str
) -> None:
    async with fake_host(FakeEngine(lambda _: (step,))) as host:
        reply = await chat(host)
        again = await chat(host, stream=True)
        streamed = await events(again)
        await until(lambda: busy(host) == 0)
    error = parsed(reply)["error"]
    assert (reply.status, error["code"], error["param"]) == (status, code, param)
    assert words in error["message"]
    assert "secret" not in error["message"]
    assert again.status == 200
    assert words in streamed[-1]["error"]["message"]


async def test_an_engine_that_refuses_at_once_is_an_error_of_the_stream_s_reply() -> None:
    class Refusing(FakeEngine):
        def run(self, operation: Any, body: bytes, tell: Any) -> None:
            tell(json.dumps(CONTEXT).encode())

    async with fake_host(Refusing()) as host:
        reply = await chat(host, stream=True)
    assert reply.status == 400
    assert parsed(reply)["error"]["code"] == "context_length_exceeded"


async def test_an_engine_that_ends_without_an_answer_is_an_error() -> None:
    class Silent(FakeEngine):
        def run(self, operation: Any, body: bytes, tell: Any) -> None:
            pass

    async with fake_host(Silent()) as host:
        assert (await chat(host)).status == 502


async def test_a_model_that_cannot_be_loaded_is_said_and_tried_again() -> None:
    async with fake_host(ModelUnusable("The model file none.gguf cannot be used: No such file or directory.")) as host:
        replies = [await chat(host), await chat(host)]
        assert host.health()["models"][CHAT]["state"] == "failed"
    assert [reply.status for reply in replies] == [503, 503]
    assert parsed(replies[0])["error"]["code"] == "model_unusable"
    assert "none.gguf cannot be used" in parsed(replies[0])["error"]["message"]


async def test_preloading_loads_every_model_once() -> None:
    engine = FakeEngine()
    async with fake_host(engine) as host:
        await host.preload()
        assert {model["state"] for model in host.health()["models"].values()} == {"ready"}
        assert (await chat(host)).status == 200
    assert engine.is_closed


async def test_closing_stops_what_runs_and_refuses_what_waits() -> None:
    hold = threading.Event()
    engine = FakeEngine(lambda _: ("one", hold, "two"))
    async with fake_host(engine, limits=HostLimits(threads=1, slots=1)) as host:
        streaming = await chat(host, stream=True)
        second = asyncio.create_task(chat(host))
        await until(lambda: waiting(host) == 1)
        asyncio.get_running_loop().call_later(0.05, hold.set)
    told = await asyncio.wait_for(events(streaming), 10)
    assert told[-1]["error"]["code"] == "backend_broken"
    refused = await asyncio.wait_for(second, 10)
    assert refused.status == 503
    assert (await chat(host)).status == 503
    assert engine.is_closed
    assert engine.stopped == 1


async def test_a_large_body_is_read_beside_the_loop() -> None:
    properties = {f"p{at}": {"type": "string", "description": "x" * 200} for at in range(100)}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": properties}}}
    async with fake_host(FakeEngine(lambda _: ("{}",))) as host:
        reply = await chat(host, response_format=form)
        wrong = await chat(host, response_format=form, messages=3)
    assert len(json.dumps(chat_body(response_format=form))) > 16 * 1024
    assert reply.status == 200
    assert parsed(wrong)["error"]["param"] == "messages"


async def embed(given: Any, engine: FakeEmbeddings | None = None, **members: Any) -> Reply:
    async with fake_host(embeddings=engine) as host:
        return await post(host, "/v1/embeddings", {"model": EMBEDDINGS, "input": given, **members})


@pytest.mark.parametrize(
    ("given", "vectors", "used"),
    [
        ("abc", [[3, 97, 1]], 3),
        (["b", "abc"], [[1, 98, 1], [3, 97, 1]], 4),
        ([5, 6], [[2, 5, 1]], 2),
        ([[7], "ab"], [[1, 7, 1], [2, 97, 1]], 3),
    ],
)
async def test_embeddings_of_every_shape_of_input(given: Any, vectors: list[list[float]], used: int) -> None:
    body = parsed(await embed(given, user="u", input_type="query", dimensions=3, encoding_format="float"))
    assert body == {
        "object": "list",
        "model": EMBEDDINGS,
        "data": [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


async def test_embeddings_in_base64() -> None:
    body = parsed(await embed("abc", encoding_format="base64"))
    assert body["data"][0]["embedding"] == "AABAQAAAwkIAAIA/"


async def test_many_texts_are_computed_in_batches_of_like_length() -> None:
    engine = FakeEmbeddings()
    texts = ["x" * (1 + at % 5) for at in range(40)]
    body = parsed(await embed(texts, engine))
    assert engine.batches == [16, 16, 8]
    assert [entry["embedding"][0] for entry in body["data"]] == [len(text) for text in texts]
    assert [entry["index"] for entry in body["data"]] == list(range(40))


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        ({"input": ""}, "invalid_value", "input"),
        ({"input": []}, "invalid_value", "input"),
        ({"input": None}, "invalid_value", "input"),
        ({"input": 3}, "invalid_value", "input"),
        ({"input": ["a", ""]}, "invalid_value", "input[1]"),
        ({"input": ["a", 3]}, "invalid_value", "input[1]"),
        ({"input": [[1, -1]]}, "invalid_value", "input[0]"),
        ({"input": [True]}, "invalid_value", "input[0]"),
        ({"input": ["a"] * 2_049}, "invalid_value", "input"),
        ({"input": "a", "dimensions": 2}, "unsupported_value", "dimensions"),
        ({"input": "a", "dimensions": 0}, "invalid_value", "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "unsupported_value", "encoding_format"),
        ({"input": "a", "input_type": "poem"}, "invalid_value", "input_type"),
        ({"input": "a", "user": 1}, "invalid_value", "user"),
        ({"input": "a", "frobnicate": 1}, "unknown_parameter", "frobnicate"),
        ({"input": ["a" * 2_000] * 151}, "invalid_value", "input"),
    ],
)
async def test_embeddings_refuse_by_name(members: dict[str, Any], code: str, param: str) -> None:
    async with fake_host() as host:
        reply = await post(host, "/v1/embeddings", {"model": EMBEDDINGS, **members})
    error = parsed(reply)["error"]
    assert (reply.status, error["code"], error["param"]) == (400, code, param)


async def test_a_cancelled_request_for_embeddings_stops_after_its_batch() -> None:
    hold = threading.Event()
    engine = FakeEmbeddings(hold)
    async with fake_host(embeddings=engine) as host:
        body = {"model": EMBEDDINGS, "input": ["a"] * 40}
        task = asyncio.create_task(post(host, "/v1/embeddings", body))
        await until(lambda: bool(engine.batches))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        hold.set()
        assert (await asyncio.wait_for(post(host, "/v1/embeddings", {**body, "input": "b"}), 10)).status == 200
    assert engine.batches == [16, 1]

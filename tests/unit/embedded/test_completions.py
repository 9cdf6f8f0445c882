"""The older shape: text in and text out."""

from typing import Any

import pytest

from forehearth.core.exchange import Reply
from forehearth.embedded.host import EmbeddedHost
from tests.unit.embedded.fake_engine import CHAT, PROMPT_TOKENS, FakeEngine, events, fake_host, parsed, post

SAID = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Hi", "logprob": -0.5}]}
LOGPROBS = {"choices": [{"index": 0, "text": "Hi", "logprobs": {"content": [SAID]}}]}


async def complete(host: EmbeddedHost, prompt: Any = "Once", **members: Any) -> Reply:
    return await post(host, "/v1/completions", {"model": CHAT, "prompt": prompt, **members})


def by_prompt() -> FakeEngine:
    return FakeEngine(lambda body: (f"<{body['prompt']}>", "."))


async def test_a_whole_answer_has_every_member() -> None:
    engine = FakeEngine()
    async with fake_host(engine) as host:
        body = parsed(await complete(host, user="u", best_of=1))
    assert body["object"] == "text_completion"
    assert body["id"].startswith("cmpl-")
    assert body["choices"] == [{"text": "Hello there", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"]["total_tokens"] == PROMPT_TOKENS + 2
    assert engine.bodies[0]["n_predict"] == 16
    assert engine.bodies[0]["prompt"] == "Once"


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("a", ["<a>."]),
        (["a", "b"], ["<a>.", "<b>."]),
        ([1, 2], ["<[1, 2]>."]),
        ([[1], "b"], ["<[1]>.", "<b>."]),
    ],
)
async def test_every_shape_of_prompt(prompt: Any, texts: list[str]) -> None:
    async with fake_host(by_prompt()) as host:
        body = parsed(await complete(host, prompt))
    assert [choice["text"] for choice in body["choices"]] == texts
    assert body["usage"]["prompt_tokens"] == PROMPT_TOKENS * len(texts)


async def test_choices_of_a_prompt_share_its_tokens() -> None:
    async with fake_host(by_prompt()) as host:
        body = parsed(await complete(host, ["a", "b"], n=2))
    assert [choice["text"] for choice in body["choices"]] == ["<a>.", "<a>.", "<b>.", "<b>."]
    assert body["usage"]["prompt_tokens"] == PROMPT_TOKENS * 2
    assert body["usage"]["completion_tokens"] == 8


async def test_a_stream_tells_every_prompt_and_the_usage() -> None:
    async with fake_host(by_prompt()) as host:
        chunks = await events(
            await complete(host, ["a", "b"], stream=True, echo=True, stream_options={"include_usage": True})
        )
    for index, text in enumerate(("a<a>.", "b<b>.")):
        said = [chunk["choices"][0] for chunk in chunks[:-1] if chunk["choices"][0]["index"] == index]
        assert "".join(choice["text"] for choice in said) == text
        assert said[-1]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["prompt_tokens"] == PROMPT_TOKENS * 2


async def test_echo_puts_the_prompt_first() -> None:
    async with fake_host() as host:
        body = parsed(await complete(host, "Say: ", echo=True))
    assert body["choices"][0]["text"] == "Say: Hello there"


async def test_log_probabilities_in_the_older_shape() -> None:
    async with fake_host(FakeEngine(lambda _: (LOGPROBS, LOGPROBS))) as host:
        two = parsed(await complete(host, logprobs=2))["choices"][0]["logprobs"]
        none = parsed(await complete(host, logprobs=0))["choices"][0]["logprobs"]
        chunks = await events(await complete(host, logprobs=1, stream=True))
    assert two == {
        "tokens": ["Hi", "Hi"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"Hi": -0.5}, {"Hi": -0.5}],
        "text_offset": [0, 2],
    }
    assert none == {**two, "top_logprobs": None}
    assert [chunk["choices"][0]["logprobs"]["text_offset"] for chunk in chunks[:2]] == [[0], [2]]


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        ({"prompt": None}, "invalid_value", "prompt"),
        ({"prompt": []}, "invalid_value", "prompt"),
        ({"prompt": 3}, "invalid_value", "prompt"),
        ({"prompt": ["a", None]}, "invalid_value", "prompt[1]"),
        ({"prompt": [[1, "a"]]}, "invalid_value", "prompt[0]"),
        ({"prompt": ["a"] * 2, "n": 65}, "invalid_value", "n"),
        ({"max_tokens": 0}, "invalid_value", "max_tokens"),
        ({"logprobs": 6}, "invalid_value", "logprobs"),
        ({"logprobs": True}, "invalid_value", "logprobs"),
        ({"best_of": 3}, "unsupported_value", "best_of"),
        ({"suffix": "end"}, "unsupported_value", "suffix"),
        ({"echo": True, "logprobs": 1}, "unsupported_value", "echo"),
        ({"echo": True, "prompt": [1]}, "unsupported_value", "echo"),
        ({"messages": []}, "unknown_parameter", "messages"),
    ],
)
async def test_what_is_refused_is_named(members: dict[str, Any], code: str, param: str) -> None:
    async with fake_host() as host:
        reply = await post(host, "/v1/completions", {"model": CHAT, "prompt": "x", **members})
    error = parsed(reply)["error"]
    assert (reply.status, error["code"], error["param"]) == (400, code, param)
    assert param in error["message"]


async def test_a_prompt_that_is_too_long_names_the_prompt() -> None:
    too_long = {
        "error": {"code": 400, "message": "x", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}
    }
    async with fake_host(FakeEngine(lambda _: (too_long,))) as host:
        error = parsed(await complete(host))["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "prompt")

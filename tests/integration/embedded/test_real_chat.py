"""Chat on the pinned weights, through the host's door."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from forehearth.core.exchange import Reply
from forehearth.embedded.catalogue import ModelSource, gguf_source
from forehearth.embedded.host import EmbeddedHost, HostLimits, open_host
from tests.integration.embedded.conftest import CHAT
from tests.unit.embedded.fake_engine import events, parsed, post, until

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

GERMANY = "What is the capital of Germany?"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 40}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "description": "Get the time"}}

SCHEMAS: dict[str, Any] = {
    "city": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 3, "maxLength": 30},
            "population": {"type": "integer", "minimum": 1_000},
        },
        "required": ["name", "population"],
        "additionalProperties": False,
    },
    "nullable": {
        "type": "object",
        "properties": {"note": {"type": ["string", "null"], "maxLength": 20}, "ok": {"type": "boolean"}},
        "required": ["note", "ok"],
        "additionalProperties": False,
    },
    "list": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "minItems": 2, "maxItems": 4},
    "score": {
        "type": "object",
        "properties": {"score": {"type": "number", "minimum": 0, "maximum": 1}},
        "required": ["score"],
    },
    "date": {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}, "required": ["day"]},
    "shape": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": "circle"}, "r": {"type": "integer", "maximum": 99}},
                "required": ["kind", "r"],
            },
            {
                "type": "object",
                "properties": {"kind": {"const": "square"}, "side": {"type": "integer", "maximum": 99}},
                "required": ["kind", "side"],
            },
        ]
    },
    "tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "v": {"type": "integer"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["v"],
            }
        },
    },
    "extra": {
        "type": "object",
        "properties": {"id": {"type": "string", "format": "uuid"}},
        "required": ["id"],
        "additionalProperties": {"type": "integer"},
    },
    "control": {"enum": ["<|im_start|>", "<|im_end|>user"]},
    "exactly": {"type": "string", "minLength": 12, "maxLength": 12},
}


async def chat(host: EmbeddedHost, content: str = GERMANY, **members: Any) -> Reply:
    messages = [{"role": "user", "content": content}]
    return await post(host, "/v1/chat/completions", {"model": CHAT, "messages": messages, "max_tokens": 24, **members})


def text(reply: Reply) -> str:
    return str(parsed(reply)["choices"][0]["message"]["content"])


async def test_it_answers(host: EmbeddedHost) -> None:
    body = parsed(await chat(host, temperature=0))
    assert "Berlin" in body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["prompt_tokens"] > 10
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_a_stream_says_the_same(host: EmbeddedHost) -> None:
    whole = parsed(await chat(host, temperature=0, seed=1))
    chunks = await events(await chat(host, temperature=0, seed=1, stream=True, stream_options={"include_usage": True}))
    said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1])
    assert said == whole["choices"][0]["message"]["content"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]


async def test_two_choices_are_counted_both(host: EmbeddedHost) -> None:
    body = parsed(await chat(host, "Tell me a story.", n=2, temperature=1, max_tokens=8))
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["choices"][0]["message"]["content"] != body["choices"][1]["message"]["content"]
    assert body["usage"]["completion_tokens"] == 16


async def test_a_seed_repeats(host: EmbeddedHost) -> None:
    asked = {"content": "Tell me a story.", "temperature": 1, "max_tokens": 16}
    first, again, other = [text(await chat(host, **asked, seed=seed)) for seed in (7, 7, 8)]
    assert first == again != other


async def test_it_stops_at_a_stop_sequence(host: EmbeddedHost) -> None:
    body = parsed(await chat(host, temperature=0, stop=["Berlin"]))
    assert body["choices"][0]["message"]["content"] == "The capital of Germany is "
    assert body["choices"][0]["finish_reason"] == "stop"


async def test_max_tokens_cuts(host: EmbeddedHost) -> None:
    body = parsed(await chat(host, "Tell me a long story.", max_completion_tokens=5, max_tokens=5))
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5


async def test_log_probabilities_fit_the_text(host: EmbeddedHost) -> None:
    choice = parsed(await chat(host, temperature=0, logprobs=True, top_logprobs=3))["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    for token in tokens:
        assert len(token["top_logprobs"]) == 3
        assert token["logprob"] <= 0
        assert bytes(token["bytes"]).decode() == token["token"]


@pytest.mark.parametrize("temperature", [0, 1.5])
@pytest.mark.parametrize("name", SCHEMAS)
async def test_json_is_valid_against_its_schema(host: EmbeddedHost, name: str, temperature: float) -> None:
    form = {"type": "json_schema", "json_schema": {"name": name, "schema": SCHEMAS[name], "strict": True}}
    how = {"temperature": temperature}  # `make soak` holds it to hundreds of others
    if name == "tree":
        how["frequency_penalty"] = 1.0  # without it the tree never ends
    whole = await chat(host, "Give me an example.", response_format=form, max_tokens=120, seed=3, **how)
    (choice,) = parsed(whole)["choices"]
    assert choice["finish_reason"] == "stop"
    value = json.loads(choice["message"]["content"])
    jsonschema.Draft202012Validator(SCHEMAS[name]).validate(value)


async def test_a_token_that_prints_nothing_cannot_stand_for_text(host: EmbeddedHost) -> None:
    schema = SCHEMAS["exactly"]
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    reply = await chat(host, response_format=form, logit_bias={"1": 100, "0": 100}, temperature=0, max_tokens=60)
    jsonschema.Draft202012Validator(schema).validate(json.loads(text(reply)))


async def test_json_mode_gives_an_object(host: EmbeddedHost) -> None:
    for seed in range(3):
        choice = parsed(await chat(host, response_format={"type": "json_object"}, max_tokens=150, seed=seed))[
            "choices"
        ][0]
        assert choice["finish_reason"] == "length" or isinstance(json.loads(choice["message"]["content"]), dict)


def called(choice: Any) -> list[tuple[str, Any]]:
    return [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in choice["message"].get("tool_calls", [])
    ]


@pytest.mark.parametrize("mode", ["auto", "required", "none", "named"])
async def test_tools_in_every_mode(host: EmbeddedHost, mode: str) -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}} if mode == "named" else mode
    tools = {"tools": [WEATHER, TIME], "tool_choice": choice, "max_tokens": 20 if mode == "none" else 100}
    for temperature in (0, 1.5):
        answer = parsed(await chat(host, "What is the weather in Paris?", **tools, temperature=temperature, seed=5))[
            "choices"
        ][0]
        if answer["finish_reason"] == "length":  # so are words: a call is short
            assert mode in ("auto", "none")
            assert "tool_calls" not in answer["message"]
            continue
        calls = called(answer)
        assert (answer["finish_reason"] == "tool_calls") == bool(calls)
        assert (answer["message"]["content"] is None) == bool(calls)
        assert len(calls) == {"auto": len(calls), "none": 0}.get(mode, 1)
        for name, arguments in calls:
            assert name in ({"get_weather"} if mode == "named" else {"get_weather", "get_time"})
            jsonschema.validate(
                arguments, WEATHER["function"]["parameters"] if name == "get_weather" else {"maxProperties": 0}
            )


async def test_a_streamed_call_is_the_same_as_a_whole_one(host: EmbeddedHost) -> None:
    tools = {"tools": [WEATHER], "tool_choice": "required", "temperature": 0, "max_tokens": 100, "seed": 1}
    whole = parsed(await chat(host, "What is the weather in Paris?", **tools))["choices"][0]["message"]["tool_calls"][0]
    chunks = await events(await chat(host, "What is the weather in Paris?", **tools, stream=True))
    parts = [part for chunk in chunks for part in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert parts[0]["function"]["name"] == whole["function"]["name"]
    assert "".join(part["function"]["arguments"] for part in parts) == whole["function"]["arguments"]


async def test_a_result_of_a_tool_is_read(host: EmbeddedHost) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
    messages = [
        {"role": "user", "content": "What is the weather in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "snow, -5 degrees"},
    ]
    body = {"model": CHAT, "messages": messages, "temperature": 0, "max_tokens": 40}
    assert "snow" in text(await post(host, "/v1/chat/completions", body)).lower()


async def test_a_prompt_beyond_the_context_is_refused(host: EmbeddedHost) -> None:
    for stream in (False, True):
        reply = await chat(host, "word " * 5_000, stream=stream)
        assert reply.status == 400
        error = parsed(reply)["error"]
        assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
        assert "4096 tokens" in error["message"]


def busy(host: EmbeddedHost) -> int:
    return int(host.health()["models"][CHAT]["busy"])


async def test_leaving_a_stream_frees_the_slot_at_once(host: EmbeddedHost) -> None:
    reply = await chat(host, "Count to one thousand.", stream=True, max_tokens=3_000)
    assert reply.stream is not None
    for _ in range(3):
        await anext(reply.stream)
    assert busy(host) == 1
    await reply.stream.aclose()
    await until(lambda: busy(host) == 0)  # in far less time than so many words take


async def test_leaving_before_the_first_word_frees_the_slot(host: EmbeddedHost) -> None:
    task = asyncio.create_task(chat(host, "A long prompt, this is. " * 400, max_tokens=3_000))
    await until(lambda: busy(host) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: busy(host) == 0)


async def test_a_loop_that_serves_is_never_blocked(host: EmbeddedHost) -> None:
    longest, running = 0.0, True

    async def tick() -> None:
        nonlocal longest
        while running:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(chat(host, max_tokens=20) for _ in range(4)))
    running = False
    await ticking
    assert longest < 1


async def test_completions(host: EmbeddedHost) -> None:
    body = {
        "model": CHAT,
        "prompt": ["The capital of France is", "Two and two make"],
        "max_tokens": 4,
        "temperature": 0,
        "logprobs": 2,
    }
    answer = parsed(await post(host, "/v1/completions", body))
    assert "Paris" in answer["choices"][0]["text"]
    assert answer["usage"]["completion_tokens"] == 8
    for choice in answer["choices"]:
        assert "".join(choice["logprobs"]["tokens"]) == choice["text"]


async def test_a_file_of_one_s_own_is_a_model_too(sources: Mapping[str, ModelSource]) -> None:
    path = sources[CHAT].files["gguf"]
    async with open_host({str(path): gguf_source(path)}, HostLimits(slots=1)) as own:
        reply = await post(
            own,
            "/v1/chat/completions",
            {"model": str(path), "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4},
        )
        missing = await chat(own)
    assert parsed(reply)["model"] == path.stem
    assert missing.status == 404
    assert str(path.parent) not in missing.body.decode()


async def test_a_missing_or_damaged_file_is_said(
    sources: Mapping[str, ModelSource], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("models")
    whole = sources[CHAT].files["gguf"].read_bytes()
    (folder / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    files = {CHAT: gguf_source(folder / "none.gguf"), "cut": gguf_source(folder / "cut.gguf")}
    async with open_host(files, HostLimits(slots=1)) as broken:
        for name, words in ((CHAT, "No such file"), ("cut", "could not be loaded")):
            reply = await chat(broken, model=name)
            assert reply.status == 503
            assert words in parsed(reply)["error"]["message"]


async def test_closing_while_it_writes_ends_the_stream(sources: Mapping[str, ModelSource]) -> None:
    async with open_host(sources, HostLimits(slots=1)) as own:
        reply = await chat(own, "Count to one thousand.", stream=True, max_tokens=3_000)
        assert reply.stream is not None
        await anext(reply.stream)
    told = await asyncio.wait_for(events(reply), 30)
    assert told[-1]["error"]["code"] == "backend_broken"

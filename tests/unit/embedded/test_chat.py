"""Chat answers: whole and streamed, one and several, in the dialect's own objects."""

import asyncio
import json
import threading
from typing import Any

import pytest

from forehearth.embedded.host import HostLimits
from tests.unit.embedded.fake_engine import HEAD, PROMPT_TOKENS, FakeEngine, chat, events, fake_host, parsed
from tests.unit.embedded.gbnf_reader import read

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
USE = "Use it to answer in plain words."
CLOCK = {"type": "function", "function": {"name": "clock"}}


async def test_a_whole_answer_has_every_member() -> None:
    async with fake_host() as host:
        reply = await chat(host)
    assert reply.status == 200
    assert dict(reply.headers)[b"content-type"] == b"application/json"
    body = parsed(reply)
    assert body.pop("id").startswith("chatcmpl-")
    assert body.pop("created") > 1_700_000_000
    assert body.pop("system_fingerprint").startswith("fp_")
    assert body == {
        "object": "chat.completion",
        "model": "tiny-chat",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": 2,
            "total_tokens": PROMPT_TOKENS + 2,
            "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


async def test_a_stream_begins_with_the_role_and_ends_with_the_usage() -> None:
    async with fake_host() as host:
        reply = await chat(host, stream=True, stream_options={"include_usage": True})
        assert dict(reply.headers)[b"content-type"] == b"text/event-stream; charset=utf-8"
        chunks = await events(reply)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["system_fingerprint"]) for chunk in chunks}) == 1
    assert [chunk["choices"] for chunk in chunks] == [
        [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "", "refusal": None},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
        [{"index": 0, "delta": {"content": "Hello"}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {"content": " there"}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}],
        [],
    ]
    assert [chunk["usage"] is None for chunk in chunks] == [True] * 4 + [False]
    assert chunks[-1]["usage"]["total_tokens"] == PROMPT_TOKENS + 2


async def test_without_being_asked_for_usage_is_no_member_of_a_chunk() -> None:
    async with fake_host() as host:
        chunks = await events(await chat(host, stream=True))
    assert all("usage" not in chunk for chunk in chunks)
    assert all(chunk["choices"] for chunk in chunks)


async def test_several_choices_differ_by_seed_and_share_the_prompt() -> None:
    engine = FakeEngine(lambda body: (f"seed {body['seed']}", "!"))
    async with fake_host(engine) as host:
        body = parsed(await chat(host, n=5, seed=10, service_tier="auto"))
        chunks = await events(await chat(host, n=2, seed=1, stream=True))
    assert [choice["message"]["content"] for choice in body["choices"]] == [f"seed {10 + at}!" for at in range(5)]
    assert [choice["index"] for choice in body["choices"]] == list(range(5))
    assert body["usage"]["prompt_tokens"] == PROMPT_TOKENS
    assert body["usage"]["completion_tokens"] == 10
    assert body["service_tier"] == "default"
    for index in range(2):
        said = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert "".join(choice["delta"].get("content", "") for choice in said) == f"seed {1 + index}!"
        assert [choice["finish_reason"] for choice in said][-1] == "stop"


async def test_what_is_asked_reaches_the_engine_in_its_words() -> None:
    engine = FakeEngine()
    asked = {
        "temperature": 0.5, "top_p": 0.9, "frequency_penalty": 0.1, "presence_penalty": -0.2, "stop": ["a", "b"],
        "max_completion_tokens": 9, "logit_bias": {"12": -100}, "seed": -1, "logprobs": True, "top_logprobs": 3,
    }  # fmt: skip
    async with fake_host(engine) as host:
        assert (await chat(host, **asked)).status == 200
        assert (await chat(host)).status == 200
    told, plain = engine.bodies
    expected = {
        "temperature": 0.5, "top_p": 0.9, "frequency_penalty": 0.1, "presence_penalty": -0.2, "stop": ["a", "b"],
        "n_predict": 9, "logit_bias": [[12, -100.0]], "seed": 2**32 - 2, "cache_prompt": False, "logprobs": True,
        "top_logprobs": 3, "stream": True, "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip
    assert told | expected == told
    recommended = {"temperature": 0.25, "top_p": 0.75, "n_predict": 40, "cache_prompt": True}
    assert plain | recommended == plain
    assert not {"seed", "grammar", "logprobs"} & plain.keys()


async def test_log_probabilities_are_told_token_by_token() -> None:
    said = {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": [72, 105],
        "id": 3,
        "top_logprobs": [{"id": 3, "token": "Hi", "logprob": -0.5, "bytes": [72, 105]}],
    }
    event = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [said]}}]}
    expected = {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": [72, 105],
        "top_logprobs": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}],
    }
    async with fake_host(FakeEngine(lambda _: (event,))) as host:
        body = parsed(await chat(host, logprobs=True, top_logprobs=1))
        chunks = await events(await chat(host, logprobs=True, top_logprobs=1, stream=True))
    assert body["choices"][0]["logprobs"] == {"content": [expected], "refusal": None}
    assert chunks[1]["choices"][0]["logprobs"] == {"content": [expected], "refusal": None}


async def test_a_json_schema_becomes_a_grammar_and_words() -> None:
    engine = FakeEngine(lambda _: ('{"a":1}',))
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": schema, "strict": True, "description": "An a."},
    }
    async with fake_host(engine) as host:
        body = parsed(await chat(host, response_format=form))
        assert (await chat(host, response_format={"type": "json_object"})).status == 200
        assert (await chat(host, response_format={"type": "text"})).status == 200
    assert body["choices"][0]["message"]["content"] == '{"a":1}'
    by_schema, by_object, by_text = engine.bodies
    assert read(by_schema["grammar"]).matches('{"a": 12}')
    assert not read(by_schema["grammar"]).matches('{"a": "12"}')
    assert by_schema["logit_bias"] == [[token, False] for token in HEAD.silent_tokens]
    assert by_schema["messages"][0]["role"] == "system"
    assert json.dumps(schema) in by_schema["messages"][0]["content"]
    assert by_schema["messages"][0]["content"].endswith("An a.")
    assert read(by_object["grammar"]).matches('{"x": []}')
    assert "grammar" not in by_text


CALL = '{"name": "get_weather", "arguments": {"city": "Pa}ris"}}'


def in_pieces(text: str, size: int) -> FakeEngine:
    return FakeEngine(lambda _: tuple(text[at : at + size] for at in range(0, len(text), size)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}])
async def test_a_call_comes_out_whole_however_it_is_cut(size: int, choice: Any) -> None:
    async with fake_host(in_pieces(CALL, size)) as host:
        whole = parsed(await chat(host, tools=[WEATHER, CLOCK], tool_choice=choice))
        chunks = await events(await chat(host, tools=[WEATHER, CLOCK], tool_choice=choice, stream=True))
    message = whole["choices"][0]["message"]
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert message["content"] is None
    (call,) = message["tool_calls"]
    assert call.pop("id").startswith("call_")
    assert call == {"type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Pa}ris"}'}}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": None, "refusal": None}
    parts = [delta["tool_calls"][0] for delta in deltas[1:-1]]
    assert parts[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert parts[0]["type"] == "function"
    assert parts[0]["id"].startswith("call_")
    assert all(part.keys() == {"index", "function"} for part in parts[1:])
    assert "".join(part["function"]["arguments"] for part in parts) == '{"city": "Pa}ris"}'
    assert deltas[-1] == {}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_an_answer_in_words_stays_one(size: int) -> None:
    async with fake_host(in_pieces("It is {sunny}.", size)) as host:
        whole = parsed(await chat(host, tools=[WEATHER]))
        chunks = await events(await chat(host, tools=[WEATHER], stream=True))
    assert whole["choices"][0]["message"]["content"] == "It is {sunny}."
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert "tool_calls" not in whole["choices"][0]["message"]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "It is {sunny}."


async def test_the_mode_decides_what_the_model_may_write() -> None:
    engine = in_pieces(CALL, 100)
    named = {"type": "function", "function": {"name": "clock"}}
    async with fake_host(engine) as host:
        for choice in ("auto", "required", named, "none"):
            assert (await chat(host, tools=[WEATHER, CLOCK], tool_choice=choice)).status == 200
    auto, required, only_clock, none = engine.bodies
    texts = [
        CALL,
        '{"name": "clock", "arguments": {}}',
        "Plain words.\n{}",
        "",
        '{"name": "clock", "arguments": {"x":1}}',
        "{no",
    ]
    assert [read(auto["grammar"]).matches(text) for text in texts] == [True, True, True, False, False, False]
    assert [read(required["grammar"]).matches(text) for text in texts] == [True, True, False, False, False, False]
    assert [read(only_clock["grammar"]).matches(text) for text in texts] == [False, True, False, False, False, False]
    assert "get_weather" in auto["messages"][0]["content"]
    assert "get_weather" not in only_clock["messages"][0]["content"]
    assert "grammar" not in none
    assert len(none["messages"]) == 1


async def test_a_stop_sequence_ends_an_answer_beside_tools_but_no_call() -> None:
    async with fake_host(in_pieces("One. Two. Three.", 2)) as host:
        body = parsed(await chat(host, tools=[WEATHER], stop=[". T", "Z"]))
    assert body["choices"][0]["message"]["content"] == "One"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == 3
    async with fake_host(in_pieces(CALL, 3)) as host:
        body = parsed(await chat(host, tools=[WEATHER], stop="Pa"))
    assert json.loads(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "Pa}ris"}


async def test_a_call_that_is_cut_short_says_so() -> None:
    engine = FakeEngine(lambda _: (CALL[:-6],), finish="length")
    async with fake_host(engine) as host:
        body = parsed(await chat(host, tools=[WEATHER], tool_choice="required"))
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"city": "Pa}'


@pytest.mark.parametrize(
    "members", [{"response_format": {"type": "json_object"}}, {"tools": [WEATHER], "tool_choice": "required"}]
)
async def test_json_that_the_engine_broke_off_is_never_passed_on_as_whole(members: Any) -> None:
    async with fake_host(FakeEngine(lambda _: (CALL[:-7],))) as host:
        reply = await chat(host, **members)
        streamed = await events(await chat(host, **members, stream=True))
    assert reply.status == 502
    assert streamed[-1]["error"]["message"] == "The engine broke off an answer that had to be JSON."


async def test_calls_and_results_are_shown_to_the_model() -> None:
    engine = FakeEngine()
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "Rome?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None, "annotations": []},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 C"},
        {"role": "user", "content": "So?"},
        {"role": "assistant", "content": "Warm."},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]
    async with fake_host(engine) as host:
        assert (await chat(host, messages=messages)).status == 200
    assert engine.bodies[0]["messages"] == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "And\nRome?"},
        {"role": "assistant", "content": '{"name": "get_weather", "arguments": {"city":"Rome"}}'},
        {"role": "user", "content": f"The result of get_weather is: 18 C\n\n{USE}\n\nSo?"},
        {"role": "assistant", "content": "Warm."},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


async def test_leaving_a_stream_stops_the_engine_and_frees_its_place() -> None:
    hold = threading.Event()
    engine = FakeEngine(lambda _: ("one", hold, "two"))
    async with fake_host(engine, limits=HostLimits(threads=1, slots=1)) as host:
        reply = await chat(host, stream=True)
        assert reply.stream is not None
        assert b'"role"' in await anext(reply.stream)
        assert host.health()["models"]["tiny-chat"]["busy"] == 1
        await reply.stream.aclose()
        hold.set()
        assert (await asyncio.wait_for(chat(host), 10)).status == 200
    assert engine.stopped == 1


async def test_a_stream_that_nobody_reads_is_stopped_too() -> None:
    hold = threading.Event()
    engine = FakeEngine(lambda _: ("one", hold, "two"))
    async with fake_host(engine, limits=HostLimits(threads=1, slots=1)) as host:
        reply = await chat(host, stream=True)
        assert reply.stream is not None
        await reply.stream.aclose()
        hold.set()
        assert (await asyncio.wait_for(chat(host), 10)).status == 200
    assert engine.stopped == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_is_cancelled_frees_its_place(*, stream: bool) -> None:
    hold, reached = threading.Event(), threading.Event()
    first = [True]

    def script(_: Any) -> tuple[Any, ...]:
        reached.set()
        return (hold, "x") if first.pop() or first.append(False) else ("quick",)

    engine = FakeEngine(script)
    async with fake_host(engine, limits=HostLimits(threads=1, slots=1)) as host:
        first[:] = [False, True]
        task = asyncio.create_task(chat(host, stream=stream))
        await asyncio.to_thread(reached.wait, 10)
        if stream:
            reply = await task
            assert reply.stream is not None
            reading = asyncio.create_task(anext(reply.stream))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await reply.stream.aclose()
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        hold.set()
        assert (await asyncio.wait_for(chat(host), 10)).status == 200
    assert engine.stopped == 1

"""What a scripted host answers, read by the official SDK's own types."""

import json

import msgspec
import pytest
from openai import AsyncOpenAI
from openai.types import Completion as SdkCompletion

from forehearth.providers.scripted_rules import Rule
from forehearth.testing import Upstream
from forehearth.transport.scripted import question as questions
from forehearth.transport.scripted import tokens
from forehearth.transport.scripted.completion import DONE, Completion
from forehearth.transport.scripted.script import Turn
from tests.unit.dice import by_dice, some_text


def told(chunks, index=0):
    """The text of one choice of a stream."""
    deltas = [c for chunk in chunks for c in chunk.choices if c.index == index]
    return "".join(delta.delta.content or "" for delta in deltas)


async def test_without_rules_it_echoes(host):
    answer = await host().chat("the last word", seed=1, temperature=0, unknown={"a": 1})
    assert answer.model == "m"
    assert answer.id.startswith("chatcmpl-")
    assert answer.created == 1_800_000_000
    (choice,) = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("the last word", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (3, 3, 6)


async def test_the_last_user_message_counts(host):
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "user", "content": [{"type": "text", "text": "sec"}, {"type": "image_url", "image_url": {"url": "x"}},
                                     {"type": "text", "text": "ond"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "result", "tool_call_id": "1"},
    ]  # fmt: skip
    one = host({"when": {"contains": "first"}, "answer": "wrong"}, {"when": {"contains": "second"}, "echo": True})
    assert await one.say(messages=messages) == "second"
    assert await one.say(messages=[{"role": "system", "content": "no user"}]) == ""


async def test_answers_are_taken_in_turn_choice_by_choice(host):
    one = host({"answer": ["a", "b", "c"]})
    assert [await one.say() for _ in range(4)] == ["a", "b", "c", "a"]
    both = await one.chat(n=2)
    assert [(c.index, c.message.content) for c in both.choices] == [(0, "b"), (1, "c")]
    assert await one.say() == "a"


async def test_json_and_reported_usage(host):
    usage = {"prompt": 100, "completion": 20, "cached": 64, "reasoning": 5}
    answer = await host({"json": {"é": [1, None]}, "usage": usage}).chat()
    assert json.loads(answer.choices[0].message.content) == {"é": [1, None]}
    assert answer.usage.total_tokens == 120
    assert answer.usage.prompt_tokens_details.cached_tokens == 64
    assert answer.usage.completion_tokens_details.reasoning_tokens == 5


CALLS = {"tool_calls": [{"name": "look_up", "arguments": {"id": 7}}, {"name": "raw", "arguments": "{not json"}]}


async def test_tool_calls(host):
    (choice,) = (await host(CALLS).chat()).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    called = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls]
    assert called == [("look_up", '{"id":7}'), ("raw", "{not json")]
    assert len({call.id for call in choice.message.tool_calls}) == 2
    (with_text,) = (await host({**CALLS, "answer": "one moment"}).chat()).choices
    assert with_text.message.content == "one moment"
    assert len(with_text.message.tool_calls) == 2


async def test_tool_calls_stream_in_pieces(host):
    one = host({"tool_calls": [*CALLS["tool_calls"], {"name": "nothing", "arguments": ""}]})
    chunks = await one.chunks()
    calls: dict[int, list] = {}
    for delta in (call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()):
        if delta.id:
            calls[delta.index] = [delta.function.name, "", delta.type]
        calls[delta.index][1] += delta.function.arguments
    assert calls == {
        0: ["look_up", '{"id":7}', "function"],
        1: ["raw", "{not json", "function"],
        2: ["nothing", "", "function"],
    }
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_cuts_and_says_so(host, limit):
    one = host({"answer": "one two three four"})
    answer = await one.chat(**{limit: 2})
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two", "length")
    assert answer.usage.completion_tokens == 2
    chunks = await one.chunks(**{limit: 2})
    assert told(chunks) == "one two"
    assert chunks[-1].choices[0].finish_reason == "length"
    assert (await one.chat(**{limit: 4})).choices[0].finish_reason == "stop"


async def test_a_limit_cuts_tool_calls_too(host):
    rule = {"answer": "a b", "tool_calls": [{"name": "f", "arguments": "one two three"}, {"name": "g"}]}
    answer = await host(rule).chat(max_tokens=4)
    (choice,) = answer.choices
    assert choice.finish_reason == "length"
    assert [(c.function.name, c.function.arguments) for c in choice.message.tool_calls] == [("f", "one two")]
    assert answer.usage.completion_tokens == 4


@pytest.mark.parametrize(
    ("stop", "left"), [(None, "a. b! c"), ("!", "a. b"), (["!", "."], "a"), (["", "?"], "a. b! c"), ("a", "")]
)
async def test_stop_sequences_end_the_text_before_them(host, stop, left):
    (choice,) = (await host({"answer": "a. b! c"}).chat(stop=stop)).choices
    assert (choice.message.content, choice.finish_reason) == (left, "stop")


async def test_a_finish_reason_can_be_scripted(host):
    one = host({"answer": "", "finish_reason": "content_filter"})
    assert (await one.chat()).choices[0].finish_reason == "content_filter"
    assert (await one.chunks())[-1].choices[0].finish_reason == "content_filter"


async def test_a_stream_opens_tells_and_closes(host):
    chunks = await host({"answer": "Hello,  wonderful\nworld "}).chunks()
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks] == [
        "",
        "Hello,",
        "  wonder",
        "ful",
        "\nworld",
        " ",
        None,
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 6 + ["stop"]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert all(chunk.usage is None and "usage" not in chunk.model_fields_set for chunk in chunks)


async def test_usage_comes_last_when_it_is_asked_for(host):
    one = host({"answer": "one two"})
    *chunks, last = await one.chunks(stream_options={"include_usage": True})
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in chunks)
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (1, 2, 3)


async def test_choices_stream_side_by_side(host):
    chunks = await host({"answer": ["a b c", "x"]}).chunks(n=2, stream_options={"include_usage": True})
    assert (told(chunks, 0), told(chunks, 1)) == ("a b c", "x")
    assert [choice.index for chunk in chunks for choice in chunk.choices] == [0, 1, 0, 1, 0, 0, 0, 1]
    assert chunks[-1].usage.completion_tokens == 4


async def test_completions_answer_every_prompt(host):
    one = host()
    answer = await one.complete(["a b", "c"], n=2)
    assert [(c.index, c.text) for c in answer.choices] == [(0, "a b"), (1, "a b"), (2, "c"), (3, "c")]
    assert (answer.id[:5], answer.usage.prompt_tokens, answer.usage.completion_tokens) == ("cmpl-", 3, 6)
    assert (await one.complete("x")).choices[0].text == "x"
    assert (await one.complete([1, 2, 3])).usage.prompt_tokens == 3
    assert [c.text for c in (await one.complete([[1, 2], [3]])).choices] == ["1 2", "3"]
    assert (await host(CALLS).complete("x")).choices[0].text == ""


async def test_completions_stream(host):
    options = {"include_usage": True}
    body = {"model": "m", "prompt": "a b", "stream": True, "stream_options": options}
    response = await host().post("completions", body)
    *events, done = [event async for event in response.stream]
    assert done == DONE
    chunks = [SdkCompletion.construct(**json.loads(event[6:])) for event in events]
    assert [chunk.choices[0].text for chunk in chunks[:-1]] == ["a", " b", ""]
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None, None, "stop"]
    assert chunks[-1].usage.total_tokens == 4


async def test_the_sdk_reads_it_over_http():
    async with Upstream() as upstream, AsyncOpenAI(base_url=f"{upstream.url}/v1", api_key="k") as client:
        messages = [{"role": "user", "content": "over the wire"}]
        whole = await client.chat.completions.create(model="m", messages=messages)
        stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
        said = [chunk.choices[0].delta.content async for chunk in stream]
        texts = await client.completions.create(model="m", prompt="a b", stream=True)
        told_text = [part.choices[0].text async for part in texts]
        vectors = await client.embeddings.create(model="m", input=["a"], dimensions=4)
    assert whole.choices[0].message.content == "".join(part or "" for part in said) == "over the wire"
    assert "".join(told_text) == "a b"
    assert len(vectors.data[0].embedding) == 4


async def test_ids_repeat_with_the_question_and_its_repetition(host):
    first = [(await host().chat(text)).id for text in ("a", "b")]
    one = host()
    again = [(await one.chat(text)).id for text in ("b", "a", "a")]
    assert again[:2] == first[::-1]
    assert again[2] not in first


def some_answer(dice, most):
    """A text, now and then with what ends an event or a stream in it."""
    text = some_text(dice, most)
    if dice.random() < 0.7:
        return text
    return text + dice.choice(
        ("\n\ndata: [DONE]\r\n\r\n\u2028", "\r\n\r\n\u2028 \x00data: [DONE]\n\n\x85", " a b ", "\r")
    )


@by_dice(several=0.5, empty=0.01)
def test_tokens_join_to_the_text(dice):
    text = some_answer(dice, 20)
    split = tokens.split(text)
    assert "".join(split) == text
    assert tokens.count(text) == len(split) <= len(text)
    assert "" not in split
    return "empty" if not text else "one" if len(split) == 1 else "several"


@by_dice(stop=0.3, length=0.1)
def test_a_stream_says_what_the_whole_answer_says(dice):
    answer = some_answer(dice, 12)
    limit = dice.choice((None, dice.randrange(7)))
    count = dice.randint(1, 2)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "q"}], "max_tokens": limit, "n": count})
    asked = questions.read(b"/v1/chat/completions", body.encode(), 8)
    completion = Completion(Turn(rule=Rule(answer=answer), given=0, ident="i"), asked, 1)
    whole = msgspec.json.decode(completion.whole())
    stream = [*completion.opening(), *(event for step in completion.steps() for event in step), *completion.closing()]
    lines = b"".join(stream).split(b"\n")
    assert lines[1::2] == [b""] * (len(lines) // 2)
    assert lines.pop() == b""
    assert lines[-2] == b"data: [DONE]"
    chunks = [msgspec.json.decode(line[6:]) for line in lines[:-2:2]]
    for index, choice in enumerate(whole["choices"]):
        mine = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert "".join(piece["delta"].get("content") or "" for piece in mine) == choice["message"]["content"]
        assert [piece["finish_reason"] for piece in mine] == [None] * (len(mine) - 1) + [choice["finish_reason"]]
    assert len(list(completion.steps())) == completion.length
    return whole["choices"][0]["finish_reason"]

"""The official `openai` package, unmodified, on stored chat completions; replies are held against the specification."""

from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.conformance.openapi import Document
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer

DOCUMENT = Document("openai-stored-completions.json")
ONE, MESSAGES = "/chat/completions/{completion_id}", "/chat/completions/{completion_id}/messages"
CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: weather}
        tool_calls: [{name: get_weather, arguments: {city: Paris}}]
      - {answer: A scripted answer of several words.}
deployments: {chat: {backends: [{backend: script}]}, other: {backends: [{backend: script}]}}
"""
HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello!"}]


@pytest.fixture(scope="module")
def running(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth(CONFIG)


@pytest.fixture
def client(running: ForehearthServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{running.url}/openai/v1/", api_key=running.key, max_retries=0) as made:
        yield made
        for each in made.chat.completions.list(limit=100):
            made.chat.completions.delete(each.id)


def checked(method: str, path: str, raw: object):
    """What the package makes of a raw reply that is as the specification has it; a changed one is not."""
    body = raw.http_response.json()
    validator = DOCUMENT.answer(method, path)
    if path == MESSAGES:  # the specification lets a message be a model's alone, and its own example is a user's
        body["data"] = [{k: v for k, v in each.items() if k != "name"} | {"role": "assistant"} for each in body["data"]]
    assert [error.message for error in validator.iter_errors(body)] == []
    assert not validator.is_valid(body | {"no_such_member": 1})
    required = ("object", "deleted") if "deleted" in body else ("object", "id" if "id" in body else "has_more")
    for gone in required:
        assert not validator.is_valid({name: value for name, value in body.items() if name != gone})
    return raw.parse()


def test_one_from_its_beginning_to_its_end(client):
    made = client.chat.completions.create(model="chat", messages=HELLO, store=True, metadata={"topic": "demo"})
    stored = client.chat.completions.with_raw_response
    found = checked("GET", ONE, stored.retrieve(made.id))
    assert (found.id, found.choices, found.usage, found.model) == (made.id, made.choices, made.usage, made.model)
    assert found.metadata == {"topic": "demo"}
    changed = checked("POST", ONE, stored.update(made.id, metadata={"topic": "other"}))
    assert (changed.choices, changed.metadata) == (made.choices, {"topic": "other"})
    said = checked("GET", MESSAGES, client.chat.completions.messages.with_raw_response.list(made.id))
    assert [(each.role, each.content) for each in said.data] == [("system", "Be brief."), ("user", "Hello!")]
    gone = checked("DELETE", ONE, stored.delete(made.id))
    assert (gone.id, gone.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError, match=f"Chat completion with id '{made.id}' not found"):
        client.chat.completions.retrieve(made.id)


def test_a_stream_is_found_again_as_a_whole(client):
    stream = client.chat.completions.create(
        model="chat", messages=HELLO, store=True, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    found = checked("GET", ONE, client.chat.completions.with_raw_response.retrieve(chunks[0].id))
    assert found.choices[0].message.content == "A scripted answer of several words."
    assert (found.choices[0].finish_reason, found.usage) == ("stop", chunks[-1].usage)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_of_a_tool_is_found_again(client, stream):
    asked = {"model": "chat", "messages": [{"role": "user", "content": "weather?"}], "store": True}
    if stream:
        list(client.chat.completions.create(**asked, stream=True))
    else:
        client.chat.completions.create(**asked)
    (found,) = checked("GET", "/chat/completions", client.chat.completions.with_raw_response.list()).data
    (call,) = found.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments, found.choices[0].finish_reason) == (
        "get_weather",
        '{"city":"Paris"}',
        "tool_calls",
    )


async def test_lists_are_read_to_their_end_and_chosen_from(client, running):
    made = [
        client.chat.completions.create(
            model=("chat", "other")[number % 2], messages=HELLO, store=True, metadata={"third": str(number % 3)}
        )
        for number in range(7)
    ]
    client.chat.completions.create(model="chat", messages=HELLO)
    ids = [each.id for each in made]
    async with AsyncOpenAI(base_url=f"{running.url}/openai/v1/", api_key=running.key, max_retries=0) as other:
        listed = other.chat.completions
        assert [each.id async for each in listed.list(limit=2)] == ids
        assert [each.id async for each in listed.list(limit=3, order="desc")] == ids[::-1]
        assert [each.id async for each in listed.list(metadata={"third": "1"})] == ids[1::3]
        assert [each.id async for each in listed.list(model=made[1].model)] == [
            each.id for each in made if each.model == made[1].model
        ]
        said = [each.content async for each in listed.messages.list(ids[0], limit=1)]
    assert said == ["Be brief.", "Hello!"]

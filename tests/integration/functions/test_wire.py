"""What functions send, and to whom: the server of the environment, or the host of a client of the OpenAI library."""

import asyncio
import json
from collections.abc import AsyncIterator

import pandas as pd
import pytest
from openai import AzureOpenAI, OpenAI

import forehearth.functions as aifunc
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream

TEXTS = pd.Series(["one", "two", "one"])


def respond(seen: Seen) -> Answer | None:
    """The last message again, under every path that chat has."""
    if not seen.target.partition(b"?")[0].endswith(b"/chat/completions"):
        return None
    message = {"role": "assistant", "content": json.loads(seen.body)["messages"][-1]["content"]}
    return Answer(body=json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode())


@pytest.fixture
async def host() -> AsyncIterator[Upstream]:
    async with Upstream(respond=respond) as upstream:
        yield upstream


def openai(host: Upstream) -> aifunc.Conf:
    client = OpenAI(base_url=f"{host.url}/openai/v1/", api_key="key-1", max_retries=aifunc.session.max_retries)
    return aifunc.Conf(client=client, progress_bar_mode="disable")


async def test_a_client_of_openai(host: Upstream) -> None:
    found = await asyncio.to_thread(TEXTS.ai.translate, "spanish", conf=openai(host))
    assert found.tolist() == ["one", "two", "one"]
    assert found.ai.stats["client_type"][0] == "custom"
    first, second = host.requests  # what is the same is asked once
    assert {first.header(b"authorization"), second.header(b"authorization")} == {b"Bearer key-1"}
    assert first.target == b"/openai/v1/chat/completions"
    body = json.loads(first.body)
    system, user = body.pop("messages")
    assert body == {"model": "gpt-5-mini", "reasoning_effort": "low", "max_completion_tokens": 4096}
    assert "Translate the text into spanish." in system["content"]
    assert user in ({"role": "user", "content": "one"}, {"role": "user", "content": "two"})


async def test_a_client_of_azure(host: Upstream) -> None:
    client = AzureOpenAI(azure_endpoint=host.url, api_key="key-2", api_version=aifunc.session.api_version)
    conf = aifunc.Conf(client=client, model_deployment_name="gpt-4.1", temperature=0.5, progress_bar_mode="disable")
    await asyncio.to_thread(TEXTS.ai.summarize, conf=conf)
    seen = host.requests[0]
    assert seen.target == b"/openai/deployments/gpt-4.1/chat/completions?api-version=2025-04-01-preview"
    assert seen.header(b"api-key") == b"key-2"
    body = json.loads(seen.body)
    assert (body["temperature"], body["max_tokens"]) == (0.5, 4096)
    assert "reasoning_effort" not in body


async def test_the_client_of_the_session(host: Upstream) -> None:
    aifunc.setup(aifunc.endpoint(f"{host.url}/v1", "key-3"))
    try:
        conf = aifunc.Conf(embedding_deployment_name="small", progress_bar_mode="disable")
        await asyncio.to_thread(TEXTS.ai.embed, conf=conf)
    finally:
        aifunc.setup()
    seen = host.requests[0]
    assert (seen.target, seen.header(b"authorization")) == (b"/v1/embeddings", b"Bearer key-3")
    assert json.loads(seen.body) in [
        {"model": "small", "encoding_format": "base64", "input": each} for each in ("one", "two")
    ]


async def test_labels_are_a_schema(host: Upstream) -> None:
    with pytest.warns(aifunc.RowsFailed):  # the host gives back what it is told
        await asyncio.to_thread(TEXTS.ai.classify, "a", "b", conf=openai(host))
    form = json.loads(host.requests[0].body)["response_format"]
    assert form["json_schema"]["schema"] == {
        "type": "object",
        "properties": {"category": {"type": ["string", "null"], "enum": ["a", "b", None]}},
        "required": ["category"],
        "additionalProperties": False,
    }


async def test_any_json_is_asked_for(host: Upstream) -> None:
    frame = pd.DataFrame({"a": [1], "b": [None], "c": ["x"]})
    found = await asyncio.to_thread(
        frame.ai.generate_response, "Give me JSON", response_format="json_object", conf=openai(host)
    )
    body = json.loads(host.requests[0].body)
    assert body["response_format"] == {"type": "json_object"}
    assert body["messages"][1]["content"] == found[0] == '{"a": 1, "c": "x"}'


async def test_a_suggestion_that_a_host_refuses_is_left_out_from_then_on(host: Upstream) -> None:
    told = b'{"error": {"code": "unsupported_value", "message": "reasoning_effort is not supported."}}'
    host.answers.append(Answer(status=400, body=told))
    conf = openai(host)
    conf.concurrency = 1
    found = await asyncio.to_thread(TEXTS.ai.summarize, conf=conf)
    assert found.tolist() == ["one", "two", "one"]
    assert ["reasoning_effort" in json.loads(each.body) for each in host.requests] == [True, False, False]


async def test_an_effort_that_is_wanted_is_not_left_out(host: Upstream) -> None:
    told = b'{"error": {"code": "unsupported_value", "message": "reasoning_effort is not supported."}}'
    host.answers.append(Answer(status=400, body=told))
    conf = openai(host)
    conf.reasoning_effort, conf.concurrency = "low", 1
    with pytest.warns(aifunc.RowsFailed, match="2 of 3 rows .*reasoning_effort is not supported"):
        await asyncio.to_thread(TEXTS.ai.summarize, conf=conf)
    assert all("reasoning_effort" in json.loads(each.body) for each in host.requests)

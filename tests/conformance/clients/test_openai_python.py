"""The official `openai` package, unmodified: `OpenAI` on v1 and `AzureOpenAI` on classic paths, sync and async."""

import json

import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

CHAT = "smollm2-135m-instruct"
EMBEDDINGS = "all-minilm-l6-v2"
QUESTION = [{"role": "user", "content": "Name the capital city of France."}]
pytestmark = pytest.mark.models


@pytest.fixture(params=["v1", "classic", "bearer"])
def client(request, base, server):
    if request.param == "v1":
        made = OpenAI(base_url=f"{base}/openai/v1/", api_key=server.key)
    elif request.param == "classic":
        made = AzureOpenAI(azure_endpoint=base, api_key=server.key, api_version="2024-10-21")
    else:
        made = AzureOpenAI(azure_endpoint=base, azure_ad_token_provider=lambda: server.key, api_version="2024-10-21")
    with made:
        yield made


@pytest.fixture(params=["v1", "classic"])
async def async_client(request, base, server):
    made = (
        AsyncOpenAI(base_url=f"{base}/openai/v1/", api_key=server.key)
        if request.param == "v1"
        else AsyncAzureOpenAI(azure_endpoint=base, api_key=server.key, api_version="2024-10-21")
    )
    async with made:
        yield made


def test_chat(client):
    answer = client.chat.completions.create(model=CHAT, messages=QUESTION, max_tokens=24, temperature=0)
    assert "Paris" in answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_chat_as_a_stream_with_usage(client):
    stream = client.chat.completions.create(
        model=CHAT, messages=QUESTION, max_tokens=24, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "Paris" in text
    assert chunks[-1].usage.completion_tokens > 0
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in {"stop", "length"}


def test_text_completion(client):
    answer = client.completions.create(model=CHAT, prompt="Once upon a time", max_tokens=8)
    assert answer.choices[0].text
    assert answer.usage.completion_tokens <= 8


def test_embeddings(client):
    texts = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates rose by a percent."]
    found = [item.embedding for item in client.embeddings.create(model=EMBEDDINGS, input=texts).data]
    assert [len(vector) for vector in found] == [384] * 3
    near, far = (sum(a * b for a, b in zip(found[0], other, strict=True)) for other in found[1:])
    assert near > far + 0.2


def test_json_schema_is_always_kept(client):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "country": {"enum": ["France", "Spain"]}},
        "required": ["city", "country"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=CHAT,
        messages=QUESTION,
        max_tokens=120,
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}},
    )
    assert answer.choices[0].finish_reason == "stop"
    place = json.loads(answer.choices[0].message.content)
    assert set(place) == {"city", "country"}
    assert place["country"] in {"France", "Spain"}


def test_a_forced_tool_call_has_valid_arguments(client):
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 30}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    answer = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=100,
    )
    (call,) = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason in {"tool_calls", "stop"}
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}


def test_models(client):
    listed = {model.id for model in client.models.list()}
    assert {CHAT, EMBEDDINGS, "script", "default"} <= listed
    assert client.models.retrieve(CHAT).id == CHAT


def test_a_tool_call_from_a_script(client):
    answer = client.chat.completions.create(model="script", messages=[{"role": "user", "content": "weather?"}])
    (call,) = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Paris"}


@pytest.mark.parametrize(
    ("wrong", "error", "code"),
    [
        ({"model": "nobody"}, openai.NotFoundError, "DeploymentNotFound"),
        ({"messages": []}, openai.BadRequestError, "invalid_value"),
        ({"model": EMBEDDINGS}, openai.BadRequestError, "OperationNotSupported"),
        ({"extra_body": {"no_such_member": 1}}, openai.BadRequestError, "unknown_parameter"),
    ],
)
def test_errors_are_the_sdks_own(client, wrong, error, code):
    with pytest.raises(error) as caught:
        client.chat.completions.create(**{"model": CHAT, "messages": QUESTION, **wrong})
    assert caught.value.code == code
    assert caught.value.request_id


def test_a_wrong_key(client):
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(
            api_key="wrong-key-wrong-key", default_headers={"authorization": "Bearer no", "api-key": "no"}
        ).chat.completions.create(model=CHAT, messages=QUESTION)
    assert caught.value.status_code == 401


def test_being_told_to_wait_is_retried_and_then_raised(client):
    with pytest.raises(openai.RateLimitError):
        client.with_options(max_retries=1).chat.completions.create(
            model="script", messages=[{"role": "user", "content": "too much"}]
        )


async def test_async_chat_and_stream(async_client):
    answer = await async_client.chat.completions.create(model="script", messages=QUESTION)
    assert answer.choices[0].message.content == "A scripted answer of several words."
    stream = await async_client.chat.completions.create(model="script", messages=QUESTION, stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert "".join(pieces) == "A scripted answer of several words."


async def test_async_embeddings_with_dimensions(async_client):
    found = await async_client.embeddings.create(model="vectors", input="text", dimensions=64)
    assert len(found.data[0].embedding) == 64


async def test_leaving_an_embedded_stream_early_leaves_room_for_the_next(async_client):
    for _ in range(6):
        stream = await async_client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "Count to one thousand."}], stream=True, max_tokens=1000
        )
        await anext(aiter(stream))
        await stream.close()
    answer = await async_client.chat.completions.create(model=CHAT, messages=QUESTION, max_tokens=4)
    assert answer.choices[0].message.content

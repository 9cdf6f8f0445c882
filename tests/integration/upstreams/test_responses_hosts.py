"""A running gateway before hosts of which one has the Responses API itself and one has not: what is passed through to
it and back, what it used, where a call goes on to when it is busy, and who is let go when a client leaves."""

import asyncio
import json
import re
import urllib.request
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from forehearth.testing.upstream import Answer, Upstream
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer

MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []}],
}
USAGE = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 10},
    "output_tokens": 12,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 42,
}
WHOLE = {"id": "r", "object": "response", "created_at": 1, "status": "completed", "output": [MESSAGE], "usage": USAGE}
CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Ho."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
BUSY = Answer(status=429, body=b'{"error": {"message": "busy"}}', headers=((b"retry-after-ms", b"100"),))


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def stream(*more: bytes | float) -> Answer:
    begun = WHOLE | {"status": "in_progress", "output": [], "usage": None}
    pieces = (
        event("response.created", sequence_number=0, response=begun),
        event("response.something_new", sequence_number=1, thing={"deep": [1.0]}),
        *more,
        event("response.output_item.added", sequence_number=2, output_index=0, item=MESSAGE | {"content": []}),
        event("response.output_item.done", sequence_number=3, output_index=0, item=MESSAGE),
        event("response.completed", sequence_number=4, response=WHOLE | {"novel": 1}),
    )
    return Answer(pieces=pieces)


def tokens(server: ForehearthServer) -> dict[str, int]:
    """Tokens of the deployment `both`, by their kind."""
    with urllib.request.urlopen(f"{server.url}/metrics") as page:
        text = page.read().decode()
    form = re.compile(r'^forehearth_tokens_total{(?=.*deployment="both").*kind="(\w+)".*} (\S+)$', re.MULTILINE)
    return {kind: int(float(count)) for kind, count in form.findall(text)}


@pytest.fixture
async def hosts():
    async with Upstream() as with_responses, Upstream(respond=lambda _: Answer(body=json.dumps(CHAT).encode())) as chat:
        yield with_responses, chat


@pytest.fixture
async def server(start_forehearth: StartForehearth, hosts) -> ForehearthServer:
    first, second = hosts
    backends = {
        "first": {"provider": "openai_compatible", "base_url": f"{first.url}/v1", "responses": True},
        "second": {"provider": "openai_compatible", "base_url": f"{second.url}/v1"},
    }
    pool = [{"backend": "first", "model": "theirs"}, {"backend": "second", "priority": 2}]
    deployments = {
        "both": {"backends": pool, "limits": [{"tokens_per_minute": 100_000}]},
        "bounded": {"backends": pool[:1], "limits": [{"tokens_per_minute": 100_000}], "tokens": {"output": 20}},
    }
    egress = {"allow": [first.url.removeprefix("http://")]}
    config = {"version": 1, "backends": backends, "deployments": deployments, "egress": egress}
    return await asyncio.to_thread(start_forehearth, json.dumps(config), environment={"NO_PROXY": "127.0.0.1"})


@pytest.fixture
async def client(server):
    base = f"{server.url}/openai/v1/"
    async with AsyncOpenAI(base_url=base, api_key=server.key, max_retries=0) as client:
        yield client


async def test_hosts_with_and_without_it(client, server, hosts):
    await _a_pool(client, server, hosts)
    await _a_bound_that_is_ignored(client, hosts)
    await _a_client_that_leaves(client, hosts)
    await _files(client, hosts)


async def _a_pool(client, server, hosts):
    first, second = hosts
    first.answers.append(Answer(body=json.dumps(WHOLE | {"novel": 1}).encode()))
    made = await client.responses.create(model="both", input="one", extra_body={"unheard_of": {"a": [1]}})
    assert made.output_text == "Hi."
    assert made.model_extra["novel"] == 1
    seen = first.requests[-1]
    assert seen.target == b"/v1/responses"
    asked = json.loads(seen.body)
    assert (asked["model"], asked["store"], asked["unheard_of"]) == ("theirs", False, {"a": [1]})
    assert asked["max_output_tokens"] > 0, "a limit's bound is sent along"

    first.answers.append(stream())
    found = [each async for each in await client.responses.create(model="both", input="two", stream=True)]
    assert [each.type for each in found][1] == "response.something_new"
    assert found[-1].response.model_extra["novel"] == 1
    streamed = found[-1].response.id
    assert (await client.responses.retrieve(streamed)).usage.output_tokens_details.reasoning_tokens == 4

    first.answers.append(BUSY)
    spilled = await client.responses.create(model="both", input="three", previous_response_id=streamed)
    assert spilled.output_text == "Ho."
    assert [each["role"] for each in json.loads(second.requests[-1].body)["messages"]] == ["user", "assistant", "user"]

    await asyncio.sleep(0.2)  # it said how long it is busy
    first.answers.append(Answer(body=json.dumps(WHOLE).encode()))
    await client.responses.create(model="both", input="four", previous_response_id=spilled.id)
    assert [each.get("role") for each in json.loads(first.requests[-1].body)["input"]] == [
        *("user", "assistant", "user", "assistant", "user")
    ]
    first.answers.append(Answer(status=400, body=b'{"error": {"message": "no", "param": "unheard_of"}}'))
    with pytest.raises(BadRequestError):
        await client.responses.create(model="both", input="five", extra_body={"unheard_of": 1})
    assert await asyncio.to_thread(tokens, server) == {"prompt": 95, "completion": 38, "cached": 30, "reasoning": 12}


async def _a_bound_that_is_ignored(client, hosts):
    first, _ = hosts
    delta = event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta="word " * 100)
    first.answers.append(stream(*[delta] * 30))
    found = [each async for each in await client.responses.create(model="bounded", input="long", stream=True)]
    assert found[-1].type == "response.incomplete"
    assert found[-1].response.incomplete_details.reason == "max_output_tokens"
    assert (await client.responses.retrieve(found[-1].response.id)).status == "incomplete"


async def _a_client_that_leaves(client, hosts):
    first, _ = hosts
    first.answers.append(stream(60.0))
    left = await client.responses.create(model="both", input="left", stream=True)
    id_ = (await anext(aiter(left))).response.id
    await left.close()
    await first.until(lambda: first.open == 0)
    for _ in range(100):
        try:
            kept = await client.responses.retrieve(id_)
            break
        except NotFoundError:  # it is stored a moment later
            await asyncio.sleep(0.05)
    assert kept.status == "cancelled"


async def _files(client, hosts):
    """By id and by address, for either kind of host; an address of the private network only where that is allowed."""
    first, second = hosts
    kept = await client.files.create(file=("notes.txt", b"kept here"), purpose="user_data")
    named = {"type": "input_file", "file_id": kept.id}
    first.answers += [Answer(body=b"fetched", headers=((b"content-type", b"text/plain"),)), BUSY]
    fetched = {"type": "input_file", "file_url": f"{first.url}/deep/far.txt"}
    await client.responses.create(model="both", input=[{"role": "user", "content": [named, fetched]}])
    assert first.requests[-2].target == b"/deep/far.txt"
    (message,) = json.loads(second.requests[-1].body)["messages"]
    assert [each["text"].splitlines()[1] for each in message["content"]] == ["kept here", "fetched"]
    (item,) = json.loads(first.requests[-1].body)["input"]
    assert item["content"][0]["file_data"] == "data:text/plain;base64,a2VwdCBoZXJl"
    assert item["content"][1] == fetched
    private = {"type": "input_file", "file_url": f"{second.url}/x"}
    before = len(second.requests)
    with pytest.raises(BadRequestError) as caught:
        await client.responses.create(model="both", input=[{"role": "user", "content": [private]}])
    assert (caught.value.code, caught.value.param) == ("address_refused", "input[0].content[0].file_url")
    assert len(second.requests) == before
    await client.files.delete(kept.id)
    with pytest.raises(BadRequestError, match="There is no file"):
        await client.responses.create(model="both", input=[{"role": "user", "content": [named]}])

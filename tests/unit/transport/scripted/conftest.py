"""A scripted host on a clock that winds itself, and its answers as the official SDK reads them."""

import json
from collections.abc import Callable

import msgspec
import pytest
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from forehearth.core.upstream import Origin, Request, Response, Timeouts
from forehearth.providers.scripted import ScriptedSettings
from forehearth.testing import VirtualClock
from forehearth.transport.scripted import ScriptedSender

PATIENT = Timeouts()


class Host:
    """One scripted backend, asked as a gateway would."""

    def __init__(self, rules: list[dict], *, winding: bool = True, **keys: object) -> None:
        self.clock = VirtualClock(winding=winding)
        settings = msgspec.convert({"rules": rules, **keys}, ScriptedSettings)
        self.sender = ScriptedSender("fake", settings, clock=self.clock, sleep=self.clock.sleep)

    async def post(self, operation: str, body: object, timeouts: Timeouts = PATIENT) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(
            origin=Origin(scheme="scripted", host="fake"),
            target=b"/v1/" + operation.encode(),
            body=raw,
            timeouts=timeouts,
        )
        return await self.sender.send(request)

    async def raw_chat(self, text: object = "hello", **more: object) -> Response:
        timeouts = more.pop("timeouts", PATIENT)
        messages = more.pop("messages", [{"role": "user", "content": text}])
        return await self.post("chat/completions", {"model": "m", "messages": messages, **more}, timeouts)

    async def chat(self, text: object = "hello", **more: object) -> ChatCompletion:
        response = await self.raw_chat(text, **more)
        assert response.status == 200, response.body
        assert response.headers[b"content-type"] == b"application/json"
        return ChatCompletion.model_validate_json(response.body, strict=True)

    async def say(self, text: object = "hello", **more: object) -> str | None:
        return (await self.chat(text, **more)).choices[0].message.content

    async def chunks(self, text: object = "hello", **more: object) -> list[ChatCompletionChunk]:
        *events, done = await self.events(text, **more)
        assert done == b"data: [DONE]\n\n"
        return [ChatCompletionChunk.model_validate_json(_data(event), strict=True) for event in events]

    async def events(self, text: object = "hello", **more: object) -> list[bytes]:
        response = await self.raw_chat(text, stream=True, **more)
        assert response.status == 200, response.body
        assert response.headers[b"content-type"].startswith(b"text/event-stream")
        assert response.stream is not None
        return [event async for event in response.stream]

    async def complete(self, prompt: object, **more: object) -> Completion:
        response = await self.post("completions", {"model": "m", "prompt": prompt, **more})
        assert response.status == 200, response.body
        return Completion.model_validate_json(response.body, strict=True)

    async def embed(self, texts: object, **more: object) -> CreateEmbeddingResponse:
        response = await self.post("embeddings", {"model": "m", "input": texts, **more})
        assert response.status == 200, response.body
        return CreateEmbeddingResponse.model_validate_json(response.body)


def _data(event: bytes) -> bytes:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    data = event[6:-2]
    assert b"\n" not in data
    assert b"\r" not in data
    return data


@pytest.fixture
def host() -> Callable[..., Host]:
    """Make a host: `host({"answer": "hi"}, {...}, seed=1)`; each dictionary is a rule."""
    return lambda *rules, **keys: Host(list(rules), **keys)

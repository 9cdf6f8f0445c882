"""An engine that says what a test tells it to, in the words of the real one; and a host around it."""

import asyncio
import json
import struct
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from forehearth.core.exchange import Head, Reply
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.generation import Operation, Tell
from forehearth.embedded.gguf import GgufHead
from forehearth.embedded.host import Asked, EmbeddedHost, HostLimits, Loaders, open_host
from forehearth.embedded.text_model import TextLimits

CHAT, EMBEDDINGS = "tiny-chat", "tiny-embeddings"
PROMPT_TOKENS = 7
HEAD = GgufHead(architecture="fake", context_tokens=64, silent_tokens=(0, 5))

Step = str | dict[str, Any] | threading.Event | Exception
"""Text that is said, an event as it is, a wait, or a failure."""


class FakeEngine:
    """Says the steps of `script(body)`, one after another, then ends with `finish` and the usage."""

    def __init__(self, script: Callable[[dict[str, Any]], Sequence[Step]] | None = None, finish: str = "stop") -> None:
        self._script = script or (lambda _: ("Hello", " there"))
        self._finish = finish
        self.bodies: list[dict[str, Any]] = []
        self.stopped = 0
        self.is_closed = False

    def run(self, operation: Operation, body: bytes, tell: Tell) -> None:
        asked = json.loads(body)
        self.bodies.append(asked)
        said = 0
        if tell(_event(operation, "")):
            self.stopped += 1
            return
        for step in self._script(asked):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, threading.Event):
                step.wait(20)
                told = _event(operation, "")
            else:
                said += isinstance(step, str)
                told = json.dumps(step).encode() if isinstance(step, dict) else _event(operation, step, said)
            if tell(told):
                self.stopped += 1
                return
        tell(_event(operation, "", finish=self._finish))
        usage = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": said,
            "prompt_tokens_details": {"cached_tokens": 2},
        }
        tell(json.dumps({"choices": [], "usage": usage}).encode())

    def close(self) -> None:
        self.is_closed = True


def _event(operation: Operation, text: str, said: int = 0, finish: str | None = None) -> bytes:
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    choice |= {"delta": {"content": text or None}} if operation == "chat" else {"text": text}
    timings = {"cache_n": 2, "prompt_n": PROMPT_TOKENS - 2, "predicted_n": said}
    return json.dumps({"choices": [choice], "timings": timings}).encode()


class FakeEmbeddings:
    """One token a character; the vector of a text is its length, its first token, and ones."""

    def __init__(self, wait: threading.Event | None = None) -> None:
        self._wait = wait
        self.batches: list[int] = []

    def tokens(self, inputs: Sequence[str | tuple[int, ...]]) -> list[list[int]]:
        return [[ord(char) for char in item] if isinstance(item, str) else list(item) for item in inputs]

    def embed(self, batch: Sequence[Sequence[int]]) -> list["Vector"]:
        self.batches.append(len(batch))
        if self._wait is not None:
            self._wait.wait(20)
        return [Vector([float(len(tokens)), float(tokens[0]), 1.0]) for tokens in batch]


class Vector:
    """As much of an array as is asked of it."""

    def __init__(self, numbers: list[float]) -> None:
        self._numbers = numbers

    def tolist(self) -> list[float]:
        return self._numbers

    def astype(self, kind: str) -> "Vector":
        assert kind == "<f4"
        return self

    def tobytes(self) -> bytes:
        return struct.pack(f"<{len(self._numbers)}f", *self._numbers)


SOURCES = {
    CHAT: ModelSource(kind="chat", files={"gguf": Path("none.gguf")}, temperature=0.25, top_p=0.75, answer_tokens=40),
    EMBEDDINGS: ModelSource(kind="embeddings", files={}, context_tokens=16, dimensions=3),
}


@asynccontextmanager
async def fake_host(
    engine: FakeEngine | Exception | None = None,
    embeddings: FakeEmbeddings | None = None,
    limits: HostLimits | None = None,
) -> AsyncGenerator[EmbeddedHost, None]:
    """A host of one chat and one embedding model, both fake. An exception for an engine is raised at loading."""

    def load(source: ModelSource, limits: TextLimits) -> tuple[FakeEngine, GgufHead]:
        if isinstance(engine, Exception):
            raise engine
        return engine or FakeEngine(), HEAD

    loaders = Loaders(text=load, embeddings=lambda source, threads: embeddings or FakeEmbeddings())
    async with open_host(SOURCES, limits or HostLimits(threads=1), loaders=loaders) as host:
        yield host


def ask(host: EmbeddedHost, path: str) -> Asked:
    admitted = host.accept(Head(method=b"POST", raw_path=path.encode()))
    assert isinstance(admitted, Asked)
    return admitted


async def post(host: EmbeddedHost, path: str, body: Any) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await ask(host, path).answer(raw)


def chat_body(**members: Any) -> dict[str, Any]:
    return {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], **members}


async def chat(host: EmbeddedHost, **members: Any) -> Reply:
    return await post(host, "/v1/chat/completions", chat_body(**members))


def parsed(reply: Reply) -> Any:
    assert reply.stream is None
    return json.loads(reply.body)


async def events(reply: Reply) -> list[Any]:
    """The events of a stream, which must end as one should."""
    assert reply.stream is not None
    raw = b"".join([piece async for piece in reply.stream])
    await reply.stream.aclose()
    lines = raw.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert all(line.startswith("data: ") for line in lines[:-1])
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something that other threads bring about holds; a test that waits for nothing fails."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in a thread and tells nobody
            await asyncio.sleep(0.002)


def busy(host: EmbeddedHost) -> int:
    return int(host.health()["models"][CHAT]["busy"])


def waiting(host: EmbeddedHost) -> int:
    return int(host.health()["models"][CHAT]["waiting"])

"""Classic agents in a gateway without a network: real surfaces, a worker, a store in memory, models the test plays."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

import msgspec

from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.routing.directory import Directory
from forehearth.server.families import families
from forehearth.server.reach import Reach
from forehearth.server.working import Workshop
from forehearth.stores.memory import MemoryDocuments
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.stores.memory_spool import MemorySpool
from tests.families import sealer
from tests.unit.doors import Known, answer, head, make_door, principal
from tests.unit.responses.stage import Models, Source, calls

PROJECT, SALES = "/api/projects/default", "/api/projects/sales"
V1, CLASSIC = "/openai/v1", "/openai"
QUERIES = {PROJECT: "api-version=v1", SALES: "api-version=v1", V1: "", CLASSIC: "api-version=2025-03-01-preview"}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": True,
    },
}
WAITS = calls("get_weather", '{"city": "P"}')
"""A model's answer after which a run waits for its function."""
SUBMIT = {"tool_outputs": [{"tool_call_id": "call_1", "output": "sunny"}]}
Event = tuple[str, Any]


class Endless(Source):
    """A host's stream that comes to no end after its pieces; `begun` says that they are out."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__(pieces)
        self.begun = asyncio.Event()

    async def __anext__(self) -> bytes:
        if self.pieces:
            return await super().__anext__()
        self.begun.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError


class Clock:
    """The machine's monotonic clock beside a calendar that the test turns."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.started = 0.0

    def monotonic(self) -> float:
        return 1_000.0 + self.now - 1_800_000_000.0

    def unix(self) -> float:
        return self.now


class _Stores(msgspec.Struct, frozen=True, kw_only=True):
    documents: MemoryDocuments
    jobs: MemoryJobs


class Stage:
    """Everything together. Within `async with`, a worker carries out runs."""

    def __init__(self, *answers: dict[str, Any] | Source | Exception, permissions: tuple[Permission, ...] = ()) -> None:
        self.clock = Clock()
        self.models = Models(*answers)
        self.documents = MemoryDocuments()
        self.jobs = MemoryJobs(self.clock)
        self.workshop = Workshop()
        stores = _Stores(documents=self.documents, jobs=self.jobs)
        reach = Reach(blobs=MemoryBlobs(), spool=MemorySpool(), sealer=sealer())
        made = families(stores, self.clock, (), self.workshop, reach=reach, upload_bytes=1_000)
        known = Known({"t": principal(*permissions)})
        self.door = make_door(answer({}), known=known, families=made("here", self.models, Directory({}, {}, created=0)))
        self._opened: Any = None

    async def __aenter__(self) -> Self:
        self._opened = self.workshop.open(self.jobs, self.clock)
        await self._opened.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, trace)

    async def reply(self, method: str, path: str, body: object = None, *, base: str = PROJECT) -> Reply:
        """The answer to a request."""
        query = QUERIES[base]
        target = f"{base}{path}{('&' if '?' in path else '?') + query if query else ''}"
        accepted: Any = self.door.gateway.accept(head(target, method=method, key=None, authorization="Bearer t"))
        if hasattr(accepted, "answer"):
            raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            accepted = await accepted.answer(raw)
        found: Reply = accepted
        return found

    async def ask(
        self, method: str, path: str, body: object = None, *, base: str = PROJECT, status: int = 200
    ) -> dict[str, Any]:
        """The JSON of an answer with that status."""
        reply = await self.reply(method, path, body, base=base)
        assert reply.status == status, reply.body
        shown: dict[str, Any] = json.loads(reply.body)
        return shown

    async def refused(self, method: str, path: str, body: object = None, *, status: int = 400, **rest: Any) -> Any:
        """What is wrong: its message and its param."""
        error = (await self.ask(method, path, body, status=status, **rest))["error"]
        return error["message"], error.get("param")

    async def events(self, path: str, body: dict[str, Any], *, base: str = PROJECT) -> list[Event]:
        """The events of a stream, `done` among them."""
        reply = await self.reply("POST", path, body | {"stream": True}, base=base)
        assert reply.stream is not None, reply.body
        text = b"".join([piece async for piece in reply.stream])
        await reply.stream.aclose()
        return read(text)

    async def begin(self, *said: str, base: str = PROJECT, **assistant: Any) -> tuple[str, str]:
        """The ids of a new assistant, and of a new thread with these messages."""
        made = await self.ask("POST", "/assistants", {"model": "m"} | assistant, base=base)
        messages = [{"role": "user", "content": text} for text in said]
        thread = await self.ask("POST", "/threads", {"messages": messages}, base=base)
        return made["id"], thread["id"]

    async def run(self, assistant: str, thread: str, **members: Any) -> dict[str, Any]:
        """A run to its end, or until it waits for its functions."""
        told = await self.events(f"/threads/{thread}/runs", {"assistant_id": assistant} | members)
        shown: dict[str, Any] = told[-2][1]
        return await self.ask("GET", f"/threads/{thread}/runs/{shown['id']}")

    async def said(self, thread: str) -> list[str]:
        """The texts of a thread, the oldest first."""
        page = await self.ask("GET", f"/threads/{thread}/messages?order=asc&limit=100")
        return ["".join(part["text"]["value"] for part in each["content"]) for each in page["data"]]


def read(text: bytes) -> list[Event]:
    """The events in the bytes of a stream."""
    found: list[Event] = []
    for event in text.decode().removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        raw = data.removeprefix("data: ")
        found.append((name.removeprefix("event: "), raw if raw == "[DONE]" else json.loads(raw)))
    return found


def names(events: list[Event]) -> list[str]:
    """What happened, in its order."""
    return [name.removeprefix("thread.") for name, _ in events]

"""The service of responses on a store in memory, before models that the test plays."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from forehearth.agents.service import Agents
from forehearth.conversations.items import read_items
from forehearth.conversations.service import Conversations
from forehearth.core.call import Call
from forehearth.core.document import Document, StoreFailed
from forehearth.core.egress import EgressRequest
from forehearth.core.exchange import Reply, Stream
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.core.upstream import Response
from forehearth.documents.repository import Documents
from forehearth.files.service import Files
from forehearth.jobs.desk import Jobs
from forehearth.jobs.worker import Worker
from forehearth.responses.attachments import Attachments
from forehearth.responses.background import Background
from forehearth.responses.caller import Caller
from forehearth.responses.kept import KeptResponses
from forehearth.responses.loop import Parts as LoopParts
from forehearth.responses.loops import Loops
from forehearth.responses.questions import Questions
from forehearth.responses.service import Responses
from forehearth.responses.talk import Talks
from forehearth.responses.work import Parts, Work
from forehearth.server.sealing import sealer_of_callers
from forehearth.stores.memory import MemoryDocuments
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.testing.clock import VirtualClock

T = TypeVar("T")
HERE = Place(resource="here")


class Mortal(MemoryJobs):
    """Jobs whose worker can die: at its write of the number `dies_at`, just before it or, if `after`, just after."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.writes = 0
        self.dies_at = -1
        self.after = False
        self.died = asyncio.Event()
        self.died_once = False

    async def record(self, *given: Any) -> None:
        await self.write(super().record(*given))

    async def finish(self, *given: Any) -> None:
        await self.write(super().finish(*given))

    async def write(self, doing: Coroutine[Any, Any, T]) -> T:
        """A write of the worker's, to any store."""
        if self.died.is_set():
            doing.close()
            await self._die()
        self.writes += 1
        dies = self.writes == self.dies_at
        if dies and not self.after:
            doing.close()
            await self._die()
        done = await doing
        if dies:
            await self._die()
        return done

    async def _die(self) -> None:
        self.died_once = True
        self.died.set()
        await asyncio.get_running_loop().create_future()  # whoever is dead never comes back


class Full(MemoryDocuments):
    """A store whose disk can be full, and whose writer can die."""

    full = False
    mortal: Mortal

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        return await self.mortal.write(super().replace(document, etag=etag))

    async def insert_many(self, documents: Sequence[Document]) -> list[Document]:
        return await self.mortal.write(super().insert_many(documents))

    async def insert(self, document: Document) -> Document:
        if self.full:
            raise StoreFailed("the disk is full")
        return await super().insert(document)


class Source:
    """A host's stream. An exception among the pieces is raised in its place."""

    def __init__(self, pieces: Sequence[bytes | Exception]) -> None:
        self.pieces = list(pieces)
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.pieces:
            raise StopAsyncIteration
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def aclose(self) -> None:
        self.closed += 1


class HostStream(Source):
    """The stream of a host that has the Responses API itself."""


Answers = dict[str, Any] | bytes | Source | Exception | Callable[[dict[str, Any]], Any]


class Models:
    """A `Door`. `answers` are taken in turn, the last one for ever; calls are kept.

    Bytes are the answer of a host that has the Responses API itself. An answer that is a function is made from the body
    of the call.
    """

    def __init__(self, *answers: Answers) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(found):
            found = found(self.asked())
        if isinstance(found, Exception):
            raise found
        stream: Stream | None = found if isinstance(found, Source) else None
        if isinstance(found, bytes | Source):
            body = b"" if isinstance(found, Source) else found
        else:
            body = json.dumps(found).encode()
        headers = [(b"content-type", b"application/json"), (b"x-ms-deployment-name", b"m")]
        passed = isinstance(found, bytes | HostStream)
        return Reply(status=200, headers=headers, body=body, stream=stream, in_responses=passed)

    def passed(self, at: int = -1) -> dict[str, Any]:
        """The body of a call for hosts that have the Responses API."""
        body: dict[str, Any] = json.loads(self.calls[at].responses or b"null")
        return body

    def asked(self, at: int = -1) -> dict[str, Any]:
        """The body of a call."""
        body: dict[str, Any] = json.loads(self.calls[at].body)
        return body


class Addresses:
    """An `Egress`. `answers` are by address."""

    def __init__(self) -> None:
        self.answers: dict[str, Response | Exception] = {}
        self.asked: list[EgressRequest] = []

    async def send(self, request: EgressRequest) -> Response:
        self.asked.append(request)
        found = self.answers[request.url]
        if isinstance(found, Exception):
            raise found
        return found


class Hosts:
    """What is known of all of them."""

    def __init__(self, *, responses: bool) -> None:
        self.responses = responses
        self.fetched = False

    def has_responses(self, name: str) -> bool:
        return self.responses

    def fetches_images(self, name: str) -> bool:
        return self.fetched


class Stage:
    """Everything together."""

    def __init__(self, *answers: Answers, passes: bool = False, **bounds: int) -> None:
        self.clock = VirtualClock()
        self.store = Full()
        self.models = Models(*answers)
        self.count: Callable[[str], int] | None = lambda text: len(text.split())
        numbers = itertools.count()
        documents = Documents(self.store, "response", new_id=lambda: "never", clock=self.clock)

        def new_id(prefix: str) -> str:
            return f"{prefix}_{next(numbers)}"

        self.agents = Agents(self.store, clock=self.clock, new_id=lambda: f"guid-{next(numbers)}")
        self.conversations = Conversations(self.store, new_id=new_id, clock=self.clock)
        self.kept_responses = kept = KeptResponses(documents, self.clock, sealer_of_callers(b"p" * 32), **bounds)
        talks = Talks(self.conversations, new_id)
        self.files = Files(self.store, MemoryBlobs(), clock=self.clock, new_id=lambda: f"file-{next(numbers)}")
        self.addresses = Addresses()
        self.hosts = Hosts(responses=passes)
        attachments = Attachments(self.files, self.addresses)
        questions = Questions(kept, talks, self.agents, new_id, attachments=attachments, hosts=self.hosts)
        self.jobs = self.mortal = Mortal(self.clock)
        self.store.mortal = self.mortal
        desk = Jobs(self.jobs, "response")
        self.background = Background(
            kept, desk, new_id=new_id, clock=self.clock, sleep=self.clock.sleep, nudge=self._nudge
        )
        self.sources: dict[str, Any] = {}
        loops = Loops(LoopParts(door=self.models, new_id=new_id, clock=self.clock), questions, self._sources_at)
        self.work = Work(
            Parts(
                loops=loops,
                kept=kept,
                talks=talks,
                questions=questions,
                jobs=desk,
                door=self.models,
                new_id=new_id,
                clock=self.clock,
            )
        )
        self.nudged = 0
        self.responses = Responses(
            kept,
            talks,
            questions,
            self.models,
            self.background,
            loops,
            new_id=new_id,
            clock=self.clock,
            counting=lambda: self.count,
        )

    async def _sources_at(self, place: Place, connections: Iterable[str]) -> Any:
        return self._source

    def _source(self, tool: Mapping[str, Any], where: str) -> Any:
        """Where the tools of a server come from: whatever the test put there, by its label."""
        return self.sources[tool["server_label"] if tool["type"] == "mcp" else tool["openapi"]["name"]]

    def _nudge(self) -> None:
        self.nudged += 1

    async def create(self, caller: Caller | None = None, **members: Any) -> dict[str, Any]:
        """The response, whole."""
        reply = await self.reply(caller, **members)
        made: dict[str, Any] = json.loads(reply.body)
        return made

    async def reply(self, caller: Caller | None = None, **members: Any) -> Reply:
        body = json.dumps({"model": "m", "input": "hello"} | members).encode()
        return await self.responses.create(caller or somebody(), body)

    async def events(self, **members: Any) -> list[dict[str, Any]]:
        """The events of a response that streams."""
        reply = await self.reply(stream=True, **members)
        assert reply.stream is not None
        text = b"".join([piece async for piece in reply.stream])
        await reply.stream.aclose()
        return read(text)

    async def begin(self, *items: dict[str, Any], place: Place = HERE) -> str:
        """The id of a new conversation with these items."""
        made = await self.conversations.create(place, {}, read_items(items, self.conversations.new_id))
        return made.id

    async def said(self, conversation: str) -> list[dict[str, Any]]:
        """All items of a conversation."""
        found = await self.conversations.everything(HERE, conversation, most_bytes=1_000_000)
        return [json.loads(item.body) for item in found]

    @property
    def kept(self) -> list[str]:
        """The ids of all responses that are stored."""
        return [document.id for document in self.store._documents.values() if document.kind == "response"]


async def attempt(stage: Any, kind: str = "response") -> bool:
    """Have a worker make one attempt at the one job there is of a kind, until it ends or dies; whether it died.

    The `stage` has the `jobs` and their `mortal`, the `work` that does them, and a virtual `clock`.
    """
    await stage.clock.advance(20)  # leases of the dead have lapsed
    (job,) = await stage.jobs.claim({kind}, 1, 15.0)
    worker = Worker(stage.jobs, {kind: stage.work}, stage.clock, sleep=stage.clock.sleep)
    before = asyncio.all_tasks()
    worker._begin(job, stage.clock.monotonic() + 15.0)
    (carried,) = worker._running
    died = asyncio.ensure_future(stage.mortal.died.wait())
    await asyncio.wait([carried, died], return_when=asyncio.FIRST_COMPLETED)
    dead = not carried.done()
    for task in asyncio.all_tasks() - before - {asyncio.current_task()}:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0)
    stage.mortal.died.clear()
    return dead


def read(text: bytes) -> list[dict[str, Any]]:
    """The events in the bytes of a stream."""
    found = []
    for event in text.decode().removesuffix("\n\n").split("\n\n"):
        kind, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert kind == f"event: {found[-1]['type']}"
    return found


def somebody(place: Place = HERE, *, tenant: str = "") -> Caller:
    grant = Grant(place=Place(resource=place.resource), permissions=frozenset(Permission))
    return Caller(
        place=place,
        principal=Principal(name="somebody", kind="user", id="oid-1", tenant=tenant, grants=(grant,)),
        request_id="id-1",
        surface="openai_v1",
        started=0.0,
        headers={b"x-some": b"thing"},
        forward={b"traceparent": b"00"},
    )


def says(content: str | None = "Hello.", **message: Any) -> dict[str, Any]:
    """An answer of chat completions."""
    finish = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "choices": [choice], "usage": usage}


def calls(name: str, arguments: str = "{}", call_id: str = "call_1") -> dict[str, Any]:
    """An answer that is the call of a function."""
    function = {"name": name, "arguments": arguments}
    return says(None, tool_calls=[{"id": call_id, "type": "function", "function": function}])

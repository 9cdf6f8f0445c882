"""Whenever the worker of a run dies, the next one brings it to its end, and nobody has seen anything that is not so."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from forehearth.assistants.kept import Kept, KeptRun
from forehearth.assistants.runs import Runs
from forehearth.assistants.stream import stream
from forehearth.assistants.threads import Threads
from forehearth.assistants.work import Work
from forehearth.core.document import Document
from forehearth.core.place import Place
from forehearth.dialects.assistants.asked import Outputs, RunOfThread, ThreadBody, ToolOutput
from forehearth.dialects.assistants.objects import Assistant
from forehearth.dialects.assistants.states import Status
from forehearth.documents.repository import Order
from forehearth.jobs.desk import Jobs
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock
from tests.unit.assistants.stage import TOOL, Event, read
from tests.unit.dialects.responses.chats import DONE, call, chunk, usage
from tests.unit.responses.stage import Models, Mortal, Source, attempt, somebody

HERE = Place(resource="here", project="p")
OLDEST = Order(limit=100, newest_first=False)
SPOKEN = (chunk({"content": "Hel"}), chunk({"content": "lo."}), chunk({}, "stop"), usage(), DONE)
CALLED = (
    chunk({"content": "I look."}),
    chunk(call(0, "call_1", "get_weather", '{"a": ')),
    chunk(call(0, arguments="1}")),
    chunk(call(1, "call_2", "get_weather", "{}")),
    chunk({}, "tool_calls"),
    usage(),
    DONE,
)


class MortalDocuments(MemoryDocuments):
    """A store whose writer can die."""

    mortal: Mortal

    async def insert(self, document: Document) -> Document:
        return await self.mortal.write(super().insert(document))

    async def insert_many(self, documents: Sequence[Document]) -> list[Document]:
        return await self.mortal.write(super().insert_many(documents))

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        return await self.mortal.write(super().replace(document, etag=etag))


class Stage:
    """Runs, and a worker that is let work by hand."""

    def __init__(self, documents: MortalDocuments | None = None) -> None:
        self.clock = VirtualClock()
        self.jobs = self.mortal = Mortal(self.clock)
        self.documents = documents or MortalDocuments()
        self.documents.mortal = self.mortal
        numbers = itertools.count()
        self.kept = Kept(self.documents, new_id=lambda prefix: f"{prefix}_{next(numbers)}", clock=self.clock)
        self.desk = Jobs(self.jobs, "thread_run")
        self.threads = Threads(self.kept)
        self.runs = Runs(self.kept, self.threads, self.desk, nudge=lambda: None)
        self.models = Models(Source(()))
        self.work = Work(self.kept, self.desk, self.models, lambda: None)
        self.caller = somebody(HERE)

    async def begin(self) -> KeptRun:
        """A run of a new thread with one message."""
        await self.kept.assistants.create(HERE, "asst", Assistant(id="asst", created_at=1, model="m", tools=[TOOL]))
        body = ThreadBody(messages=[{"role": "user", "content": "hello"}])
        thread = await self.threads.create(HERE, body)
        return await self.runs.begin(self.caller, thread.id, RunOfThread(assistant_id="asst"))

    async def carry_out(self, kept: KeptRun, pieces: Sequence[bytes], *deaths: int) -> KeptRun:
        """Have workers do the job that there is, which die at these writes, until one does not; the run then."""
        for dies_at in (*deaths, -1):
            self.models.answers = [Source(pieces)]
            self.mortal.writes, self.mortal.dies_at = 0, dies_at
            seen = await self.told(kept)
            died = await attempt(self, "thread_run")
            assert (await self.told(kept))[: len(seen)] == seen
            job = await self.jobs.get(HERE, kept.job)
            if not died or (job is not None and job.state.final):
                break
        self.mortal.writes, self.mortal.dies_at = 0, -1
        return await self.runs.get(HERE, kept.run.thread_id, kept.run.id)

    async def told(self, kept: KeptRun) -> list[Event]:
        """What the run's job told so far."""
        found = await self.jobs.events(HERE, kept.job, -1, 1_000)
        return [(each.name, json.loads(each.body)) for each in found]

    async def streamed(self, kept: KeptRun) -> list[Event]:
        """What a client sees of it."""
        pieces = stream(self.runs, self.desk, HERE, kept, [], self.clock.sleep)
        return read(b"".join([piece async for piece in pieces]))

    async def messages(self, kept: KeptRun) -> list[dict[str, Any]]:
        """The messages of the run, as they are shown."""
        found, _ = await self.threads.messages(HERE, kept.run.thread_id, OLDEST, kept.run.id)
        return [msgspec.to_builtins(each) for each in found]

    async def steps(self, kept: KeptRun) -> list[dict[str, Any]]:
        found, _ = await self.runs.steps(HERE, kept.run.thread_id, kept.run.id, OLDEST)
        return [msgspec.to_builtins(each) for each in found]


async def require_sound(stage: Stage, kept: KeptRun) -> list[Event]:
    """What was told is what there is: each thing as its last event shows it, and its text as its deltas add up to."""
    told = await stage.told(kept)
    shown: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for name, body in told:
        if name == "thread.message.delta":
            texts[body["id"]] = texts.get(body["id"], "") + body["delta"]["content"][0]["text"]["value"]
        elif not name.endswith(".delta"):
            shown[body["id"]] = body
    for each in await stage.messages(kept):
        assert shown[each["id"]] == each
        assert each["content"][0]["text"]["value"] == texts.get(each["id"], "")
    for each in await stage.steps(kept):
        if each["status"] != "in_progress":
            assert shown[each["id"]] == each
    ends = [name for name, _ in told if name.startswith("thread.run.") and name.count(".") == 2]
    assert len(ends) == len(set(ends))
    assert (await stage.streamed(kept))[:-1] == told
    return told


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pieces", [SPOKEN, CALLED])
async def test_whenever_its_worker_dies_it_is_brought_to_its_end(pieces: Sequence[bytes], after: bool):
    """At each of its writes, and with the next worker dying at each of its first ones, too."""
    for at in range(1, 100):
        died = False
        for again in (1, 2, 5):
            stage = Stage()
            begun = await stage.begin()
            stage.mortal.after = after
            done = await stage.carry_out(begun, pieces, at, again)
            died = stage.mortal.died_once
            told = await require_sound(stage, begun)
            if pieces is SPOKEN:
                assert (done.run.status, told[-1][0]) == (Status.COMPLETED, "thread.run.completed"), (at, again)
                whole = [each for each in await stage.messages(begun) if each["status"] == "completed"]
                assert [each["content"][0]["text"]["value"] for each in whole] == ["Hello."]
            else:
                await require_gone_on(stage, done, at)
            if not died:
                break
        if not died:
            break  # there is no such write any more
    assert len(pieces) < at < 100


async def require_gone_on(stage: Stage, kept: KeptRun, at: int) -> None:
    """It waits for its functions, goes on with what they gave, and a worker that dies there is no end either."""
    assert kept.run.status is Status.REQUIRES_ACTION
    action = kept.run.required_action or {}
    calls = action["submit_tool_outputs"]["tool_calls"]
    assert [each["function"]["arguments"] for each in calls] == ['{"a": 1}', "{}"]
    (open_,) = [each for each in await stage.steps(kept) if each["status"] == "in_progress"]
    assert [each["id"] for each in open_["step_details"]["tool_calls"]] == ["call_1", "call_2"]
    outputs = Outputs(tool_outputs=[ToolOutput(tool_call_id=each["id"], output="1") for each in calls])
    queued, _ = await stage.runs.submit(stage.caller, kept.run.thread_id, kept.run.id, outputs)
    done = await stage.carry_out(queued, SPOKEN, at)
    assert done.run.status is Status.COMPLETED
    asked = json.loads(stage.models.calls[-1].body)["messages"]
    # A text that was whole before its worker died stays, and may be said once more.
    texts = [each["content"] for each in asked if each["role"] == "assistant"]
    assert set(texts) == {"I look."}
    (calling,) = [each for each in asked if "tool_calls" in each]
    assert [each["id"] for each in calling["tool_calls"]] == ["call_1", "call_2"]
    assert asked[asked.index(calling) + 1 :] == [
        {"role": "tool", "tool_call_id": each["id"], "content": "1"} for each in calls
    ]
    assert await stage.streamed(queued)


async def test_what_a_dead_worker_left_is_not_shown_to_the_model():
    stage = Stage()
    begun = await stage.begin()
    stage.mortal.after = True
    done = await stage.carry_out(begun, SPOKEN, 6)
    cut, whole = await stage.messages(done)
    assert (cut["status"], cut["incomplete_details"], cut["content"][0]["text"]["value"]) == (
        "incomplete",
        {"reason": "run_failed"},
        "Hel",
    )
    assert whole["status"] == "completed"
    assert [each["status"] for each in await stage.steps(done)] == ["failed", "completed"]
    again = await stage.runs.begin(stage.caller, done.run.thread_id, RunOfThread(assistant_id="asst"))
    await stage.carry_out(again, SPOKEN)
    assert [each["content"] for each in stage.models.asked()["messages"]] == ["hello", "Hello."]
    assert [each.request_id for each in stage.models.calls] == ["id-1", "id-1-2", "id-1"]


async def test_a_worker_that_only_slept_writes_nothing_over_what_a_function_gave():
    stage = Stage()
    waits = await stage.carry_out(await stage.begin(), CALLED)
    stale = (await stage.kept.steps.every(HERE, parent=waits.run.id))[-1]
    outputs = Outputs(tool_outputs=[ToolOutput(tool_call_id=f"call_{n}", output="1") for n in (1, 2)])
    _, done = await stage.runs.submit(stage.caller, waits.run.thread_id, waits.run.id, outputs)
    assert stale.status == "in_progress"
    await stage.kept.put(HERE, stale)
    assert await stage.runs.step(HERE, waits.run.thread_id, waits.run.id, done.id) == done


async def test_a_run_that_expired_while_nobody_had_it_is_left_alone():
    stage = Stage()
    begun = await stage.begin()
    await stage.clock.advance(600)
    assert (await stage.runs.get(HERE, begun.run.thread_id, begun.run.id)).run.status is Status.EXPIRED
    job = await stage.jobs.get(HERE, begun.job)
    assert job is not None
    assert job.state.final
    assert [name for name, _ in await stage.streamed(begun)] == ["thread.run.expired", "done"]
    assert stage.models.calls == []


async def test_one_that_two_look_at_ends_once():
    stage = Stage()
    begun = await stage.begin()
    await stage.clock.advance(601)
    found = await asyncio.gather(*(stage.runs.get(HERE, begun.run.thread_id, begun.run.id) for _ in range(5)))
    assert {each.run.status for each in found} == {Status.EXPIRED}

"""Runs are found by their ids alone, and told by what is kept of them: when and with what, and never what was said."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.admin.runs import Runs
from forehearth.core.document import Document
from forehearth.core.errors import NotFound
from forehearth.core.job import Ending, JobError, JobEvent, JobState, NewJob, Told
from forehearth.core.place import Place
from forehearth.core.run import RunFacts
from forehearth.documents.parts import SLICE
from forehearth.responses.history import ResponseRuns
from forehearth.server.run_kinds import RUN_KINDS
from tests.unit.dialects.responses.chats import DONE, call, chunk, usage
from tests.unit.responses.stage import HERE, Source, Stage, calls, says, somebody
from tests.unit.responses.test_background import attempt

SECRET = "what was said"
ADDED = "response.output_item.added"
NAMES = ("id", "type", "name", "server_label", "status", "item", "output_index", "input_tokens", "code", "version")
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
MCP_ITEM = {"type": "mcp_call", "id": "mcp_1", "name": "look", "server_label": "docs", "arguments": SECRET}
SPOKEN = (chunk({"content": "what"}), chunk({"content": " was said"}), chunk({}, "stop"), usage(), DONE)


class Ran:
    """A stage, and its runs."""

    def __init__(self, *answers):
        self.stage = Stage(*answers)
        self.runs = Runs(self.stage.store, self.stage.jobs, RUN_KINDS, self.stage.clock)

    async def whole(self, run_id, resource="here"):
        found = await self.runs.whole(await self.runs.get(resource, run_id))
        assert SECRET not in repr(found)
        return found


async def test_a_response_that_was_whole():
    ran = Ran(says(SECRET))
    await ran.stage.clock.advance(7)
    caller = msgspec.structs.replace(somebody(), started=ran.stage.clock.monotonic() - 2)
    made = await ran.stage.create(caller, tools=[TOOL], input=SECRET)
    found = await ran.whole(made["id"])
    facts = found.found.facts
    assert (facts.kind, facts.status, facts.model, facts.background) == ("response", "completed", "m", False)
    assert (facts.tools, facts.requests, facts.usage.prompt) == (("function weather",), ("id-1",), 3)
    assert (facts.began, facts.ended) == (ran.stage.clock.unix() - 2, ran.stage.clock.unix())
    assert (found.found.jobs, found.attempts) == ((), ())
    assert [(each.type, each.status, each.began) for each in found.items] == [("message", "completed", None)]
    assert await ran.runs.events(found.found, -1, 10) == []


async def test_a_call_of_a_function_has_its_name_and_not_its_arguments():
    ran = Ran(calls("weather", f'{{"a": "{SECRET}"}}'))
    found = await ran.whole((await ran.stage.create(tools=[TOOL]))["id"])
    assert [(each.type, each.name) for each in found.items] == [("function_call", "weather")]


async def test_a_stream_notes_when_its_items_were_made():
    ran = Ran(Source(SPOKEN))
    reply = await ran.stage.reply(stream=True)
    first = await reply.stream.__anext__()
    assert b"response.created" in first
    while b"output_item.added" not in first:
        first = await reply.stream.__anext__()
    began = ran.stage.clock.unix()
    await ran.stage.clock.advance(3)
    rest = [piece async for piece in reply.stream]
    assert b"response.completed" in rest[-1]
    (run,) = await ran.runs.newest("here", 10)
    (item,) = (await ran.whole(run.id)).items
    assert (item.began, item.ended) == (began, began + 3)


async def test_one_in_the_background_is_told_by_its_job():
    ran = Ran(Source(SPOKEN))
    made = await ran.stage.create(background=True, tools=[TOOL])
    waits = await ran.whole(made["id"])
    assert (waits.found.facts.status, waits.found.facts.ended, waits.items) == ("queued", None, ())
    await ran.stage.clock.advance(5)
    await attempt(ran.stage)
    found = await ran.whole(made["id"])
    facts, (job,) = found.found.facts, found.found.jobs
    assert (facts.status, facts.background, facts.ended) == ("completed", True, job.updated)
    (had,) = found.attempts
    assert (had.leg, had.fence, had.ended) == (0, 1, job.updated)
    assert [each.name for each in found.steps] == ["answer", "end"]
    (item,) = found.items
    assert (item.type, item.status, item.pieces) == ("message", "completed", 2)
    assert facts.began < item.began <= item.ended <= facts.ended
    events = await ran.runs.events(found.found, -1, 100)
    assert [each.number for each in events] == list(range(len(events)))
    added = next(each for each in events if each.name == "response.output_item.added")
    assert (added.item, added.tool) == ("message", "")
    assert await ran.runs.events(found.found, added.number - 1, 1) == [added]


async def test_while_it_is_made_its_items_are_those_that_were_told():
    ran = Ran(Source((chunk(call(0, "call_1", "weather", '{"a"')), asyncio.CancelledError())))
    made = await ran.stage.create(background=True, tools=[TOOL])
    (job,) = await ran.stage.jobs.claim({"response"}, 1, 15.0)
    item = {"type": "function_call", "id": "fc_1", "name": "weather", "arguments": SECRET, "status": "in_progress"}
    body = msgspec.json.encode({"output_index": 0, "item": item})
    delta = msgspec.json.encode({"output_index": 0, "item_id": "fc_1", "delta": SECRET})
    told = [
        JobEvent(number=0, name="response.output_item.added", body=body),
        JobEvent(number=1, name="response.function_call_arguments.delta", body=delta),
    ]
    await ran.stage.jobs.record(job.lease, {}, told)
    found = await ran.whole(made["id"])
    assert found.found.facts.status == "in_progress"
    assert [(each.name, each.pieces, each.ended) for each in found.items] == [("weather", 1, None)]


async def test_a_tool_of_a_server_is_named_with_it():
    event = JobEvent(
        number=0, name="response.output_item.done", body=msgspec.json.encode({"output_index": 0, "item": MCP_ITEM})
    )
    ran = Ran(says())
    made = await ran.stage.create(background=True)
    (job,) = await ran.stage.jobs.claim({"response"}, 1, 15.0)
    await ran.stage.jobs.record(job.lease, {}, [event])
    run = await ran.runs.get("here", made["id"])
    assert [each.tool for each in await ran.runs.events(run, -1, 10)] == ["docs.look"]
    assert [each.name for each in (await ran.whole(made["id"])).items] == ["docs.look"]


async def test_of_one_that_was_removed_its_job_is_left():
    ran = Ran(Source(SPOKEN))
    made = await ran.stage.create(background=True)
    await attempt(ran.stage)
    await ran.stage.responses.delete(somebody(), made["id"])
    facts = (await ran.whole(made["id"])).found.facts
    assert (facts.status, facts.requests, facts.model) == ("completed", ("id-1",), "")


async def test_once_its_job_is_forgotten_what_is_stored_is_left():
    ran = Ran(Source(SPOKEN))
    made = await ran.stage.create(background=True)
    await attempt(ran.stage)
    await ran.stage.clock.advance(2 * 86_400)
    await ran.stage.jobs.remove_expired(10)
    found = await ran.whole(made["id"])
    assert (found.found.jobs, found.found.facts.status) == ((), "completed")
    assert [each.type for each in found.items] == ["message"]


async def test_jobs_of_kinds_that_nobody_reads_are_shown_by_what_every_job_has():
    ran = Ran(says())
    place = Place(resource="here", project="sales", agent="a")
    await ran.stage.jobs.add(NewJob(place=place, kind="batch", id="batch_1", input=b'"%s"' % SECRET.encode()))
    (job,) = await ran.stage.jobs.claim({"batch"}, 1, 15.0)
    told = JobEvent(number=0, name="progress", body=b"1")
    await ran.stage.jobs.record(job.lease, {"one": b'"%s"' % SECRET.encode()}, [told])
    error = JobError(code="bad", message="It broke.")
    await ran.stage.jobs.finish(job.lease, Ending(state=JobState.FAILED, error=error))
    found = await ran.whole("batch_1")
    facts = found.found.facts
    assert (facts.kind, facts.status, facts.error, found.found.place) == ("batch", "failed", error, place)
    assert [each.name for each in found.steps] == ["one"]
    assert [each.name for each in await ran.runs.events(found.found, -1, 10)] == ["progress"]


async def test_the_newest_come_first_each_once_from_all_places():
    ran = Ran(says())
    made = []
    for number, place in enumerate((HERE, Place(resource="here", project="p"), HERE)):
        await ran.stage.clock.advance(1)
        caller = msgspec.structs.replace(somebody(place), started=ran.stage.clock.monotonic())
        made.append((await ran.stage.create(caller, background=number == 2))["id"])
    await ran.stage.clock.advance(1)
    await ran.stage.jobs.add(NewJob(place=HERE, kind="batch", id="batch_1"))
    made.append("batch_1")
    await ran.stage.create(somebody(Place(resource="there")))
    assert [each.id for each in await ran.runs.newest("here", 10)] == made[::-1]
    assert [each.id for each in await ran.runs.newest("here", 2)] == made[:1:-1]


async def test_the_newest_are_read_some_at_a_time():
    ran = Ran(says())
    made = []
    for number in range(SLICE * 2 + 5):
        await ran.stage.clock.advance(1)
        await ran.stage.jobs.add(NewJob(place=HERE, kind="batch", id=f"batch_{number}"))
        caller = msgspec.structs.replace(somebody(), started=ran.stage.clock.monotonic())
        made += [f"batch_{number}", (await ran.stage.create(caller))["id"]]
    found = await ran.runs.newest("here", len(made))
    assert sorted(each.id for each in found) == sorted(made)
    assert [len(each.jobs) for each in found if each.id.startswith("batch_")] == [1] * (SLICE * 2 + 5)
    assert {each.id for each in await ran.runs.newest("here", SLICE + 1)} == set(made[-SLICE - 1 :])


@pytest.mark.parametrize("run_id", ["nobody", "x" * 10_000])
async def test_what_is_not_there_is_not_found_nor_at_another_resource(run_id):
    ran = Ran(says())
    made = await ran.stage.create()
    for resource, wanted in (("here", run_id), ("there", made["id"])):
        with pytest.raises(NotFound, match="There is no run"):
            await ran.runs.get(resource, wanted)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), below),
    max_leaves=8,
)


@given(
    members=st.dictionaries(st.sampled_from(["output", "tools", "usage", "error", "model", "agent_reference"]), JSON)
)
def test_whatever_a_host_passed_through_is_read_as_far_as_it_is_what_it_should_be(members):
    response = {"id": "r", "status": "completed", "created_at": 1, "background": False} | members
    body = msgspec.json.encode({"response": response, "input": []})
    facts = ResponseRuns().facts(Document(place=HERE, kind="response", id="r", created=2, updated=2, body=body), [])
    msgspec.json.decode(msgspec.json.encode(facts), type=RunFacts)


@given(name=st.sampled_from([ADDED, "response.output_item.done", "response.output_text.delta"]), members=JSON)
def test_whatever_an_event_has_it_is_told(name, members):
    body = msgspec.json.encode(members if isinstance(members, dict) else {"item": members, "output_index": members})
    told = Told(event=JobEvent(number=0, name=name, body=body), at=1.0)
    for found in (ResponseRuns().event(told), *ResponseRuns().items([told, told])):
        msgspec.json.decode(msgspec.json.encode(found), type=type(found))

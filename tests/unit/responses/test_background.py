"""Responses in the background: made by a job, shown and streamed while they are made, broken off, and made to their end
whenever whoever makes them dies."""

import asyncio
import json

import msgspec
import pytest

from forehearth.agents.records import NewVersion
from forehearth.core.errors import Broken, InvalidField, NotFound, TooManyRequests
from forehearth.core.job import JobState
from forehearth.core.place import Place
from forehearth.jobs.run import JobCancelled, Run
from tests.openai_schemas import check, check_event
from tests.unit.dialects.responses.chats import DONE, call, chunk, folded, types, usage
from tests.unit.responses.stage import HERE, Source, Stage, attempt, read, says, somebody

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
TEXT = (
    chunk({"role": "assistant", "reasoning_content": "Hm."}),
    chunk({"content": "Hel"}),
    chunk({"content": "lo."}),
    chunk({}, "stop"),
    usage(),
    DONE,
)
CALLS = (
    chunk({"content": "Let me see."}),
    chunk(call(0, "call_1", "f", '{"a": ')),
    chunk(call(0, arguments="1}")),
    chunk(call(1, "call_2", "f", "{}")),
    chunk({}, "tool_calls"),
    usage(),
    DONE,
)


async def events(stage, id_, after=-1):
    """The events that a stream has, to its end."""
    reply = await stage.responses.stream(somebody(), id_, after=after)
    text = b"".join([piece async for piece in reply.stream])
    await reply.stream.aclose()
    return read(text) if text else []


def require_sound(found, response):
    """The events say the same as the response, in an unbroken row."""
    assert [each["sequence_number"] for each in found] == list(range(len(found)))
    for each in found:
        check_event(each)
    assert found[-1]["response"] == response
    assert folded(found) == response


async def test_it_is_queued_then_made_then_there():
    stage = Stage(Source(TEXT))
    made = await stage.create(background=True)
    check("Response", made)
    assert (made["status"], made["background"], made["output"]) == ("queued", True, [])
    assert stage.models.calls == []
    assert stage.nudged == 1
    assert await stage.responses.get(somebody(), made["id"]) == made
    assert not await attempt(stage)
    done = await stage.responses.get(somebody(), made["id"])
    check("Response", done)
    assert (done["status"], done["usage"]["total_tokens"]) == ("completed", 10)
    assert [item["type"] for item in done["output"]] == ["reasoning", "message"]
    assert stage.models.calls[0].stream
    assert stage.models.calls[0].record.outcome == "ok"
    job = await stage.jobs.get(HERE, made["id"])
    assert job.state is JobState.SUCCEEDED


async def test_the_call_is_the_caller_s_without_what_it_showed_for_that():
    stage = Stage(Source(TEXT))
    headers = {b"x-team": b"blue", b"x-api-key": b"secret", b"authorization": b"secret", b"x-auth-token": b"secret"}
    caller = somebody(tenant="t")
    await stage.create(type(caller)(**{**_members(caller), "headers": headers}), background=True)
    (job,) = stage.jobs._jobs.values()
    assert b"secret" not in job.input
    await attempt(stage)
    (asked,) = stage.models.calls
    assert (asked.principal.name, asked.principal.id, asked.principal.tenant) == ("somebody", "oid-1", "t")
    assert (asked.request_id, asked.surface, asked.forward) == ("id-1", "openai_v1", {b"traceparent": b"00"})
    assert asked.headers == {b"x-team": b"blue"}
    assert asked.principal.grants == ()


def _members(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


@pytest.mark.parametrize("pieces", [TEXT, CALLS])
async def test_a_stream_is_the_same_from_any_event_on(pieces):
    stage = Stage(Source(pieces))
    made = await stage.create(background=True, tools=[TOOL])
    await attempt(stage)
    whole = await events(stage, made["id"])
    require_sound(whole, await stage.responses.get(somebody(), made["id"]))
    assert types(whole)[:3] == ["created", "queued", "in_progress"]
    for number in range(len(whole)):
        assert await events(stage, made["id"], after=number) == whole[number + 1 :]
    assert await events(stage, made["id"], after=10_000) == []


async def test_the_first_request_streams_what_is_made_while_it_is_made():
    stage = Stage(Source(TEXT))
    reply = await stage.reply(background=True, stream=True)
    assert dict(reply.headers)[b"content-type"] == b"text/event-stream; charset=utf-8"
    first = [await reply.stream.__anext__() for _ in range(2)]
    assert types(read(b"".join(first))) == ["created", "queued"]
    waiting = asyncio.ensure_future(reply.stream.__anext__())
    await asyncio.sleep(0)
    await attempt(stage)
    await stage.clock.advance(1)
    rest = [await waiting] + [piece async for piece in reply.stream]
    found = read(b"".join(first + rest))
    require_sound(found, found[-1]["response"])


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("in_conversation", [False, True])
@pytest.mark.parametrize("pieces", [TEXT, CALLS])
async def test_whenever_its_worker_dies_it_is_made_to_its_end(pieces, in_conversation, after):
    """At each of its writes, and with the next worker dying at each of its first ones, too."""
    for at in range(1, 100):
        for again in range(1, 4):
            stage = Stage()
            members = {"conversation": await stage.begin()} if in_conversation else {}
            made = await stage.create(background=True, tools=[TOOL], **members)
            stage.mortal.writes, stage.mortal.after = 0, after
            for dies_at in (at, again, -1):
                stage.models.answers = [Source(pieces)]
                stage.mortal.writes, stage.mortal.dies_at = 0, dies_at
                seen = await _so_far(stage, made["id"])
                if not await attempt(stage) or (await stage.jobs.get(HERE, made["id"])).state.final:
                    break
                assert (await _so_far(stage, made["id"]))[: len(seen)] == seen
            response = await stage.responses.get(somebody(), made["id"])
            check("Response", response)
            assert response["status"] == "completed", (at, again)
            require_sound(await events(stage, made["id"]), response)
            _require_nothing_twice(response)
            names = [each.name for each in await stage.jobs.events(HERE, made["id"], -1, 1_000)]
            assert names.count("response.completed") == 1
            if in_conversation:
                said = await stage.said(members["conversation"])
                whole = [item for item in response["output"] if item["status"] == "completed"]
                assert [each["id"] for each in said if each.get("role") != "user"] == [each["id"] for each in whole]
        if dies_at == at and not stage.mortal.died_once:
            break  # there is no such write any more
    assert len(pieces) - 2 < at < 100


async def _so_far(stage, id_):
    return [each.body for each in await stage.jobs.events(HERE, id_, -1, 1_000)]


def _require_nothing_twice(response):
    """What is whole is there once: a text that was whole is not said again, nor is a call made again."""
    whole = [item for item in response["output"] if item["status"] == "completed"]
    calls = [item["call_id"] for item in whole if item["type"] == "function_call"]
    assert len(calls) == len(set(calls))
    texts = [item["content"][0]["text"] for item in whole if item["type"] == "message"]
    assert len(texts) == 1 or calls


async def test_what_a_dead_worker_left_open_is_not_shown_to_the_model_later():
    stage = Stage(Source(TEXT))
    made = await stage.create(background=True)
    stage.mortal.dies_at, stage.mortal.after = 4, True  # the beginning, the thought, "Hel", "lo."
    assert await attempt(stage)
    stage.models.answers = [Source(TEXT)]
    await attempt(stage)
    done = await stage.responses.get(somebody(), made["id"])
    assert [item["status"] for item in done["output"]] == ["completed", "incomplete", "completed", "completed"]
    stage.models.answers = [says()]
    await stage.create(previous_response_id=made["id"])
    assert [each["content"] for each in stage.models.asked()["messages"]] == ["hello", "Hello.", "hello"]


async def test_attempts_have_ids_of_their_own():
    stage = Stage(Source(TEXT))
    await stage.create(background=True)
    stage.mortal.dies_at = 3
    await attempt(stage)
    stage.models.answers = [Source(TEXT)]
    await attempt(stage)
    assert [each.request_id for each in stage.models.calls] == ["id-1", "id-1-2"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Broken("The model's host broke off."), "server_error"),
        (TooManyRequests("Too many.", retry_after=1.0), "rate_limit_exceeded"),
        (Source([TEXT[1], Broken("The model's host broke off.")]), "server_error"),
    ],
)
async def test_what_goes_wrong_is_its_end(answer, code):
    stage = Stage(answer)
    made = await stage.create(background=True)
    await attempt(stage)
    response = await stage.responses.get(somebody(), made["id"])
    check("Response", response)
    assert response["status"] == "failed"
    assert response["error"]["code"] == code
    found = await events(stage, made["id"])
    assert types(found)[-1] == "failed"
    assert found[-1]["response"] == response


@pytest.mark.parametrize("said", [4, 5])
async def test_what_the_model_had_said_is_told_whatever_breaks_after_it(said):
    stage = Stage(Source([*TEXT[:said], Broken("The model's host broke off.")]))
    made = await stage.create(background=True)
    await attempt(stage)
    response = await stage.responses.get(somebody(), made["id"])
    require_sound(await events(stage, made["id"]), response)
    assert (response["status"], response["output"][-1]["content"][0]["text"]) == ("failed", "Hello.")


async def test_one_that_waits_is_cancelled_at_once_and_stays_so():
    stage = Stage(Source(TEXT))
    made = await stage.create(background=True)
    cancelled = await stage.responses.cancel(somebody(), made["id"])
    check("Response", cancelled)
    assert cancelled["status"] == "cancelled"
    assert await stage.responses.cancel(somebody(), made["id"]) == cancelled
    assert await stage.responses.get(somebody(), made["id"]) == cancelled
    assert await stage.jobs.claim({"response"}, 1, 15.0) == []
    assert types(await events(stage, made["id"])) == ["created", "queued"]


async def test_one_that_is_made_is_broken_off_with_what_there_is():
    stage = Stage()
    endless = Endless(TEXT[:3])
    stage.models.answers = [endless]
    made = await stage.create(background=True)
    await stage.clock.advance(20)
    (job,) = await stage.jobs.claim({"response"}, 1, 15.0)
    run = Run(job, stage.jobs, stage.clock, stage.clock.sleep, good_until=stage.clock.monotonic() + 15.0)
    await run.begin()
    working = asyncio.ensure_future(stage.work(run))
    await endless.waiting.wait()
    assert (await stage.responses.get(somebody(), made["id"]))["status"] == "in_progress"
    cancelling = asyncio.ensure_future(stage.responses.cancel(somebody(), made["id"]))
    await stage.clock.advance(0.01)
    assert (await stage.jobs.get(HERE, made["id"])).cancel_asked
    run.cancelling.set()  # as a heartbeat does
    with pytest.raises(JobCancelled):
        await working
    assert endless.closed == 1
    await stage.clock.advance(10)
    cancelled = await cancelling
    check("Response", cancelled)
    assert (cancelled["status"], cancelled["output"][1]["status"]) == ("cancelled", "incomplete")
    assert cancelled["output"][1]["content"][0]["text"] == "Hello."
    assert await stage.responses.cancel(somebody(), made["id"]) == cancelled
    assert stage.models.calls[0].record.outcome == "cancelled"


class Endless(Source):
    """A host that says something, and then nothing for ever."""

    def __init__(self, pieces):
        super().__init__(pieces)
        self.waiting = asyncio.Event()

    async def __anext__(self):
        if not self.pieces:
            self.waiting.set()
            await asyncio.get_running_loop().create_future()
        return await super().__anext__()


async def test_one_that_is_removed_while_it_is_made_is_gone():
    stage = Stage(Source(TEXT))
    made = await stage.create(background=True)
    stage.mortal.dies_at = 4
    await attempt(stage)
    await stage.responses.delete(somebody(), made["id"])
    assert (await stage.jobs.get(HERE, made["id"])).cancel_asked
    stage.models.answers = [Source(TEXT)]
    await attempt(stage)
    with pytest.raises(NotFound):
        await stage.responses.get(somebody(), made["id"])
    with pytest.raises(NotFound):
        await stage.responses.stream(somebody(), made["id"])
    assert stage.kept == []


async def test_one_whose_workers_all_die_has_failed():
    stage = Stage(*[Source(TEXT)] * 6)
    made = await stage.create(background=True)
    for _ in range(5):
        stage.mortal.writes, stage.mortal.dies_at = 0, 2
        stage.models.answers = [Source(TEXT)]
        assert await attempt(stage)
    await stage.clock.advance(20)
    assert await stage.jobs.claim({"response"}, 1, 15.0) == []
    response = await stage.responses.get(somebody(), made["id"])
    check("Response", response)
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
    found = await events(stage, made["id"])
    assert [each["sequence_number"] for each in found] == list(range(len(found)))
    assert found[-1]["response"] == response
    for each in found:
        after = each["sequence_number"]
        assert await events(stage, made["id"], after=after) == found[after + 1 :]
    await stage.kept_responses.end(HERE, response | {"status": "completed"})  # a worker that only slept
    assert await stage.responses.get(somebody(), made["id"]) == response
    await stage.clock.advance(25 * 3_600)  # its job is forgotten
    assert await stage.responses.get(somebody(), made["id"]) == response
    with pytest.raises(InvalidField, match="not kept any more"):
        await stage.responses.stream(somebody(), made["id"])


async def test_one_that_ends_while_it_is_read_is_shown_as_it_ended():
    stage = Stage(Source(TEXT))
    made = await stage.create(background=True)
    before = await stage.kept_responses.at(HERE, made["id"])
    await attempt(stage)
    assert (await stage.background.shown(HERE, before))["status"] == "completed"


async def test_what_a_dead_worker_left_of_an_agent_says_so():
    stage = Stage(Source(TEXT))
    place = Place(resource="here", project="sales")
    definition = msgspec.Raw(b'{"kind": "prompt", "model": "m"}')
    await stage.agents.create_version(place, "a", NewVersion(definition=definition))
    made = await stage.create(somebody(place), background=True, agent={"name": "a"})
    stage.mortal.writes, stage.mortal.dies_at = 0, 4
    assert await attempt(stage)
    stage.models.answers = [Source(TEXT)]
    await attempt(stage)
    done = await stage.responses.get(somebody(place), made["id"])
    by = {"type": "agent_reference", "name": "a", "version": "1"}
    assert [item["agent_reference"] for item in done["output"]] == [by] * 4
    told = [each for each in await stage.jobs.events(place, made["id"], -1, 100) if "output_item" in each.name]
    assert [json.loads(each.body)["item"]["agent_reference"] for each in told] == [by] * 8


async def test_nobody_goes_on_from_one_that_is_not_over():
    stage = Stage(Source(TEXT))
    made = await stage.create(background=True)
    with pytest.raises(InvalidField, match="not completed yet"):
        await stage.create(previous_response_id=made["id"])


async def test_it_is_seen_where_it_was_made_alone():
    stage = Stage(Source(TEXT))
    made = await stage.create(somebody(tenant="t"), background=True)
    for caller in (somebody(Place(resource="here", project="p")), somebody(tenant="other")):
        for what in (stage.responses.get, stage.responses.cancel, stage.responses.stream, stage.responses.delete):
            with pytest.raises(NotFound):
                await what(caller, made["id"])


async def test_a_question_that_cannot_be_asked_is_refused_at_once():
    stage = Stage(says())
    with pytest.raises(InvalidField):
        await stage.create(background=True, store=False)
    with pytest.raises(InvalidField):
        await stage.create(background=True, previous_response_id="resp_none")
    assert stage.kept == []
    assert json.loads((await stage.reply()).body)["background"] is False

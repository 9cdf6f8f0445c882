"""How runs end, one at a time in each thread: completed, cut, failed, cancelled, expired, or gone with their thread."""

import asyncio
import json

import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.errors import BackendRefused, Broken, ContextTooLong, TooManyRequests
from forehearth.core.place import Place
from tests.conformance.test_assistants import openai
from tests.unit.assistants.stage import SUBMIT, TOOL, WAITS, Endless, Stage, names, read
from tests.unit.dialects.responses.chats import DONE, chunk, usage
from tests.unit.responses.stage import Source, says

HERE = Place(resource="here", project="default")


async def test_a_thread_has_one_run_at_a_time():
    async with Stage(WAITS, says("So.")) as stage:
        agent, thread = await stage.begin("x", tools=[TOOL])
        run = await stage.run(agent, thread)
        for path, body, words in (
            ("/runs", {"assistant_id": agent}, f"Thread {thread} already has an active run {run['id']}."),
            (
                "/messages",
                {"role": "user", "content": "y"},
                f"Can't add messages to {thread} while a run {run['id']} is active.",
            ),
        ):
            assert (await stage.refused("POST", f"/threads/{thread}{path}", body))[0] == words
        assert [each["id"] for each in (await stage.ask("GET", f"/threads/{thread}/runs"))["data"]] == [run["id"]]
        cancelled = await stage.ask("POST", f"/threads/{thread}/runs/{run['id']}/cancel")
        assert (cancelled["status"], cancelled["required_action"]) == ("cancelled", None)
        (step,) = (await stage.ask("GET", f"/threads/{thread}/runs/{run['id']}/steps"))["data"]
        assert (step["status"], step["cancelled_at"]) == ("cancelled", 1_800_000_000)
        message, _ = await stage.refused("POST", f"/threads/{thread}/runs/{run['id']}/cancel")
        assert message == "Cannot cancel run with status 'cancelled'."
        assert (await stage.run(agent, thread))["status"] == "completed"


async def test_of_runs_that_are_asked_for_at_once_one_is_begun():
    stage = Stage(says("Hello."))  # nobody carries them out
    agent, thread = await stage.begin("x")
    body = {"assistant_id": agent}
    replies = await asyncio.gather(*(stage.reply("POST", f"/threads/{thread}/runs", body) for _ in range(8)))
    assert sorted(each.status for each in replies) == [200, *[400] * 7]
    (run,) = (await stage.ask("GET", f"/threads/{thread}/runs"))["data"]
    assert json.loads(next(each for each in replies if each.status == 200).body)["id"] == run["id"]


@pytest.mark.parametrize("waits", [True, False])
async def test_a_run_expires_ten_minutes_after_it_was_asked_for(waits):
    stage = Stage(WAITS, says("So."))
    agent, thread = await stage.begin("x", tools=[TOOL])
    if waits:
        async with stage:
            run = await stage.run(agent, thread)
    else:
        run = await stage.ask("POST", f"/threads/{thread}/runs", {"assistant_id": agent})
    one = f"/threads/{thread}/runs/{run['id']}"
    stage.clock.now += 599
    assert (await stage.ask("GET", one))["status"] == ("requires_action" if waits else "queued")
    stage.clock.now += 1
    expired = await stage.ask("GET", one)
    assert (expired["status"], expired["expires_at"]) == ("expired", 1_800_000_600)
    if waits:
        (step,) = (await stage.ask("GET", f"{one}/steps"))["data"]
        assert (step["status"], step["expired_at"]) == ("expired", 1_800_000_600)
    await stage.refused("POST", f"{one}/submit_tool_outputs", SUBMIT)
    async with stage:
        assert (await stage.run(agent, thread, tools=[]))["status"] in ("completed", "requires_action")
        assert (await stage.ask("GET", one))["status"] == "expired"


async def test_at_the_end_of_its_time_a_run_is_broken_off_by_its_worker():
    source = Endless(chunk({"content": "Well"}))
    stage = Stage(source)
    agent, thread = await stage.begin("x")
    run = await stage.ask("POST", f"/threads/{thread}/runs", {"assistant_id": agent})
    stage.clock.now += 599.9
    async with stage:
        for _ in range(500):
            found = await stage.ask("GET", f"/threads/{thread}/runs/{run['id']}")
            if found["status"] == "expired":
                break
            await asyncio.sleep(0.01)
    assert (found["status"], source.closed) == ("expired", 1)
    message = (await stage.ask("GET", f"/threads/{thread}/messages"))["data"][0]
    assert message["incomplete_details"] == {"reason": "run_expired"}
    assert stage.models.calls[0].record.outcome == "expired"


async def test_a_run_that_expires_while_its_model_thinks_is_broken_off():
    source = Endless(chunk({"content": "Well"}))
    async with Stage(source) as stage:
        agent, thread = await stage.begin("x")
        reply = await stage.reply("POST", f"/threads/{thread}/runs", {"assistant_id": agent, "stream": True})
        await source.begun.wait()
        stage.clock.now += 700
        (run,) = (await stage.ask("GET", f"/threads/{thread}/runs"))["data"]
        assert run["status"] == "expired"
        told = read(b"".join([piece async for piece in reply.stream]))
        assert names(told)[-2:] == ["run.expired", "done"]
        assert source.closed == 1
        message = (await stage.ask("GET", f"/threads/{thread}/messages"))["data"][0]
        assert (message["status"], message["content"][0]["text"]["value"]) == ("incomplete", "Well")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Broken("The host is gone."), "server_error"),
        (TooManyRequests("Later."), "rate_limit_exceeded"),
        (ContextTooLong("Too long."), "invalid_prompt"),
        (BackendRefused("Busy.", backend="b", status=429), "rate_limit_exceeded"),
    ],
)
async def test_what_goes_wrong_with_the_model_makes_the_run_failed(error, code):
    async with Stage(error) as stage:
        agent, thread = await stage.begin("x")
        told = await stage.events(f"/threads/{thread}/runs", {"assistant_id": agent})
        assert names(told) == ["run.created", "run.queued", "run.in_progress", "run.failed", "done"]
        run = told[-2][1]
        assert (run["status"], run["last_error"]["code"], run["failed_at"]) == ("failed", code, 1_800_000_000)
        assert stage.models.calls[0].record.outcome == error.code


@pytest.mark.parametrize(
    "pieces",
    [
        [chunk({"content": "It is"}), Broken("cut")],
        [chunk({"content": "It is"})],
        [chunk({"content": "It is"}), b"data: {nonsense\n\n"],
    ],
)
async def test_an_answer_that_breaks_off_leaves_what_there_was_of_it(pieces):
    source = Source(pieces)
    async with Stage(source, says("So.")) as stage:
        agent, thread = await stage.begin("x")
        run = await stage.run(agent, thread)
        assert run["status"] == "failed"
        assert source.closed == 1
        (message, _) = (await stage.ask("GET", f"/threads/{thread}/messages"))["data"]
        assert (message["status"], message["content"][0]["text"]["value"]) == ("incomplete", "It is")
        assert message["incomplete_details"] == {"reason": "run_failed"}
        (step,) = (await stage.ask("GET", f"/threads/{thread}/runs/{run['id']}/steps"))["data"]
        assert (step["status"], step["last_error"]["code"]) == ("failed", "server_error")
        await stage.run(agent, thread)
        assert stage.models.asked()["messages"] == [{"role": "user", "content": "x"}]


async def test_an_answer_that_is_cut_is_incomplete():
    cut = [chunk({"content": "It is"}), chunk({}, "length"), usage(), DONE]
    called = [chunk({"tool_calls": WAITS["choices"][0]["message"]["tool_calls"]}), chunk({}, "length"), usage(), DONE]
    async with Stage(Source(cut), Source(called)) as stage:
        agent, thread = await stage.begin("x", tools=[TOOL])
        run = await stage.run(agent, thread, max_completion_tokens=256)
        assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_completion_tokens"})
        message = (await stage.ask("GET", f"/threads/{thread}/messages"))["data"][0]
        assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "max_tokens"})
        run = await stage.run(agent, thread)
        assert (run["status"], run["required_action"]) == ("incomplete", None)
        (step,) = (await stage.ask("GET", f"/threads/{thread}/runs/{run['id']}/steps"))["data"]
        assert step["status"] == "failed"


async def test_one_that_runs_is_cancelled_by_its_worker():
    source = Endless(chunk({"content": "It is"}))
    async with Stage(source, says("So.")) as stage:
        agent, thread = await stage.begin("x")
        reply = await stage.reply("POST", f"/threads/{thread}/runs", {"assistant_id": agent, "stream": True})
        first = await anext(reply.stream)
        run = read(first)[0][1]
        await source.begun.wait()
        one = f"/threads/{thread}/runs/{run['id']}"
        assert (await stage.ask("GET", one))["status"] == "in_progress"
        assert (await stage.ask("POST", f"{one}/cancel"))["status"] == "cancelling"
        assert (await stage.ask("POST", f"{one}/cancel"))["status"] in ("cancelling", "cancelled")
        told = read(b"".join([piece async for piece in reply.stream]))
        assert names(told)[-5:] == [
            *("run.cancelling", "message.incomplete", "run.step.cancelled", "run.cancelled", "done")
        ]
        assert source.closed == 1
        done = await stage.ask("GET", one)
        assert (done["status"], done["cancelled_at"]) == ("cancelled", 1_800_000_000)
        message = (await stage.ask("GET", f"/threads/{thread}/messages"))["data"][0]
        assert message["incomplete_details"] == {"reason": "run_cancelled"}
        assert (await stage.run(agent, thread))["status"] == "completed"
        assert stage.models.asked()["messages"][-1] == {"role": "assistant", "content": "It is"}


async def test_one_that_waits_is_cancelled_at_once():
    stage = Stage(says("So."))
    agent, thread = await stage.begin("x")
    run = await stage.ask("POST", f"/threads/{thread}/runs", {"assistant_id": agent})
    cancelled = await stage.ask("POST", f"/threads/{thread}/runs/{run['id']}/cancel")
    assert (cancelled["status"], cancelled["expires_at"]) == ("cancelled", None)
    async with stage:
        assert (await stage.run(agent, thread))["status"] == "completed"
    assert len(stage.models.calls) == 1


class Beginning:
    """A run that is being asked for: it is there, and its messages are not said yet."""

    def __init__(self, stage, agent, thread):
        self._go, self._there = asyncio.Event(), stage.documents.insert_many
        self._held = asyncio.Event()
        stage.documents.insert_many = self._hold
        body = {"assistant_id": agent, "additional_messages": [{"role": "user", "content": "And now?"}]}
        self._asking = asyncio.create_task(stage.ask("POST", f"/threads/{thread}/runs", body))

    async def _hold(self, documents):
        if documents[0].kind == "thread_message":
            self._held.set()
            await self._go.wait()
        return await self._there(documents)

    async def held(self):
        await self._held.wait()

    async def ended(self):
        self._go.set()
        return await self._asking


async def test_a_run_is_given_to_no_worker_before_its_messages_are_said():
    stage = Stage(says("So."))
    agent, thread = await stage.begin("x")
    beginning = Beginning(stage, agent, thread)
    await beginning.held()
    (seen,) = (await stage.ask("GET", f"/threads/{thread}/runs"))["data"]
    assert (seen["status"], len(stage.jobs._jobs)) == ("queued", 0)
    assert (await beginning.ended())["id"] == seen["id"]
    assert len(stage.jobs._jobs) == 1


async def test_a_run_that_is_cancelled_while_it_is_asked_for_asks_no_model():
    async with Stage(says("So."), says("Well.")) as stage:
        agent, thread = await stage.begin("x")
        beginning = Beginning(stage, agent, thread)
        await beginning.held()
        (seen,) = (await stage.ask("GET", f"/threads/{thread}/runs"))["data"]
        cancelled = await stage.ask("POST", f"/threads/{thread}/runs/{seen['id']}/cancel")
        assert cancelled["status"] == "cancelled"
        await beginning.ended()
        assert (await stage.run(agent, thread))["status"] == "completed"
        assert len(stage.models.calls) == 1


async def test_a_run_whose_job_nobody_made_is_given_one_by_whoever_looks():
    stage = Stage(says("So."))
    agent, thread = await stage.begin("x")
    run = await stage.ask("POST", f"/threads/{thread}/runs", {"assistant_id": agent})
    (job,) = stage.jobs._jobs.values()
    stage.jobs._jobs.clear()
    stage.clock.now += 10
    one = f"/threads/{thread}/runs/{run['id']}"
    assert (await stage.ask("GET", one))["status"] == "queued"
    (again,) = stage.jobs._jobs.values()
    assert (again.id, again.input) == (job.id, job.input)


async def test_a_run_whose_workers_all_died_is_failed():
    stage = Stage(says("So."))
    agent, thread = await stage.begin("x")
    run = await stage.ask("POST", f"/threads/{thread}/runs", {"assistant_id": agent})
    for _ in range(6):
        await stage.jobs.claim({"thread_run"}, 1, 1.0)
        stage.clock.now += 20
    told = await stage.ask("GET", f"/threads/{thread}/runs/{run['id']}")
    assert (told["status"], told["last_error"]["code"]) == ("failed", "server_error")


async def test_a_thread_goes_with_all_that_hangs_under_it():
    async with Stage(WAITS) as stage:
        agent, thread = await stage.begin(*map(str, range(30)), tools=[TOOL])
        run = await stage.run(agent, thread)
        assert await stage.ask("DELETE", f"/threads/{thread}") == {
            "id": thread,
            "object": "thread.deleted",
            "deleted": True,
        }
        left = {document.kind for document in stage.documents._documents.values()}
        assert left == {"assistant"}
        for path in ("", "/messages", "/runs", f"/runs/{run['id']}", f"/runs/{run['id']}/steps"):
            message, _ = await stage.refused("GET", f"/threads/{thread}{path}", status=404)
            assert message == f"No thread found with id '{thread}'."


async def test_a_thread_that_is_removed_while_it_is_answered_ends_its_stream():
    source = Endless()
    async with Stage(source) as stage:
        agent, thread = await stage.begin("x")
        reply = await stage.reply("POST", f"/threads/{thread}/runs", {"assistant_id": agent, "stream": True})
        await anext(reply.stream)
        await source.begun.wait()
        await stage.ask("DELETE", f"/threads/{thread}")
        told = read(b"".join([piece async for piece in reply.stream]))
        assert told[-1] == ("done", "[DONE]")
        assert {document.kind for document in stage.documents._documents.values()} == {"assistant"}


async def test_nothing_of_a_run_comes_back_whose_thread_is_removed_while_its_model_speaks():
    said, go = asyncio.Event(), asyncio.Event()

    class Speaking(Source):
        async def __anext__(self):
            if len(self.pieces) == 3:
                said.set()
                await go.wait()
            return await super().__anext__()

    async with Stage(Speaking([chunk({"content": "It is"}), chunk({}, "stop"), DONE])) as stage:
        agent, thread = await stage.begin("x")
        reply = await stage.reply("POST", f"/threads/{thread}/runs", {"assistant_id": agent, "stream": True})
        await anext(reply.stream)
        await said.wait()
        await stage.ask("DELETE", f"/threads/{thread}")
        go.set()
        assert [piece async for piece in reply.stream]  # until nobody works at it any more
        assert {document.kind for document in stage.documents._documents.values()} == {"assistant"}


async def test_a_stream_whose_store_is_away_says_so_and_the_run_goes_on():
    source = Endless(chunk({"content": "It is"}))
    async with Stage(source) as stage:
        agent, thread = await stage.begin("x")
        reply = await stage.reply("POST", f"/threads/{thread}/runs", {"assistant_id": agent, "stream": True})
        await anext(reply.stream)

        async def away(*_):
            raise StoreFailed("the disk is gone")

        there, stage.jobs.events = stage.jobs.events, away
        told = read(b"".join([piece async for piece in reply.stream]))
        stage.jobs.events = there
        assert [name for name, _ in told] == ["error", "done"]
        assert openai().validator("AssistantStreamEvent").is_valid({"event": "error", "data": told[0][1]})
        await source.begun.wait()
        assert (await stage.ask("GET", f"/threads/{thread}/runs"))["data"][0]["status"] == "in_progress"


async def test_a_run_that_breaks_its_worker_is_failed_in_words_that_are_ours():
    async with Stage(ValueError("a secret")) as stage:
        agent, thread = await stage.begin("x")
        told = await stage.events(f"/threads/{thread}/runs", {"assistant_id": agent})
        assert told[-2][1]["last_error"] == {
            "code": "server_error",
            "message": "The job ended by an error of the server's own.",
        }
        assert (await stage.run(agent, thread))["status"] == "failed"

"""Runs, from the side of those who ask: what a model is shown, what becomes of them, and what is refused."""

import asyncio
import itertools
import json

import pytest

from forehearth.core.errors import BackendRefused, ContextTooLong
from forehearth.core.job import NewJob
from forehearth.core.place import Place
from tests.unit.assistants.stage import CLASSIC, SALES, SUBMIT, TOOL, V1, WAITS, Stage, names
from tests.unit.dialects.responses.chats import DONE, chunk, usage
from tests.unit.responses.stage import Source, calls, says

HERE = Place(resource="here", project="default")


async def test_a_model_is_shown_the_thread_and_what_the_assistant_is():
    async with Stage(says("Hello."), says("Bye.")) as stage:
        agent, thread = await stage.begin(
            "Hi!", instructions="Be brief.", tools=[TOOL], temperature=0.5, top_p=0.9, response_format={"type": "text"}
        )
        done = await stage.run(agent, thread, metadata={"a": "b"})
        assert (done["status"], done["metadata"], done["usage"]["total_tokens"]) == ("completed", {"a": "b"}, 5)
        assert (done["expires_at"], done["required_action"], done["last_error"]) == (None, None, None)
        assert stage.models.asked() == {
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi!"}],
            "tools": [TOOL],
            "tool_choice": "auto",
            "temperature": 0.5,
            "top_p": 0.9,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        (asked,) = stage.models.calls
        assert (asked.surface, asked.project, asked.stream) == ("projects", "default", True)
        assert asked.record.outcome == "ok"
        form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
        again = await stage.run(
            agent,
            thread,
            model="other",
            instructions="Be long.",
            additional_instructions="Be kind.",
            additional_messages=[{"role": "user", "content": "And now?"}, {"role": "assistant", "content": "Well."}],
            tools=[],
            temperature=1,
            top_p=1,
            response_format=form,
            parallel_tool_calls=False,
            max_completion_tokens=300,
        )
        assert again["instructions"] == "Be long.\nBe kind."
        assert stage.models.asked() == {
            "model": "other",
            "messages": [
                {"role": "system", "content": "Be long.\nBe kind."},
                {"role": "user", "content": "Hi!"},
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "And now?"},
                {"role": "assistant", "content": "Well."},
            ],
            "temperature": 1,
            "top_p": 1,
            "response_format": form,
            "max_completion_tokens": 300,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        assert stage.models.calls[-1].output == 300
        assert await stage.said(thread) == ["Hi!", "Hello.", "And now?", "Well.", "Bye."]


async def test_pictures_are_shown_and_a_text_is_one_whatever_its_parts():
    async with Stage(says("A cat.")) as stage:
        agent, thread = await stage.begin()
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}
        for content in ([{"type": "text", "text": "What"}, picture], [{"type": "text", "text": t} for t in "ab"]):
            await stage.ask("POST", f"/threads/{thread}/messages", {"role": "user", "content": content})
        await stage.run(agent, thread)
        assert [each["content"] for each in stage.models.asked()["messages"]] == [
            [{"type": "text", "text": "What"}, picture],
            "a\nb",
        ]


async def submitted(stage, one, *, streams):
    """Hand in what the function gave, and wait for the end."""
    if streams:
        told = await stage.events(f"{one}/submit_tool_outputs", SUBMIT)
        assert names(told) == [
            *("run.step.completed", "run.queued", "run.in_progress", "run.step.created", "run.step.in_progress"),
            *("message.created", "message.in_progress", "message.delta", "message.completed"),
            *("run.step.completed", "run.completed", "done"),
        ]
        return
    queued = await stage.ask("POST", f"{one}/submit_tool_outputs", SUBMIT)
    assert (queued["status"], queued["required_action"]) == ("queued", None)
    for _ in range(500):
        if (await stage.ask("GET", one))["status"] == "completed":
            return
        await asyncio.sleep(0.01)
    raise AssertionError


@pytest.mark.parametrize("streams", [True, False])
async def test_functions_are_called_and_what_they_gave_goes_on(streams):
    pieces = [chunk({"content": "I look."}), chunk({"tool_calls": WAITS["choices"][0]["message"]["tool_calls"]})]
    first = Source([*pieces, chunk({}, "tool_calls"), usage(), DONE])
    async with Stage(first, says("It is sunny.")) as stage:
        agent, thread = await stage.begin("The weather?", tools=[TOOL])
        told = await stage.events(f"/threads/{thread}/runs", {"assistant_id": agent})
        assert names(told) == [
            *("run.created", "run.queued", "run.in_progress", "run.step.created", "run.step.in_progress"),
            *("message.created", "message.in_progress", "message.delta", "message.completed", "run.step.completed"),
            *("run.step.created", "run.step.in_progress", "run.step.delta", "run.step.delta"),
            *("run.requires_action", "done"),
        ]
        run = told[-2][1]
        one = f"/threads/{thread}/runs/{run['id']}"
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert call == WAITS["choices"][0]["message"]["tool_calls"][0]
        assert await stage.ask("GET", one) == run
        assert (run["status"], run["usage"]) == ("requires_action", None)
        calling, saying = (await stage.ask("GET", f"{one}/steps"))["data"]
        assert (calling["status"], saying["status"]) == ("in_progress", "completed")
        await submitted(stage, one, streams=streams)
        assert stage.models.asked()["messages"] == [
            {"role": "user", "content": "The weather?"},
            {"role": "assistant", "content": "I look.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ]
        done = await stage.ask("GET", one)
        assert done["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        steps = (await stage.ask("GET", f"{one}/steps?order=asc"))["data"]
        assert [each["status"] for each in steps] == ["completed"] * 3
        assert steps[1]["step_details"]["tool_calls"] == [call | {"function": call["function"] | {"output": "sunny"}}]
        assert [each["usage"] and each["usage"]["total_tokens"] for each in steps] == [None, 10, 5]
        mine = (await stage.ask("GET", f"/threads/{thread}/messages?run_id={run['id']}&order=asc"))["data"]
        assert [each["content"][0]["text"]["value"] for each in mine] == ["I look.", "It is sunny."]
        assert {(each["run_id"], each["assistant_id"]) for each in mine} == {(run["id"], agent)}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}, "none"])
async def test_what_must_be_called_is_called_once(choice):
    async with Stage(WAITS, says("So.")) as stage:
        agent, thread = await stage.begin("x", tools=[TOOL])
        run = await stage.run(agent, thread, tool_choice=choice)
        assert stage.models.asked()["tool_choice"] == choice
        await stage.events(f"/threads/{thread}/runs/{run['id']}/submit_tool_outputs", SUBMIT)
        assert stage.models.asked()["tool_choice"] == ("none" if choice == "none" else "auto")


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ([], "Expected tool outputs for call_ids ['call_1'], got []"),
        ([{"tool_call_id": "call_2", "output": "x"}], "tool_outputs[0].tool_call_id"),
        ([{"output": "x"}], "tool_outputs[0].tool_call_id"),
        ([{"tool_call_id": "call_1"}, {"tool_call_id": "call_1"}], "tool_outputs[1].tool_call_id"),
    ],
)
async def test_outputs_that_are_not_those_asked_for_are_refused_and_the_run_waits_on(outputs, words):
    async with Stage(WAITS, says("So.")) as stage:
        agent, thread = await stage.begin("x", tools=[TOOL])
        run = await stage.run(agent, thread)
        submit = f"/threads/{thread}/runs/{run['id']}/submit_tool_outputs"
        message, _ = await stage.refused("POST", submit, {"tool_outputs": outputs})
        assert words in message
        assert names(await stage.events(submit, {"tool_outputs": [{"tool_call_id": "call_1"}]}))[-2] == "run.completed"
        message, _ = await stage.refused("POST", submit, SUBMIT)
        assert message == 'Runs in status "completed" do not accept tool outputs.'


async def test_bounds_are_of_the_whole_run():
    dear = calls("get_weather") | {"usage": {"prompt_tokens": 250, "completion_tokens": 200, "total_tokens": 450}}
    async with Stage(dear, says("So."), dear, dear) as stage:
        agent, thread = await stage.begin("x", tools=[TOOL])
        run = await stage.run(agent, thread, max_completion_tokens=256)
        assert stage.models.asked()["max_completion_tokens"] == 256
        submit = f"/threads/{thread}/runs/{run['id']}/submit_tool_outputs"
        assert (await stage.events(submit, SUBMIT))[-2][0] == "thread.run.completed"
        assert stage.models.asked()["max_completion_tokens"] == 56
        run = await stage.run(agent, thread, max_prompt_tokens=256)
        submit = f"/threads/{thread}/runs/{run['id']}/submit_tool_outputs"
        told = await stage.events(submit, SUBMIT)
        assert told[-2][0] == "thread.run.incomplete"
        assert told[-2][1]["incomplete_details"] == {"reason": "max_prompt_tokens"}
        assert len(stage.models.calls) == 3


async def test_the_oldest_messages_are_left_out_where_there_is_no_room():
    async with Stage(says("So.")) as stage:
        agent, thread = await stage.begin(*(f"{n} " + "word " * 50 for n in range(10)), instructions="Be brief.")
        await stage.run(agent, thread, max_prompt_tokens=256)
        system, *rest = stage.models.asked()["messages"]
        assert system == {"role": "system", "content": "Be brief."}
        assert 1 <= len(rest) < 6
        assert rest[-1]["content"].startswith("9 ")
        await stage.run(agent, thread, truncation_strategy={"type": "last_messages", "last_messages": 2})
        assert [each["content"].split()[0] for each in stage.models.asked()["messages"][1:]] == ["9", "So."]
        _, other = await stage.begin("word " * 2_000)
        run = await stage.run(agent, other, max_prompt_tokens=256)
        assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
        assert len(stage.models.calls) == 2


TOO_LONG = (
    ContextTooLong("Too long."),
    BackendRefused("Too long.", backend="b", status=400, error_code="context_length_exceeded"),
)


@pytest.mark.parametrize("error", TOO_LONG)
async def test_where_a_context_does_not_take_a_thread_its_older_half_is_left_out(error):
    async with Stage(error, error, says("So.")) as stage:
        agent, thread = await stage.begin(*map(str, range(8)), instructions="Be brief.")
        assert (await stage.run(agent, thread))["status"] == "completed"
        shown = [[each["content"] for each in stage.models.asked(at)["messages"][1:]] for at in range(3)]
        assert shown == [[*"01234567"], [*"4567"], [*"67"]]
        assert stage.models.asked()["messages"][0]["content"] == "Be brief."
        first = stage.models.calls[0].request_id
        assert [each.request_id for each in stage.models.calls] == [first, f"{first}-again-1", f"{first}-again-2"]
        assert [each.record.outcome for each in stage.models.calls] == [error.code, error.code, "ok"]


@pytest.mark.parametrize("error", TOO_LONG)
async def test_what_a_context_never_takes_is_failed(error):
    async with Stage(error) as stage:
        agent, thread = await stage.begin(*map(str, range(4)))
        run = await stage.run(agent, thread)
        assert (run["status"], run["last_error"]["code"]) == ("failed", "invalid_prompt")
        assert [len(stage.models.asked(at)["messages"]) for at in range(len(stage.models.calls))] == [4, 2, 1]
        last = {"type": "last_messages", "last_messages": 3}
        assert (await stage.run(agent, thread, truncation_strategy=last))["status"] == "failed"
        assert len(stage.models.calls) == 4


async def test_what_was_called_in_a_run_stays_whatever_is_left_out():
    async with Stage(WAITS, TOO_LONG[0], says("So.")) as stage:
        agent, thread = await stage.begin(*map(str, range(4)), tools=[TOOL])
        run = await stage.run(agent, thread)
        told = await stage.events(f"/threads/{thread}/runs/{run['id']}/submit_tool_outputs", SUBMIT)
        assert told[-2][0] == "thread.run.completed"
        assert [each["role"] for each in stage.models.asked(1)["messages"]] == [*["user"] * 4, "assistant", "tool"]
        assert [each["role"] for each in stage.models.asked(2)["messages"]] == [*["user"] * 2, "assistant", "tool"]


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"assistant_id": None}, "assistant_id"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_prompt_tokens": 255}, "max_prompt_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"truncation_strategy": {"type": "middle"}}, "truncation_strategy.type"),
        ({"truncation_strategy": {"type": "last_messages"}}, "truncation_strategy.last_messages"),
        ({"truncation_strategy": {"type": "auto", "last_messages": 1}}, "truncation_strategy.last_messages"),
        ({"truncation_strategy": {"type": "last_messages", "last_messages": 0}}, "truncation_strategy.last_messages"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "code_interpreter"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "strange"}}, "tool_choice.type"),
        ({"tools": [{"type": "mcp"}]}, "tools[0].type"),
        ({"tools": [TOOL, TOOL]}, "tools[1].function.name"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "text", "json_schema": {"name": "a"}}}, "response_format.json_schema"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}}}, "tool_resources.file_search"),
        ({"additional_messages": [{"role": "system", "content": "x"}]}, "additional_messages[0].role"),
        ({"additional_messages": [{"role": "user", "content": "x"}] * 101}, "additional_messages"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"thread": {}}, "thread"),
        ({"stranger": 1}, "stranger"),
        ({"additional_instructions": "x" * 256_001}, "instructions"),
    ],
)
async def test_a_run_that_cannot_be_is_refused_and_leaves_nothing(members, param):
    stage = Stage(says("So."))
    agent, thread = await stage.begin("x")
    given = {"assistant_id": agent} | members
    body = {name: value for name, value in given.items() if value is not None}
    assert (await stage.refused("POST", f"/threads/{thread}/runs", body))[1] == param
    assert (await stage.ask("GET", f"/threads/{thread}/runs"))["data"] == []
    assert await stage.said(thread) == ["x"]
    assert not stage.jobs._jobs
    if "additional" not in next(iter(members)) and "thread" not in members:
        body |= {"thread": {"messages": [{"role": "user", "content": "y"}]}}
        assert (await stage.refused("POST", "/threads/runs", body))[1] == param
        assert len((await stage.ask("GET", "/threads"))["data"]) == 1


async def test_what_is_elsewhere_is_not_there():
    async with Stage(WAITS) as stage:
        agent, thread = await stage.begin("x", tools=[TOOL])
        run = await stage.run(agent, thread)
        (step,) = (await stage.ask("GET", f"/threads/{thread}/runs/{run['id']}/steps"))["data"]
        other_agent, other = await stage.begin("y")
        ids = {"thread": thread, "run": run["id"], "step": step["id"], "agent": agent}
        none = dict.fromkeys(ids, "none_1")
        for base in (SALES, V1, CLASSIC):
            for method, form, body in (
                ("GET", "/threads/{thread}/runs", None),
                ("POST", "/threads/{thread}/runs", {"assistant_id": "{agent}"}),
                ("GET", "/threads/{thread}/runs/{run}", None),
                ("POST", "/threads/{thread}/runs/{run}", {"metadata": {}}),
                ("POST", "/threads/{thread}/runs/{run}/cancel", None),
                ("POST", "/threads/{thread}/runs/{run}/submit_tool_outputs", SUBMIT),
                ("GET", "/threads/{thread}/runs/{run}/steps", None),
                ("GET", "/threads/{thread}/runs/{run}/steps/{step}", None),
            ):
                said = []
                for known in (ids, none):
                    raw = None if body is None else json.loads(json.dumps(body).replace("{agent}", known["agent"]))
                    message, _ = await stage.refused(method, form.format(**known), raw, base=base, status=404)
                    said.append(message.replace(known["thread"], "T"))
                assert said[0] == said[1]
            mine = await stage.begin("z", base=base)
            for foreign, path in itertools.product((agent, "asst_none"), (f"/threads/{mine[1]}/runs", "/threads/runs")):
                message, _ = await stage.refused("POST", path, {"assistant_id": foreign}, base=base, status=404)
                assert message == f"No assistant found with id '{foreign}'."
        for form in (
            "/threads/{o}/runs/{run}",
            "/threads/{o}/runs/{run}/steps",
            "/threads/{o}/runs/{run}/steps/{step}",
        ):
            await stage.refused("GET", form.format(o=other, **ids), status=404)
        later = await stage.run(other_agent, other)
        await stage.refused("GET", f"/threads/{other}/runs/{later['id']}/steps/{step['id']}", status=404)
        assert (await stage.ask("GET", f"/threads/{thread}/runs/{run['id']}"))["status"] == "requires_action"


async def test_jobs_of_other_kinds_are_none_of_these():
    stage = Stage(says("So."))
    agent, thread = await stage.begin("x")
    run = await stage.ask("POST", f"/threads/{thread}/runs", {"assistant_id": agent})
    stage.jobs._jobs.clear()
    await stage.jobs.add(NewJob(place=HERE, kind="response", id=f"{run['id']}-0"))
    assert (await stage.ask("GET", f"/threads/{thread}/runs/{run['id']}"))["status"] == "queued"


@pytest.mark.parametrize("include", ["step_details.tool_calls[*].file_search.results[*].content", "everything"])
async def test_include_is_checked(include):
    async with Stage(says("So.")) as stage:
        agent, thread = await stage.begin("x")
        run = await stage.run(agent, thread)
        status = 200 if include.startswith("step") else 400
        for path in (f"/threads/{thread}/runs/{run['id']}/steps?include[]={include}",):
            await stage.ask("GET", path, status=status)


async def test_a_message_larger_than_what_is_shown_is_shown_alone():
    async with Stage(says("So.")) as stage:
        agent, thread = await stage.begin("before")
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * (9 << 20)}}
        body = json.dumps({"role": "user", "content": [picture]}).encode()
        assert (await stage.reply("POST", f"/threads/{thread}/messages", body)).status == 200
        await stage.run(agent, thread)
        (message,) = stage.models.asked()["messages"]
        assert message["content"][0]["type"] == "image_url"

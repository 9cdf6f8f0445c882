"""Tools of responses in the background: each call a step, whoever dies, and none with an effect made twice."""

import asyncio
import json

import pytest

from forehearth.core.errors import Broken
from forehearth.core.sealed import Unsealable
from forehearth.jobs.run import JobCancelled, Run
from tests.openai_schemas import check
from tests.unit.dialects.responses.chats import DONE, call, chunk, folded, usage
from tests.unit.responses.stage import HERE, Source, Stage, somebody
from tests.unit.responses.test_background import attempt, events, require_sound
from tests.unit.responses.tool_sources import Source as Server
from tests.unit.responses.tool_sources import failed, mcp, tool


def model(body):
    """Reads, then writes, then says what it was told."""
    results = [each for each in body["messages"] if each["role"] == "tool"]
    if len(results) < 2:
        name = ("read", "write")[len(results)]
        return Source(
            [chunk({"content": "Hm."}), chunk(call(0, f"c{len(results)}", name, "{}"), "tool_calls"), usage(), DONE]
        )
    return Source([chunk({"content": results[1]["content"]}), chunk({}, "stop"), usage(), DONE])


def playing():
    stage = Stage(model)
    stage.sources["files"] = Server(tool("read", reads=True), tool("write"))
    return stage


async def test_it_is_made_with_its_tools_and_each_call_is_a_step():
    stage = playing()
    made = await stage.create(background=True, tools=[mcp(authorization="canary")])
    assert (made["status"], made["output"]) == ("queued", [])
    assert not await attempt(stage)
    response = await stage.responses.get(somebody(), made["id"])
    check("Response", response)
    assert [item["type"] for item in response["output"]] == [
        *("mcp_list_tools", "message", "mcp_call", "message", "mcp_call", "message")
    ]
    assert response["usage"]["total_tokens"] == 30
    require_sound(await events(stage, made["id"]), response)
    (job,) = stage.jobs._jobs.values()
    steps = (await stage.jobs.recorded(job.sequence)).steps
    ids = [item["id"] for item in response["output"] if item["type"] == "mcp_call"]
    assert {f"tool-{each}" for each in ids} | {"model-1", "model-2"} <= set(steps)
    assert all(stage.models.calls[at].record.outcome == "ok" for at in range(3))


async def test_what_opens_a_server_is_sealed_while_it_waits_and_gone_when_it_is_over():
    stage = playing()
    secrets = {"authorization": "token-canary", "headers": {"x-key": "header-canary"}}
    made = await stage.create(background=True, tools=[mcp(**secrets)])

    def stored():
        documents = b"".join(document.body for document in stage.store._documents.values())
        return documents + b"".join(job.input for job in stage.jobs._jobs.values())

    assert b"canary" not in stored()
    kept = await stage.kept_responses.at(HERE, made["id"])
    assert stage.kept_responses.asked(kept)["tools"][0]["authorization"] == "token-canary"
    assert kept.sealed is not None
    moved = type(kept)(response=made | {"id": "resp_other"}, input=[], asked={}, sealed=kept.sealed)
    with pytest.raises(Unsealable):
        stage.kept_responses.asked(moved)
    await attempt(stage)
    assert b"canary" not in stored()
    assert (await stage.kept_responses.at(HERE, made["id"])).sealed is None


@pytest.mark.parametrize("after", [False, True])
async def test_whenever_its_worker_dies_it_is_made_to_its_end_and_writes_once(after):
    """At each of its writes, and with the next worker dying at one of its first ones, too."""
    repeated = lost = 0
    for at in range(1, 100):
        for again in (1, 3):
            stage = playing()
            made = await stage.create(background=True, tools=[mcp()])
            stage.mortal.after = after
            deaths = 0
            for dies_at in (at, again, -1):
                stage.mortal.writes, stage.mortal.dies_at = 0, dies_at
                seen = await so_far(stage, made["id"])
                if not await attempt(stage) or (await stage.jobs.get(HERE, made["id"])).state.final:
                    break
                deaths += 1
                assert (await so_far(stage, made["id"]))[: len(seen)] == seen
            response = await stage.responses.get(somebody(), made["id"])
            assert response["status"] == "completed", (at, again)
            found = await events(stage, made["id"])
            assert [each["sequence_number"] for each in found] == list(range(len(found)))
            assert folded(found) == response
            called = [name for name, _ in stage.sources["files"].calls]
            assert called.count("write") <= 1, (at, again, called)
            assert 1 <= called.count("read") <= 1 + deaths
            repeated += called.count("read") - 1
            whole = [item for item in response["output"] if item["type"] == "mcp_call"]
            assert [item["name"] for item in whole] == ["read", "write"]
            lost += whole[1]["status"] == "failed"
            assert called.count("write") == 1 or whole[1]["status"] == "failed"
            (job,) = stage.jobs._jobs.values()
            steps = (await stage.jobs.recorded(job.sequence)).steps
            assert {f"tool-{item['id']}" for item in whole} == {name for name in steps if name.startswith("tool-")}
        if not stage.mortal.died_once:
            break  # there is no such write any more
    assert 10 < at < 100
    assert after or (repeated > 0 and lost > 0)


async def so_far(stage, id_):
    return [each.body for each in await stage.jobs.events(HERE, id_, -1, 1_000)]


async def test_one_that_waits_for_approval_is_over_whenever_its_worker_dies():
    for at in range(1, 40):
        stage = playing()
        made = await stage.create(background=True, tools=[mcp(require_approval="always")])
        stage.mortal.writes, stage.mortal.dies_at = 0, at
        died = await attempt(stage)
        if died and not (await stage.jobs.get(HERE, made["id"])).state.final:
            await attempt(stage)
        response = await stage.responses.get(somebody(), made["id"])
        assert response["status"] == "completed"
        assert [item["type"] for item in response["output"]].count("mcp_approval_request") == 1
        assert stage.sources["files"].calls == []
        if not died:
            break
    assert at > 5


async def test_a_call_that_was_approved_of_is_made_once_whenever_its_worker_dies():
    for at in range(1, 40):
        stage = Stage(Source([chunk(call(0, "c", "write", "{}"), "tool_calls"), DONE]))
        stage.sources["files"] = Server(tool("write"))
        asked = {"tools": [mcp(require_approval="always")]}
        first = await stage.create(stream=False, **asked, background=True)
        await attempt(stage)
        first = await stage.responses.get(somebody(), first["id"])
        (request,) = [item for item in first["output"] if item["type"] == "mcp_approval_request"]
        decided = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
        stage.models.answers = [lambda _: Source([chunk({"content": "Done."}, "stop"), DONE])]
        made = await stage.create(previous_response_id=first["id"], input=[decided], background=True, **asked)
        stage.mortal.writes, stage.mortal.dies_at = 0, at
        died = await attempt(stage)
        if died and not (await stage.jobs.get(HERE, made["id"])).state.final:
            await attempt(stage)
        response = await stage.responses.get(somebody(), made["id"])
        assert response["status"] == "completed"
        assert len(stage.sources["files"].calls) == 1
        assert [item["type"] for item in response["output"]].count("mcp_call") == 1
        if not died:
            break
    assert at > 5


async def test_what_goes_wrong_is_its_end():
    stage = playing()
    stage.sources["files"].answers["read"] = failed("http", "It is away.", 503)
    stage.sources["files"].has.pop()
    made = await stage.create(background=True, tools=[mcp(allowed_tools=["read"])])
    stage.models.answers = [model, Broken("The model's host broke off.")]
    await attempt(stage)
    response = await stage.responses.get(somebody(), made["id"])
    check("Response", response)
    assert (response["status"], response["output"][2]["status"]) == ("failed", "failed")
    found = await events(stage, made["id"])
    assert folded(found) == found[-1]["response"] == response
    assert json.dumps(response).count("It is away.") == 1


async def test_one_that_is_broken_off_while_a_tool_is_called_shows_how_far_it_was():
    stage = playing()
    waiting = asyncio.Event()

    async def never():
        waiting.set()
        await asyncio.get_running_loop().create_future()

    stage.sources["files"].answers["read"] = never
    made = await stage.create(background=True, tools=[mcp()])
    await stage.clock.advance(20)
    (job,) = await stage.jobs.claim({"response"}, 1, 15.0)
    run = Run(job, stage.jobs, stage.clock, stage.clock.sleep, good_until=stage.clock.monotonic() + 15.0)
    await run.begin()
    working = asyncio.ensure_future(stage.work(run))
    await waiting.wait()
    run.cancelling.set()
    with pytest.raises(JobCancelled):
        await working
    response = await stage.responses.get(somebody(), made["id"])
    check("Response", response)
    assert (response["status"], response["output"][-1]["status"]) == ("cancelled", "incomplete")
    assert stage.sources["files"].closed == 1
    assert [each.record.outcome for each in stage.models.calls] == ["cancelled"]

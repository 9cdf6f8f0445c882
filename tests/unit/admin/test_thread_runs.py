"""Runs of classic agents as operators see them: all legs of one, by its id or that of a job, without what was said."""

import pytest

from forehearth.admin.runs import LEG, Runs
from forehearth.server.run_kinds import RUN_KINDS
from tests.unit.assistants.stage import TOOL, Stage
from tests.unit.responses.stage import calls, says

SECRET = "what was said"


@pytest.fixture
async def ran():
    """A run that called a function, and was given what it gave."""
    async with Stage(calls("get_weather", f'{{"city": "{SECRET}"}}'), says(SECRET)) as stage:
        assistant, thread = await stage.begin(SECRET, tools=[TOOL])
        run = await stage.run(assistant, thread)
        assert run["status"] == "requires_action"
        stage.clock.now += 5
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": SECRET}]}
        path = f"/threads/{thread}/runs/{run['id']}"
        yield stage, run["id"], lambda: stage.events(f"{path}/submit_tool_outputs", outputs)


def runs_of(stage: Stage) -> Runs:
    return Runs(stage.documents, stage.jobs, RUN_KINDS, stage.clock)


async def test_while_it_waits_for_its_caller_it_has_not_ended(ran):
    stage, run_id, _ = ran
    found = await runs_of(stage).get("here", run_id)
    assert (found.facts.kind, found.facts.status, found.facts.ended) == ("thread_run", "requires_action", None)
    assert (found.facts.tools, found.facts.model) == (("function get_weather",), "m")
    whole = await runs_of(stage).whole(found)
    assert [(each.type, each.name, each.status) for each in whole.items] == [
        ("tool_calls", "get_weather", "in_progress")
    ]
    assert SECRET not in repr(whole)


async def test_its_legs_are_drawn_and_told_in_one_row(ran):
    stage, run_id, submit = ran
    await submit()
    runs = runs_of(stage)
    found = await runs.get("here", run_id)
    assert (found.facts.status, found.facts.ended, len(found.jobs)) == ("completed", stage.clock.now, 2)
    assert (found.facts.usage.prompt, found.facts.usage.completion) == (6, 4)
    assert len(found.facts.requests) == 2
    whole = await runs.whole(found)
    assert [(each.leg, each.fence) for each in whole.attempts] == [(0, 1), (1, 1)]
    assert [(each.leg, each.name) for each in whole.steps] == [(0, "answer"), (0, "end"), (1, "answer"), (1, "end")]
    assert ("message", "completed") in [(each.type, each.status) for each in whole.items]
    events = await runs.events(found, -1, 1_000)
    numbers = [each.number for each in events]
    assert numbers == sorted(numbers)
    assert {number // LEG for number in numbers} == {0, 1}
    assert events[-1].name == "thread.run.completed"
    for at in range(len(events)):
        assert await runs.events(found, numbers[at], 1_000) == events[at + 1 :]
        assert await runs.events(found, numbers[at], 1) == events[at + 1 : at + 2]
    assert SECRET not in repr((whole, events))


async def test_it_is_found_by_the_id_of_a_job_and_listed_once(ran):
    stage, run_id, submit = ran
    await submit()
    runs = runs_of(stage)
    found = await runs.get("here", run_id)
    assert await runs.get("here", f"{run_id}-1") == found
    assert await runs.newest("here", 10) == [found]


async def test_of_one_that_was_removed_its_jobs_are_left(ran):
    stage, run_id, _ = ran
    (place,) = {job.place for job in stage.jobs._jobs.values()}
    assert await stage.documents.delete(place, "thread_run", run_id, stage.clock.unix())
    found = await runs_of(stage).get("here", run_id)
    assert (found.id, found.facts.kind, found.facts.status) == (run_id, "thread_run", "succeeded")
    assert [each.id for each in await runs_of(stage).newest("here", 10)] == [run_id]

"""Runs of classic agents as operators see them: what was done and when, and never what was said."""

import pytest

from forehearth.admin.runs import Runs
from forehearth.core.job import JobState
from forehearth.server.assistants import RUN_KINDS
from tests.unit.assistants.test_deaths import CALLED, SPOKEN, Stage

SAID = ("Hel", "lo.", "I look.", '{"a": ', "hello")


async def looked_at(stage: Stage, run: str):
    """What is shown of a run, in which nothing is that was said."""
    runs = Runs(stage.documents, stage.jobs, RUN_KINDS, stage.clock)
    found = await runs.get("here", run)
    whole = await runs.whole(found)
    events = await runs.events(found, -1, 100)
    assert not any(said in repr((whole, events)) for said in SAID)
    return whole, events


async def test_a_message_and_when_it_came():
    stage = Stage()
    begun = await stage.begin()
    await stage.carry_out(begun, SPOKEN)
    whole, events = await looked_at(stage, begun.run.id)
    facts = whole.found.facts
    assert (facts.kind, facts.status, facts.model, facts.request_id) == ("thread_run", "succeeded", "m", "id-1")
    (item,) = whole.items
    assert (item.type, item.status, item.pieces, item.began) == ("message", "completed", 2, item.ended)
    assert [each.item for each in events if "message" in each.name] == ["message"] * 5
    assert set(whole.past.steps) == {"answer", "end"}


async def test_calls_by_their_names_each_leg_by_itself():
    stage = Stage()
    begun = await stage.begin()
    await stage.carry_out(begun, CALLED)
    whole, events = await looked_at(stage, begun.run.id)
    assert [(each.type, each.name, each.status) for each in whole.items] == [
        ("message", "", "completed"),
        ("function_call", "get_weather", "completed"),
        ("function_call", "get_weather", "completed"),
    ]
    assert [each.pieces for each in whole.items] == [1, 2, 1]
    assert [each.tool for each in events if each.item == "function_call"] == ["get_weather", "", "", "get_weather", ""]


@pytest.mark.parametrize("pieces", [SPOKEN, CALLED])
async def test_what_a_dead_worker_left_is_shown_as_it_ended(pieces):
    stage = Stage()
    begun = await stage.begin()
    stage.mortal.after = True
    await stage.carry_out(begun, pieces, 11 if pieces is CALLED else 6)
    whole, _ = await looked_at(stage, begun.run.id)
    statuses = [each.status for each in whole.items]
    assert "incomplete" in statuses
    assert statuses[-1] == "completed"
    assert len(whole.past.attempts) == 2


async def test_one_that_waits_for_its_worker():
    stage = Stage()
    begun = await stage.begin()
    whole, events = await looked_at(stage, begun.run.id)
    assert (whole.found.facts.status, whole.items, events) == (JobState.WAITING, (), [])

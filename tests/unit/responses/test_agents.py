"""Responses that an agent gives: what its model is asked, who is said to have made them, and who may see them."""

import json

import msgspec
import pytest

from forehearth.agents.records import NewVersion
from forehearth.core.errors import Conflict, InvalidField, NotFound, NotSupported
from forehearth.core.place import Place
from tests.openai_schemas import check
from tests.unit.dialects.responses.chats import DONE, chunk
from tests.unit.responses.stage import HERE, Source, Stage, calls, says, somebody

SALES = Place(resource="here", project="sales")
AT_AGENT = Place(resource="here", project="sales", agent="greeter")
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
REFERENCE = {"agent_reference": {"type": "agent_reference", "name": "greeter"}, "model": None}
MADE_BY = {"type": "agent_reference", "name": "greeter", "version": "1"}


async def greeter(stage, **members):
    definition = {"kind": "prompt", "model": "greeting", "instructions": "Greet."} | members
    raw = msgspec.Raw(json.dumps(definition).encode())
    await stage.agents.create_version(SALES, "greeter", NewVersion(definition=raw))


def closed(response):
    """Without what the service adds, and OpenAI's document does not have; that is looked at here."""
    rest = {name: value for name, value in response.items() if name != "agent_reference"}
    own = ("agent_reference", "response_id")
    rest["output"] = [{name: value for name, value in item.items() if name not in own} for item in response["output"]]
    return rest


async def test_the_agent_s_model_is_asked_as_the_agent_says():
    stage = Stage(says())
    await greeter(stage, temperature=0.5, tools=[FUNCTION], text={"format": {"type": "json_object"}})
    made = await stage.create(somebody(SALES), **REFERENCE)
    assert stage.models.asked() == {
        "model": "greeting",
        "messages": [{"role": "system", "content": "Greet."}, {"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
    }
    assert stage.models.calls[0].name == "greeting"
    assert (made["agent_reference"], made["model"], made["instructions"]) == (MADE_BY, "greeting", "Greet.")
    (item,) = made["output"]
    assert (item["agent_reference"], item["response_id"]) == (MADE_BY, made["id"])
    check("Response", closed(made))
    assert await stage.responses.get(somebody(SALES), made["id"]) == made


async def test_events_show_the_agent_and_each_item_who_made_it():
    stage = Stage(Source([chunk({"content": "Hi."}), chunk({}, "stop"), DONE]))
    await greeter(stage)
    reply = await stage.reply(somebody(SALES), stream=True, **REFERENCE)
    text = b"".join([piece async for piece in reply.stream])
    events = [json.loads(line[6:]) for line in text.decode().splitlines() if line.startswith("data: ")]
    assert all(each["response"]["agent_reference"] == MADE_BY for each in events if "response" in each)
    items = [each["item"] for each in events if "item" in each]
    assert len(items) == 2
    assert all(item["agent_reference"] == MADE_BY for item in items)


async def test_a_version_that_is_named_is_asked_and_one_that_is_not_there_is_not():
    stage = Stage(says())
    await greeter(stage)
    await greeter(stage, instructions="Greet warmly.")
    made = await stage.create(somebody(SALES), agent={"name": "greeter", "version": "1"})
    assert made["instructions"] == "Greet."
    assert (await stage.create(somebody(SALES), agent={"name": "greeter"}))["instructions"] == "Greet warmly."
    for reference in ({"name": "greeter", "version": "3"}, {"name": "nobody"}):
        with pytest.raises(NotFound):
            await stage.create(somebody(SALES), agent=reference)


async def test_a_disabled_agent_is_not_asked():
    stage = Stage(says())
    await greeter(stage)
    await stage.agents.enable(SALES, "greeter", enabled=False)
    with pytest.raises(Conflict, match="disabled"):
        await stage.create(somebody(SALES), **REFERENCE)
    assert stage.models.calls == []


async def test_an_agent_is_asked_within_its_project_alone():
    stage = Stage(says())
    await greeter(stage)
    with pytest.raises(NotSupported, match="/api/projects/"):
        await stage.create(somebody(HERE), **REFERENCE)
    with pytest.raises(NotFound):
        await stage.create(somebody(Place(resource="here", project="other")), **REFERENCE)
    assert stage.models.calls == []


async def test_a_conversation_with_an_agent_goes_on_and_keeps_who_said_what():
    stage = Stage(says("One."), says("Two."))
    await greeter(stage)
    conversation = await stage.begin(place=SALES)
    for text in ("a", "b"):
        await stage.create(somebody(SALES), input=text, conversation=conversation, **REFERENCE)
    assert [each["content"] for each in stage.models.asked()["messages"]] == ["Greet.", "a", "One.", "b"]
    found = await stage.conversations.everything(SALES, conversation, most_bytes=1_000_000)
    said = [json.loads(item.body) for item in found]
    assert [each.get("agent_reference") for each in said] == [None, MADE_BY, None, MADE_BY]


async def test_a_function_goes_round_with_an_agent_by_the_response_before_and_by_its_items():
    stage = Stage(calls("f"), says())
    await greeter(stage, tools=[FUNCTION])
    first = await stage.create(somebody(SALES), **REFERENCE)
    (call,) = first["output"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
    await stage.create(somebody(SALES), input=[output], previous_response_id=first["id"], **REFERENCE)
    by_reference = stage.models.asked()
    user = {"role": "user", "content": "hello"}
    await stage.create(somebody(SALES), input=[user, call, output], **REFERENCE)
    assert stage.models.asked() == by_reference
    assert by_reference["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "42"}


async def test_at_an_agent_s_own_endpoint_it_is_that_agent_and_what_is_made_there_is_seen_there_alone():
    stage = Stage(says())
    await greeter(stage)
    made = await stage.create(somebody(AT_AGENT), model=None)
    assert made["agent_reference"] == MADE_BY
    assert await stage.responses.get(somebody(AT_AGENT), made["id"]) == made
    project = await stage.create(somebody(SALES), **REFERENCE)
    other = Place(resource="here", project="sales", agent="other")
    for place, response in ((SALES, made), (other, made), (AT_AGENT, project)):
        with pytest.raises(NotFound):
            await stage.responses.get(somebody(place), response["id"])
        with pytest.raises(InvalidField if place.agent != "other" else (InvalidField, NotFound)):
            await stage.create(somebody(place), previous_response_id=response["id"])

"""Responses within a conversation: what was said before is seen, and what is said now is added, or nothing is."""

import pytest

from forehearth.core.errors import BackendRefused, InvalidField, NotFound, NotSupported
from forehearth.core.place import Place
from tests.openai_schemas import check
from tests.unit.dialects.responses.chats import DONE, call, chunk, types
from tests.unit.responses.stage import HERE, Source, Stage, calls, says, somebody

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def texts(items):
    return [part.get("text") for item in items for part in item.get("content", ())]


async def test_what_was_said_is_seen_and_what_is_said_is_added():
    stage = Stage(says("One."), says("Two."))
    talk = await stage.begin({"role": "user", "content": "My name is Ada."})
    first = await stage.create(input="1", conversation=talk)
    second = await stage.create(input="2", conversation={"id": talk})
    assert [each["content"] for each in stage.models.asked()["messages"]] == ["My name is Ada.", "1", "One.", "2"]
    assert texts(await stage.said(talk)) == ["My name is Ada.", "1", "One.", "2", "Two."]
    assert first["conversation"] == second["conversation"] == {"id": talk}
    assert (await stage.said(talk))[2]["id"] == first["output"][0]["id"]
    check("Response", first)


async def test_functions_are_called_and_answered():
    stage = Stage(calls("f"), says("It is 2."))
    talk = await stage.begin()
    await stage.create(conversation=talk, tools=[TOOL])
    output = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
    await stage.create(input=[output], conversation=talk, tools=[TOOL])
    assert [each["role"] for each in stage.models.asked()["messages"]] == ["user", "assistant", "tool"]
    kinds = [item["type"] for item in await stage.said(talk)]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


async def test_a_stream_is_added_before_its_last_event_is_sent():
    stage = Stage(Source([chunk({"content": "One."}), chunk({}, "stop"), DONE]))
    talk = await stage.begin()
    reply = await stage.reply(input="1", conversation=talk, stream=True)
    async for piece in reply.stream:
        if b"response.completed" in piece:
            assert texts(await stage.said(talk)) == ["1", "One."]


async def test_a_call_that_was_cut_is_not_added():
    stage = Stage(Source([chunk({"content": "wait"}), chunk(call(0, "call_1", "f", '{"x')), chunk({}, "length"), DONE]))
    talk = await stage.begin()
    events = await stage.events(conversation=talk, tools=[TOOL])
    assert types(events)[-1] == "incomplete"
    assert [item["type"] for item in await stage.said(talk)] == ["message", "message"]
    stage.models.answers = [says("Go on.")]
    await stage.create(previous_response_id=events[-1]["response"]["id"])
    assert "tool_calls" not in stage.models.asked()["messages"][1]


@pytest.mark.parametrize("members", [{"store": False}, {}])
async def test_nothing_is_added_where_nothing_is_kept_or_nobody_saw_the_end(members):
    stage = Stage(says() if members else Source([chunk({"content": "One."})]))
    talk = await stage.begin()
    if members:
        await stage.create(conversation=talk, **members)
    else:
        assert types(await stage.events(conversation=talk))[-1] == "failed"
    assert await stage.said(talk) == []


async def test_what_the_host_refuses_is_not_added():
    stage = Stage(BackendRefused("Too many.", status=429))
    talk = await stage.begin()
    with pytest.raises(BackendRefused):
        await stage.create(conversation=talk)
    assert await stage.said(talk) == []


async def test_items_of_it_are_referred_to_and_not_added_again():
    stage = Stage(says("One."))
    talk = await stage.begin({"role": "user", "content": "1", "id": "msg_mine"})
    made = await stage.create(input=[{"type": "item_reference", "id": "msg_mine"}], conversation=talk)
    assert texts(await stage.said(talk)) == ["1", "One."]
    listed = await stage.responses.input_items(somebody(), made["id"])
    assert [item["id"] for item in listed["data"]] == ["msg_mine"]


@pytest.mark.parametrize(
    ("item", "error", "param"),
    [
        ({"role": "user", "content": "1", "id": "msg_mine"}, InvalidField, "input"),
        ({"role": "user", "content": "1", "id": "of_nothing"}, InvalidField, "input[0].id"),
    ],
)
async def test_what_cannot_be_added_is_refused_before_the_model_is_asked(item, error, param):
    stage = Stage(says())
    talk = await stage.begin({"role": "user", "content": "1", "id": "msg_mine"})
    with pytest.raises(error) as caught:
        await stage.create(input=[item], conversation=talk)
    assert caught.value.param == param
    assert stage.models.calls == []


async def test_items_that_no_model_can_be_shown():
    stage = Stage(says())
    talk = await stage.begin(
        {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}
    )
    with pytest.raises(NotSupported) as caught:
        await stage.create(conversation=talk)
    assert caught.value.param == "conversation[0].type"


async def test_elsewhere_it_does_not_exist():
    stage = Stage(says())
    talk = await stage.begin()
    for place in (Place(resource="there"), Place(resource="here", project="sales")):
        with pytest.raises(NotFound):
            await stage.create(somebody(place), conversation=talk)
    with pytest.raises(NotFound):
        await stage.create(conversation="conv_none")


async def test_a_conversation_that_is_removed_meanwhile():
    stage = Stage(Source([chunk({"content": "One."}), chunk({}, "stop"), DONE]))
    talk = await stage.begin()
    reply = await stage.reply(conversation=talk, stream=True)
    await stage.conversations.delete(HERE, talk)
    pieces = [piece async for piece in reply.stream]
    assert b"event: error" in pieces[-1]
    assert stage.kept == []

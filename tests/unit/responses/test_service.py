"""Responses: made, kept, gone on from, read, and gone again."""

import asyncio
import json

import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.errors import (
    BackendRefused,
    Broken,
    InvalidField,
    NotFound,
    NotSupported,
    TimedOut,
    UnknownField,
)
from forehearth.core.place import Place
from forehearth.documents.repository import Order
from forehearth.responses.kept import RETENTION
from tests.openai_schemas import check, check_event
from tests.unit.dialects.responses.chats import DONE, chunk, folded, types, usage
from tests.unit.responses.stage import Source, Stage, calls, read, says, somebody

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
SAID = (chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo."}))
WHOLE = (*SAID, chunk({}, "stop"), usage(), DONE)


async def test_a_response_is_made_and_kept():
    stage = Stage(says())
    made = await stage.create()
    check("Response", made)
    assert made["output"][0]["content"][0]["text"] == "Hello."
    assert made["usage"]["total_tokens"] == 5
    assert made["store"] is True
    assert await stage.responses.get(somebody(), made["id"]) == made
    assert stage.models.asked() == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def test_the_call_is_the_caller_s():
    stage = Stage(says())
    await stage.reply(max_output_tokens=20)
    (call,) = stage.models.calls
    assert (call.name, call.model_in_body, call.output, call.output_members) == (
        "m",
        "m",
        20,
        ("max_completion_tokens",),
    )
    assert (call.surface, call.request_id, call.forward) == ("openai_v1", "id-1", {b"traceparent": b"00"})
    assert not call.stream


async def test_headers_of_the_answer_but_its_kind():
    reply = await Stage(says()).reply()
    assert reply.headers == [(b"content-type", b"application/json"), (b"x-ms-deployment-name", b"m")]
    reply = await Stage(Source(WHOLE)).reply(stream=True)
    assert dict(reply.headers)[b"content-type"] == b"text/event-stream; charset=utf-8"


async def test_without_store_nothing_is_left():
    stage = Stage(says())
    made = await stage.create(store=False)
    assert made["store"] is False
    assert stage.kept == []
    with pytest.raises(NotFound):
        await stage.responses.get(somebody(), made["id"])
    stage = Stage(Source(WHOLE))
    assert (await stage.events(store=False))[-1]["response"]["store"] is False
    stage = Stage(Source(SAID))
    await stage.events(store=False)
    reply = await Stage(Source(SAID)).reply(stream=True, store=False)
    await reply.stream.aclose()
    assert stage.kept == []


async def test_what_is_kept_of_a_stream_is_what_was_streamed():
    stage = Stage(Source(WHOLE))
    events = await stage.events()
    for event in events:
        check_event(event)
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert events[-1]["response"] == folded(events)
    assert await stage.responses.get(somebody(), events[-1]["response"]["id"]) == events[-1]["response"]
    assert stage.models.calls[0].stream
    assert stage.models.calls[0].usage_asked is True


async def test_a_stream_is_kept_before_its_last_event_is_sent():
    stage = Stage(Source(WHOLE))
    reply = await stage.reply(stream=True)
    async for piece in reply.stream:
        if b"response.completed" in piece:
            assert len(stage.kept) == 1


async def test_a_stream_that_breaks_off_is_kept_as_failed():
    stage = Stage(Source([*SAID, TimedOut("The model's host was silent for too long.", phase="idle")]))
    events = await stage.events()
    assert types(events)[-1] == "failed"
    assert await stage.responses.get(somebody(), events[-1]["response"]["id"]) == events[-1]["response"]
    assert stage.models.calls[0].record.outcome == "backend_timeout"


async def test_a_source_that_says_nonsense_is_let_go():
    source = Source([*SAID, b"data: {\n\n", *WHOLE])
    stage = Stage(source)
    events = await stage.events()
    assert types(events)[-1] == "failed"
    assert source.closed
    assert stage.models.calls[0].record.outcome == "backend_broken"


async def test_a_client_that_leaves_leaves_a_cancelled_response():
    source = Source(WHOLE)
    stage = Stage(source)
    reply = await stage.reply(stream=True)
    (first, *_) = read(await anext(reply.stream))
    await anext(reply.stream)
    await reply.stream.aclose()
    await reply.stream.aclose()
    assert source.closed == 1
    left = await stage.responses.get(somebody(), first["response"]["id"])
    check("Response", left)
    assert (left["status"], left["output"][0]["status"]) == ("cancelled", "incomplete")
    assert left["output"][0]["content"][0]["text"] == "Hel"


async def test_a_client_that_leaves_before_the_first_word():
    stage = Stage(Source(WHOLE))
    reply = await stage.reply(stream=True)
    await reply.stream.aclose()
    (left,) = stage.kept
    assert (await stage.responses.get(somebody(), left))["status"] == "cancelled"


async def test_what_is_being_stored_is_stored_although_its_client_leaves():
    stage = Stage(Source(WHOLE))
    gate, insert = asyncio.Event(), stage.store.insert

    async def slow(document):
        await gate.wait()
        return await insert(document)

    stage.store.insert = slow
    reply = await stage.reply(stream=True)
    reading = asyncio.create_task(_all(reply.stream))
    for _ in range(20):
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await reply.stream.aclose()
    gate.set()
    for _ in range(20):
        await asyncio.sleep(0)
    (left,) = stage.kept
    assert (await stage.responses.get(somebody(), left))["status"] == "completed"


async def _all(stream):
    return [piece async for piece in stream]


async def test_a_stream_that_cannot_be_stored_ends_in_an_error():
    stage = Stage(Source(WHOLE))
    stage.store.full = True
    events = await stage.events()
    check_event(events[-1])
    assert events[-1]["type"] == "error"
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert "response.completed" not in {each["type"] for each in events}


async def test_a_response_that_cannot_be_stored_is_not_answered():
    stage = Stage(says())
    stage.store.full = True
    with pytest.raises(StoreFailed):
        await stage.create()
    assert (await stage.create(store=False))["status"] == "completed"


async def test_a_host_that_answers_a_stream_at_once():
    stage = Stage(says())
    events = await stage.events()
    assert types(events)[-1] == "completed"
    assert stage.kept == [events[-1]["response"]["id"]]


async def test_what_the_host_refuses_is_refused_and_not_kept():
    stage = Stage(BackendRefused("Too many.", status=429))
    for stream in (False, True):
        with pytest.raises(BackendRefused):
            await stage.reply(stream=stream)
    stage.models.answers = [{"choices": 1}]
    for stream in (False, True):
        with pytest.raises(Broken):
            await stage.reply(stream=stream)
    assert stage.kept == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("messages[1].content", "input"),
        ("messages", "input"),
        ("max_completion_tokens", "max_output_tokens"),
        ("response_format.json_schema.schema.properties", "text.format"),
        ("tools[0].function.parameters", "tools[0].parameters"),
        ("reasoning_effort", "reasoning.effort"),
        ("temperature", "temperature"),
        (None, None),
    ],
)
async def test_what_a_host_refuses_is_named_as_it_was_asked_for(given, told):
    for error in (BackendRefused("no", status=400, param=given), InvalidField("no", param=given)):
        with pytest.raises(type(error)) as caught:
            await Stage(error).create()
        assert caught.value.param == told


async def test_a_conversation_goes_on():
    stage = Stage(says("One."), says("Two."), says("Three."))
    first = await stage.create(input="1", instructions="be short")
    second = await stage.create(input="2", previous_response_id=first["id"])
    third = await stage.create(input="3", previous_response_id=second["id"], instructions="be long")
    assert stage.models.asked()["messages"] == [
        {"role": "system", "content": "be long"},
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "2"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "3"},
    ]
    assert third["previous_response_id"] == second["id"]
    listed = await stage.responses.input_items(somebody(), third["id"])
    assert [item["content"] for item in listed["data"]] == [[{"type": "input_text", "text": "3"}]]


async def test_a_branch_of_a_conversation():
    stage = Stage(says("One."), says("Two."), says("Other."))
    first = await stage.create(input="1")
    await stage.create(input="2", previous_response_id=first["id"])
    await stage.create(input="3", previous_response_id=first["id"])
    assert [each["content"] for each in stage.models.asked()["messages"]] == ["1", "One.", "3"]


async def test_a_call_of_a_function_is_answered():
    stage = Stage(calls("f", '{"x":1}'), says("It is 2."))
    first = await stage.create(tools=[TOOL])
    (call,) = first["output"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "2"}
    await stage.create(input=[output], previous_response_id=first["id"], tools=[TOOL])
    assert stage.models.asked()["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
    ]
    with pytest.raises(InvalidField, match="No tool output found"):
        await stage.create(previous_response_id=first["id"])


async def test_without_store_the_client_sends_all():
    stage = Stage(calls("f"), says())
    first = await stage.create(store=False, tools=[TOOL])
    output = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
    said = [{"role": "user", "content": "hello"}, *first["output"], output]
    await stage.create(store=False, input=said, tools=[TOOL])
    assert [each["role"] for each in stage.models.asked()["messages"]] == ["user", "assistant", "tool"]


async def test_items_are_referred_to():
    stage = Stage(says("One."), says("Two."))
    first = await stage.create(input="1")
    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    second = await stage.create(input=[reference, {"role": "user", "content": "2"}], previous_response_id=first["id"])
    assert [each["content"] for each in stage.models.asked()["messages"]] == ["1", "One.", "One.", "2"]
    listed = await stage.responses.input_items(somebody(), second["id"], Order(newest_first=False))
    check("ResponseItemList", listed)
    assert listed["data"][0] == first["output"][0]
    with pytest.raises(InvalidField, match="not found"):
        await stage.create(input=[reference])


async def test_an_item_that_is_there_twice():
    stage = Stage(says("One."))
    first = await stage.create(input="1")
    answer = first["output"][0]
    reference = {"type": "item_reference", "id": answer["id"]}
    for given, before in (([answer, answer], None), ([reference, reference], first["id"])):
        with pytest.raises(InvalidField, match="Duplicate item found") as caught:
            await stage.create(input=given, previous_response_id=before)
        assert caught.value.param == "input"


async def test_a_conversation_of_which_a_part_is_gone():
    stage = Stage(says())
    first = await stage.create()
    second = await stage.create(previous_response_id=first["id"])
    await stage.responses.delete(somebody(), first["id"])
    with pytest.raises(InvalidField, match=f"Previous response with id '{first['id']}' not found") as caught:
        await stage.create(previous_response_id=second["id"])
    assert caught.value.param == "previous_response_id"


@pytest.mark.parametrize("bounds", [{"turns": 2}, {"longest": 3_000}])
async def test_a_conversation_that_is_too_long(bounds):
    stage = Stage(says(), **bounds)
    made = [await stage.create()]
    for _ in range(2):
        made.append(await stage.create(previous_response_id=made[-1]["id"]))
    with pytest.raises(InvalidField, match="begin a new one"):
        await stage.create(previous_response_id=made[-1]["id"])


async def test_delete():
    stage = Stage(says())
    made = await stage.create()
    assert await stage.responses.delete(somebody(), made["id"]) == {
        "id": made["id"],
        "object": "response",
        "deleted": True,
    }
    for gone in (stage.responses.get, stage.responses.delete, stage.responses.cancel, stage.responses.input_items):
        with pytest.raises(NotFound):
            await gone(somebody(), made["id"])
    assert stage.kept == []


async def test_after_thirty_days_it_is_gone():
    stage = Stage(says())
    made = await stage.create()
    await stage.clock.advance(RETENTION - 1)
    await stage.responses.get(somebody(), made["id"])
    await stage.clock.advance(1)
    with pytest.raises(NotFound):
        await stage.responses.get(somebody(), made["id"])


@pytest.mark.parametrize(
    "other",
    [
        somebody(Place(resource="there"), tenant="t1"),
        somebody(Place(resource="here", project="sales"), tenant="t1"),
        somebody(tenant="t2"),
    ],
)
async def test_elsewhere_it_does_not_exist(other):
    stage = Stage(says())
    made = await stage.create(somebody(tenant="t1"))
    told = set()
    for wanted in (made["id"], "resp_none"):
        for gone in (stage.responses.get, stage.responses.delete, stage.responses.cancel, stage.responses.input_items):
            with pytest.raises(NotFound) as caught:
                await gone(other, wanted)
            told.add(caught.value.message.replace(wanted, "…"))
    assert told == {"There is no response '…'."}
    with pytest.raises(InvalidField, match="not found"):
        await stage.create(other, previous_response_id=made["id"])
    assert await stage.responses.get(somebody(), made["id"]) == made


async def test_a_response_that_is_not_in_the_background_is_not_cancelled():
    stage = Stage(says())
    made = await stage.create()
    with pytest.raises(InvalidField, match="Cannot cancel a synchronous response"):
        await stage.responses.cancel(somebody(), made["id"])
    with pytest.raises(InvalidField, match="not created with background=true"):
        await stage.responses.stream(somebody(), made["id"])


async def test_pages_of_input_items():
    stage = Stage(says())
    made = await stage.create(input=[{"role": "user", "content": str(number)} for number in range(5)])
    everything = await stage.responses.input_items(somebody(), made["id"])
    ids = [item["id"] for item in everything["data"]]
    assert [item["content"][0]["text"] for item in everything["data"]] == ["4", "3", "2", "1", "0"]
    assert (everything["first_id"], everything["last_id"], everything["has_more"]) == (ids[0], ids[4], False)

    async def page(**order):
        found = await stage.responses.input_items(somebody(), made["id"], Order(**order))
        check("ResponseItemList", found)
        return [item["id"] for item in found["data"]], found["has_more"]

    assert await page(limit=2) == (ids[:2], True)
    assert await page(limit=2, after=ids[1]) == (ids[2:4], True)
    assert await page(limit=2, after=ids[3]) == (ids[4:], False)
    assert await page(limit=2, before=ids[4]) == (ids[2:4], True)
    assert await page(newest_first=False, after=ids[3]) == (ids[2::-1], False)
    assert await page(after=ids[4]) == ([], False)
    for order, param in (({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"after": "msg_none"}, "after")):
        with pytest.raises(InvalidField) as caught:
            await page(**order)
        assert caught.value.param == param


async def test_tokens_are_counted_without_asking_the_model():
    stage = Stage(says())
    made = await stage.create(input="one two")
    stage.models.calls.clear()
    body = {"model": "m", "input": "three four five", "previous_response_id": made["id"], "instructions": "be short"}
    counted = await stage.responses.input_tokens(somebody(), json.dumps(body).encode())
    check("TokenCountsResource", counted)
    assert counted["input_tokens"] == 3 + 4 * 4 + 8
    with_tools = await stage.responses.input_tokens(somebody(), json.dumps(body | {"tools": [TOOL]}).encode())
    assert with_tools["input_tokens"] > counted["input_tokens"]
    assert stage.models.calls == []
    assert len(stage.kept) == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"input": "x", "store": False}, UnknownField),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x"}]}]}, NotSupported),
        ({"input": "x", "personality": "friendly"}, NotSupported),
    ],
)
async def test_what_cannot_be_counted(body, error):
    with pytest.raises(error):
        await Stage(says()).responses.input_tokens(somebody(), json.dumps(body).encode())


async def test_without_a_vocabulary_nothing_is_counted():
    stage = Stage(says())
    assert (await stage.responses.input_tokens(somebody(), b'{"input": "x"}'))["input_tokens"] == 8
    stage.count = None
    with pytest.raises(NotSupported, match=r"forehearth\[tokens\]"):
        await stage.responses.input_tokens(somebody(), b'{"input": "x"}')


async def test_on_a_path_with_a_deployment_it_is_the_model():
    stage = Stage(says())
    reply = await stage.responses.create(somebody(), b'{"model": "ignored", "input": "x"}', deployment="d")
    assert json.loads(reply.body)["model"] == stage.models.calls[0].name == "d"

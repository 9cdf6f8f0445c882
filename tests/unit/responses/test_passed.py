"""Hosts that have the Responses API themselves: what they are asked, and that their answers come as they were sent."""

import asyncio
import json
from typing import Any

import pytest

from forehearth.core.errors import InvalidField, TimedOut, UnknownField
from forehearth.jobs.run import JobCancelled, Run
from tests.openai_schemas import check
from tests.unit.responses.stage import HERE, HostStream, Source, Stage, calls, read, says, somebody
from tests.unit.responses.test_agents import MADE_BY, REFERENCE, SALES, greeter
from tests.unit.responses.test_background import attempt

SAYS = {
    "type": "message",
    "id": "msg_host",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": [], "mood": "good"}],
}
SEARCHED = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
USAGE = (
    '{"input_tokens":3,"input_tokens_details":{"cached_tokens":1,"cache_write_tokens":0},'
    '"output_tokens":2,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":5}'
)


def host_response(*output: dict[str, Any], **members: Any) -> bytes:
    """A response as a host writes it: with members, blanks and a number that nobody else would write so."""
    members = {"id": "resp_host", "object": "response", "created_at": 7, "status": "completed"} | members
    shown = json.dumps(members | {"previous_response_id": None, "store": False, "output": list(output)})
    return (shown[:-1] + ' ,  "usage" : ' + USAGE + ', "new": {"deep" : [1.50, 2e1]} }').encode()


def event(kind: str, number: int, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number} | members)}\n\n".encode()


def told(*output: dict[str, Any], last: str = "completed") -> list[bytes]:
    """The events of a host's answer, with one that nobody here knows, and a comment."""
    begun = {"id": "resp_host", "object": "response", "status": "in_progress", "output": []}
    pieces = [
        event("response.created", 0, response=begun),
        event("response.in_progress", 1, response=begun),
        b": still here\n\n",
    ]
    number = 2
    for index, item in enumerate(output):
        pieces.append(
            event("response.output_item.added", number, output_index=index, item=item | {"status": "in_progress"})
        )
        pieces.append(event("response.unheard_of", number + 1, output_index=index, item_id=item["id"], x={"y": 1}))
        pieces.append(event("response.output_item.done", number + 2, output_index=index, item=item))
        number += 3
    ended = host_response(*output, status=last)
    pieces.append(
        b'event: response.%s\ndata: {"type":"response.%s", "response":%s,"sequence_number":%d,"more":1}\n\n'
        % (last.encode(), last.encode(), ended, number)
    )
    return pieces


async def streamed(stage: Stage, **members: Any) -> bytes:
    reply = await stage.reply(stream=True, **members)
    text = b"".join([piece async for piece in reply.stream])
    await reply.stream.aclose()
    return text


async def test_a_host_is_asked_what_came_byte_by_byte():
    stage = Stage(host_response(SAYS), passes=True)
    body = b'{ "model":"m", "input" : "hello" , "temperature":1.0,"novel":{"a" : 1e2},"store":true,"background":false}'
    await stage.responses.create(somebody(), body)
    (call,) = stage.models.calls
    assert call.only_responses
    assert call.responses == (b'{ "model":"m","input" : "hello","temperature":1.0,"novel":{"a" : 1e2},"store":false}')


async def test_what_chat_completions_can_say_can_be_asked_of_both_kinds_of_hosts():
    stage = Stage(says(), passes=True)
    made = await stage.create(max_output_tokens=20)
    (call,) = stage.models.calls
    assert not call.only_responses
    assert stage.models.asked()["messages"] == [{"role": "user", "content": "hello"}]
    assert stage.models.passed() == {"model": "m", "input": "hello", "max_output_tokens": 20, "store": False}
    assert made["output"][0]["content"][0]["text"] == "Hello."


async def test_a_whole_answer_comes_as_it_was_but_for_what_is_kept_here():
    stage = Stage(host_response(SAYS), passes=True)
    reply = await stage.reply(metadata={"a": "b"})
    made = json.loads(reply.body)
    assert b'"new": {"deep" : [1.50, 2e1]}' in reply.body
    assert made["id"].startswith("resp_")
    assert made["id"] != "resp_host"
    assert (made["store"], made["created_at"], made["output"]) == (True, 7, [SAYS])
    assert made["metadata"] == {"a": "b"}, "a documented member that the host left out"
    mutilated = {name: value for name, value in made.items() if name != "new"}
    del mutilated["output"][0]["content"][0]["mood"]
    check("Response", mutilated)
    assert await stage.responses.get(somebody(), made["id"]) == json.loads(reply.body)


async def test_usage_of_a_host_that_tells_less_has_its_details():
    body = json.dumps(
        {"id": "r", "output": [SAYS], "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}
    ).encode()
    made = await Stage(body, passes=True).create()
    assert made["usage"]["output_tokens_details"] == {"reasoning_tokens": 0}
    assert made["status"] == "completed"


async def test_a_stream_comes_as_it_was_but_for_what_is_kept_here():
    pieces = told(SAYS, SEARCHED)
    stage = Stage(HostStream(pieces), passes=True)
    text = await streamed(stage)
    events = [each for each in text.split(b"\n\n") if each]
    assert len(events) == len(pieces)
    assert b"\n\n".join(events[2:-1]) + b"\n\n" == b"".join(pieces[2:-1]), "what is no response's own came otherwise"
    assert b'"more":1' in events[-1]
    assert b'"new": {"deep" : [1.50, 2e1]}' in events[-1]
    ids = {json.loads(each.split(b"data: ")[1])["response"]["id"] for each in (events[0], events[1], events[-1])}
    (id_,) = ids
    kept = await stage.responses.get(somebody(), id_)
    assert kept == json.loads(events[-1].split(b"data: ")[1])["response"]
    assert kept["output"] == [SAYS, SEARCHED]


async def test_a_stream_cut_anywhere_comes_the_same():
    whole = b"".join(told(SAYS, SEARCHED))
    expected = await streamed(Stage(HostStream([whole]), passes=True))
    for size in (1, 7, 100):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert await streamed(Stage(HostStream(pieces), passes=True)) == expected
    crlf = await streamed(Stage(HostStream([whole.replace(b"\n", b"\r\n")]), passes=True))
    assert crlf == expected.replace(b"\n", b"\r\n")


async def test_a_mark_behind_the_last_event_stays_behind_it():
    pieces = [*told(SAYS), b"data: [DONE]\n\n"]
    text = await streamed(Stage(HostStream(pieces), passes=True))
    assert text.endswith(b"data: [DONE]\n\n")
    assert text.count(b"response.completed") == 2


async def test_a_host_that_numbers_nothing_is_numbered():
    """As llama.cpp's server streams."""
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
    done = {"type": "output_text", "text": "Hey", "annotations": [], "logprobs": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "x", "object": "response", "status": "in_progress"}},
        {"type": "response.output_item.added", "item": item},
        {"type": "response.content_part.added", "item_id": "msg_1", "part": {"type": "output_text", "text": ""}},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "He"},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "y"},
        {"type": "response.output_text.done", "item_id": "msg_1", "text": "Hey"},
        {"type": "response.content_part.done", "item_id": "msg_1", "part": done},
        {"type": "response.output_item.done", "item": item | {"status": "completed", "content": [done]}},
        {"type": "response.completed", "response": {"id": "x", "object": "response", "status": "completed"}},
    ]
    pieces = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events]
    shown = read(await streamed(Stage(HostStream(pieces), passes=True)))
    assert [each["sequence_number"] for each in shown] == list(range(9))
    assert all(each["output_index"] == 0 for each in shown[1:-1])
    assert all(each["content_index"] == 0 for each in shown[2:-2])
    assert shown[-1]["response"]["output"] == [item | {"status": "completed", "content": [done]}]
    assert shown[-1]["response"]["tools"] == []
    check("Response", shown[-1]["response"])


async def test_a_host_that_breaks_off_leaves_a_response_that_failed():
    pieces = told(SAYS, SEARCHED)[:-2]
    stage = Stage(HostStream([*pieces, TimedOut("The host was silent.", phase="idle")]), passes=True)
    text = await streamed(stage)
    last = json.loads(text.strip().split(b"data: ")[-1])
    assert last["type"] == "response.failed"
    assert last["sequence_number"] == 7
    assert [item["status"] for item in last["response"]["output"]] == ["completed", "incomplete"]
    assert last["response"]["error"]["message"] == "The host was silent."
    assert (await stage.responses.get(somebody(), last["response"]["id"])) == last["response"]


async def test_a_host_that_tells_of_an_error():
    error = event("error", 2, code="server_error", message="out of memory", param=None)
    stage = Stage(HostStream([*told()[:2], error]), passes=True)
    text = await streamed(stage)
    assert text.endswith(error)
    (id_,) = stage.kept
    kept = await stage.responses.get(somebody(), id_)
    assert (kept["status"], kept["error"]["message"]) == ("failed", "out of memory")


async def test_a_client_that_leaves_leaves_a_response_that_is_cancelled():
    stage = Stage(HostStream(told(SAYS, SEARCHED)), passes=True)
    reply = await stage.reply(stream=True)
    async for piece in reply.stream:
        if b"output_item.done" in piece:
            break
    await reply.stream.aclose()
    (id_,) = stage.kept
    kept = await stage.responses.get(somebody(), id_)
    assert (kept["status"], kept["output"]) == ("cancelled", [SAYS])


@pytest.mark.parametrize("state", ["previous_response_id", "conversation"])
async def test_a_host_is_sent_all_that_was_said_before(state: str):
    stage = Stage(host_response(SAYS, SEARCHED), passes=True)
    if state == "conversation":
        given = {"conversation": await stage.begin()}
        await stage.create(input="one", **given)
    else:
        made = await stage.create(input="one")
        given = {"previous_response_id": made["id"]}
    answer = await stage.create(input=[{"role": "user", "content": "two", "novel": 1}], **given)
    passed = stage.models.passed()
    assert [item.get("id") for item in passed["input"]] == [None, "msg_host", "ws_1", None]
    assert passed["input"][0]["content"] == [{"type": "input_text", "text": "one"}]
    assert passed["input"][-1] == {"role": "user", "content": "two", "novel": 1}
    assert state not in passed
    assert answer[state] == (given[state] if state == "previous_response_id" else {"id": given[state]})


async def test_reasoning_goes_on_encrypted():
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    stage = Stage(host_response(thought, SAYS), passes=True)
    made = await stage.create(reasoning={"effort": "low", "summary": "auto"}, text={"verbosity": "low"})
    passed = stage.models.passed()
    assert passed["include"] == ["reasoning.encrypted_content"]
    assert passed["reasoning"] == {"effort": "low", "summary": "auto"}
    assert passed["text"] == {"verbosity": "low"}
    await stage.create(previous_response_id=made["id"])
    assert stage.models.passed()["input"][1] == thought
    assert "include" not in stage.models.passed()


async def test_a_mixed_pool_goes_on_from_what_either_kind_said():
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    stage = Stage(host_response(thought, SAYS, SEARCHED), says("Two."), host_response(SAYS), passes=True)
    first = await stage.create(input="one")
    second = await stage.create(input="two", previous_response_id=first["id"])
    assert [message["role"] for message in stage.models.asked()["messages"]] == ["user", "assistant", "user"]
    await stage.create(input="three", previous_response_id=second["id"])
    kinds = [item.get("type", "message") for item in stage.models.passed()["input"]]
    assert kinds == ["message", "message", "web_search_call", "message", "message", "message"]


async def test_what_no_host_knows_is_refused_as_ever():
    with pytest.raises(UnknownField):
        await Stage(says()).create(novel=1)
    with pytest.raises(InvalidField):
        await Stage(host_response(SAYS), passes=True).create(novel=1, previous_response_id=7)


async def test_a_reference_is_resolved_here():
    stage = Stage(host_response(SAYS), passes=True)
    made = await stage.create(input="one")
    items = [{"type": "item_reference", "id": "msg_host"}, {"role": "user", "content": "two"}]
    await stage.create(input=items, previous_response_id=made["id"])
    assert "item_reference" not in stage.models.calls[-1].responses.decode()


async def test_in_the_background_a_host_is_asked_for_a_stream():
    pieces = told(SAYS, SEARCHED)
    stage = Stage(HostStream(pieces), passes=True)
    made = await stage.create(background=True, novel=1)
    assert not await attempt(stage)
    passed = stage.models.passed()
    assert passed["stream"] is True
    assert passed["novel"] == 1
    assert "background" not in passed
    kept = await stage.responses.get(somebody(), made["id"])
    assert (kept["status"], kept["output"], kept["background"]) == ("completed", [SAYS, SEARCHED], True)
    assert kept["new"] == {"deep": [1.5, 20.0]}
    reply = await stage.responses.stream(somebody(), made["id"])
    events = read(b"".join([piece async for piece in reply.stream]))
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert [each["type"] for each in events].count("response.unheard_of") == 2
    assert events[-1]["response"] == kept


async def test_a_worker_that_dies_leaves_what_it_told_and_the_next_one_numbers_on():
    for dies_at in range(1, 12):
        stage = Stage(passes=True)
        made = await stage.create(background=True)
        for now in (dies_at, -1):
            stage.models.answers = [HostStream(told(SEARCHED, SAYS))]
            stage.mortal.writes, stage.mortal.dies_at = 0, now
            if not await attempt(stage) or (await stage.jobs.get(HERE, made["id"])).state.final:
                break
        kept = await stage.responses.get(somebody(), made["id"])
        reply = await stage.responses.stream(somebody(), made["id"])
        events = read(b"".join([piece async for piece in reply.stream]))
        assert kept["status"] == "completed"
        assert events[-1]["response"] == kept
        assert [each["sequence_number"] for each in events] == list(range(len(events)))
        output: list[dict[str, Any]] = []
        for each in events:
            if each["type"] == "response.output_item.added":
                assert each["output_index"] == len(output)
                output.append(each["item"])
            if each["type"] == "response.output_item.done":
                output[each["output_index"]] = each["item"]
        assert output == kept["output"], "putting the events together gives another response"


async def test_a_function_that_was_called_is_answered():
    stage = Stage(calls("f"), passes=True)
    made = await stage.create(tools=[{"type": "function", "name": "f", "parameters": {}}])
    output = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
    await stage.create(input=[output], previous_response_id=made["id"])
    kinds = [item.get("type", "message") for item in stage.models.passed()["input"]]
    assert kinds == ["message", "function_call", "function_call_output"]


async def test_a_chat_host_that_streams_is_read_as_ever():
    stage = Stage(
        Source([b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n']), passes=True
    )
    events = read(await streamed(stage))
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "a"


async def test_an_agent_s_answer_says_who_made_it():
    stage = Stage(host_response(SAYS), passes=True)
    await greeter(stage, tools=[{"type": "function", "name": "f", "parameters": {}}])
    made = await stage.create(somebody(SALES), **REFERENCE)
    passed = stage.models.passed()
    assert (passed["model"], passed["instructions"]) == ("greeting", "Greet.")
    assert not passed.keys() & {"agent_reference", "agent"}
    (item,) = made["output"]
    assert (made["agent_reference"], item["agent_reference"], item["response_id"]) == (MADE_BY, MADE_BY, made["id"])
    assert await stage.responses.get(somebody(SALES), made["id"]) == made
    await stage.create(somebody(SALES), **REFERENCE, previous_response_id=made["id"])
    assert "agent_reference" not in json.dumps(stage.models.passed())
    stage.models.answers = [HostStream(told(SAYS))]
    reply = await stage.reply(somebody(SALES), stream=True, **REFERENCE)
    events = read(b"".join([piece async for piece in reply.stream if not piece.startswith(b":")]))
    assert all(each["item"]["agent_reference"] == MADE_BY for each in events if "item" in each)
    assert all(each["response"]["agent_reference"] == MADE_BY for each in events if "response" in each)
    assert events[-1]["response"]["output"][0]["response_id"] == events[-1]["response"]["id"]


async def test_one_in_the_background_is_broken_off():
    class Waiting(HostStream):
        waits = asyncio.Event()

        async def __anext__(self) -> bytes:
            if self.pieces:
                return await super().__anext__()
            self.waits.set()
            return await asyncio.get_running_loop().create_future()

    source = Waiting(told(SAYS, SEARCHED)[:-2])
    stage = Stage(source, passes=True)
    made = await stage.create(background=True)
    (job,) = await stage.jobs.claim({"response"}, 1, 15.0)
    run = Run(job, stage.jobs, stage.clock, stage.clock.sleep, good_until=stage.clock.monotonic() + 15.0)
    await run.begin()
    working = asyncio.ensure_future(stage.work(run))
    await source.waits.wait()
    run.cancelling.set()  # as a heartbeat does
    with pytest.raises(JobCancelled):
        await working
    assert source.closed
    kept = await stage.responses.get(somebody(), made["id"])
    assert kept["status"] == "cancelled"
    assert [item["status"] for item in kept["output"]] == ["completed", "incomplete"]

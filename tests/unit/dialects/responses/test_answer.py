"""From answers of chat completions to responses and their events."""

import json

import pytest

from forehearth.core.errors import BackendRefused, Broken, TimedOut
from forehearth.dialects.responses.answer import encoded
from tests.openai_schemas import check, check_event, members, problems
from tests.unit.dialects.responses.chats import (
    DONE,
    NOW,
    answering,
    call,
    chunk,
    event,
    folded,
    run,
    types,
    usage,
    whole,
)

BEGIN = ["created", "in_progress"]
SPEAK = ["output_item.added", "content_part.added", "output_text.delta"]
SPOKEN = ["output_text.done", "content_part.done", "output_item.done"]
CALLED = ["function_call_arguments.done", "output_item.done"]


def test_a_text():
    events = run(answering(), chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}),
                 chunk({"content": "lo"}), chunk({}, "stop"), usage(), DONE)  # fmt: skip
    assert types(events) == [*BEGIN, *SPEAK, "output_text.delta", *SPOKEN, "completed"]
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    response = events[-1]["response"]
    assert response == folded(events)
    assert response["status"] == "completed"
    assert response["created_at"] == NOW
    assert response["completed_at"] == NOW + 5
    assert response["output"] == [
        {
            "id": "msg_0",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
        }
    ]
    for each in events:
        check_event(each)


def test_every_documented_member_is_there_from_the_first_event_on():
    events = run(answering(), chunk({"content": "x"}, "stop"))
    for each in events:
        if "response" in each:
            assert set(each["response"]) == members("Response")


def test_what_was_asked_is_shown():
    asked = {
        "instructions": "be short",
        "max_output_tokens": 20,
        "max_tool_calls": 3,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "previous_response_id": "resp_0",
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "store": False,
        "temperature": 0.5,
        "tools": [{"type": "function", "name": "f", "description": None, "parameters": {}, "strict": True}],
        "tool_choice": {"type": "function", "name": "f"},
        "top_logprobs": 2,
        "top_p": 0.9,
        "truncation": "disabled",
        "user": "u",
    }
    response = whole(answering(**asked), {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]})
    assert {name: response[name] for name in asked} == asked
    check("Response", response)


@pytest.mark.parametrize(
    "form",
    [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": None},
        {"type": "json_schema", "name": "s", "schema": {}, "strict": True, "description": "d"},
    ],
)
def test_the_form_that_was_asked_for_is_shown(form):
    response = whole(answering(text={"format": form, "verbosity": "low"}), {"choices": [{"message": {"content": "x"}}]})
    assert response["text"] == {"format": form, "verbosity": "low"}
    check("Response", response)


def test_a_mutated_response_fails():
    response = whole(answering(), {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]})
    check("Response", response)
    assert problems("Response", response | {"extra": 1})
    assert problems("Response", response | {"status": "done"})
    response["output"][0]["content"][0]["extra"] = 1
    assert problems("Response", response)


def test_calls_one_after_the_other():
    events = run(
        answering(),
        chunk(call(0, "call_a", "f")),
        chunk(call(0, arguments='{"x":')),
        chunk(call(0, arguments="1}")),
        chunk(call(1, "call_b", "g", "{}")),
        chunk({}, "tool_calls"),
        DONE,
    )
    added = ["output_item.added", "function_call_arguments.delta"]
    first = [*added, "function_call_arguments.delta", *CALLED]
    assert types(events) == [*BEGIN, *first, *added, *CALLED, "completed"]
    called = [(item["call_id"], item["name"], item["arguments"]) for item in events[-1]["response"]["output"]]
    assert called == [("call_a", "f", '{"x":1}'), ("call_b", "g", "{}")]


def test_a_text_is_closed_before_a_call_opens():
    events = run(answering(), chunk({"content": "wait"}), chunk(call(0, "call_a", "f", "{}")), chunk({}, "tool_calls"))
    call_events = ["output_item.added", "function_call_arguments.delta", *CALLED]
    assert types(events) == [*BEGIN, *SPEAK, *SPOKEN, *call_events, "completed"]


def test_calls_at_the_same_time_stay_open_until_they_are_whole():
    events = run(
        answering(),
        chunk(call(0, "call_a", "f", '{"x":')),
        chunk(call(1, "call_b", "g", '{"y":')),
        chunk({"content": "meanwhile"}),
        chunk(call(0, arguments="1}")),
        chunk(call(1, arguments="2}")),
        chunk({}, "tool_calls"),
    )
    arguments = {item["call_id"]: item["arguments"] for item in folded(events)["output"] if "call_id" in item}
    assert arguments == {"call_a": '{"x":1}', "call_b": '{"y":2}'}
    assert types(events).count("output_item.done") == 3
    assert {item["status"] for item in events[-1]["response"]["output"]} == {"completed"}
    for each in events:
        check_event(each)


def test_hosts_that_number_every_call_0():
    events = run(answering(), chunk(call(0, "call_a", "f", "{}")), chunk(call(0, "call_b", "f", "{}")), DONE)
    assert [item["call_id"] for item in events[-1]["response"]["output"]] == ["call_a", "call_b"]


def test_hosts_that_give_calls_no_id():
    events = run(answering(), chunk(call(0, None, "f", "{}")), chunk({}, "tool_calls"))
    assert events[-1]["response"]["output"][0]["call_id"] == "call_0"


def test_a_refusal():
    events = run(answering(), chunk({"refusal": "I "}), chunk({"refusal": "won't"}), chunk({}, "stop"))
    opened = ["output_item.added", "content_part.added", "refusal.delta", "refusal.delta"]
    assert types(events) == [*BEGIN, *opened, "refusal.done", "content_part.done", "output_item.done", "completed"]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I won't"}]
    for each in events:
        check_event(each)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_an_item_of_its_own(name):
    events = run(answering(), chunk({name: "hm"}), chunk({"content": "yes"}), chunk({}, "stop"))
    thought = ["output_item.added", "content_part.added", "reasoning_text.delta"]
    closed = ["reasoning_text.done", "content_part.done", "output_item.done"]
    assert types(events) == [*BEGIN, *thought, *closed, *SPEAK, *SPOKEN, "completed"]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "reasoning_text", "text": "hm"}]
    for each in events:
        check_event(each)


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_that_is_cut_is_incomplete(finish, reason):
    events = run(answering(), chunk({"content": "Once"}), chunk({}, finish), DONE)
    response = events[-1]["response"]
    assert events[-1]["type"] == "response.incomplete"
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": reason}
    assert response["completed_at"] is None
    assert response["output"][0]["status"] == "incomplete"
    check("Response", response)


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call", "eos"])
def test_an_answer_that_ended_by_itself_is_complete(finish):
    assert run(answering(), chunk({"content": "x"}, finish))[-1]["type"] == "response.completed"


def test_an_answer_without_a_word():
    events = run(answering(), chunk({"role": "assistant", "content": ""}), chunk({}, "stop"), DONE)
    assert types(events) == [*BEGIN, "completed"]
    assert events[-1]["response"]["output"] == []


def test_usage_is_the_host_s_and_null_where_it_said_none():
    details = {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}
    assert run(answering(), chunk({}, "stop"), usage(**details))[-1]["response"]["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 10,
    }
    assert run(answering(), chunk({}, "stop"), DONE)[-1]["response"]["usage"] is None


def test_probabilities_of_tokens():
    told = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.5}]}]
    events = run(
        answering(top_logprobs=1),
        chunk({"content": "a"}, logprobs={"content": told, "refusal": None}),
        chunk({}, "stop"),
    )
    likeliest = [{"token": "a", "logprob": -0.5}]
    shown = [{"token": "a", "logprob": -0.5, "top_logprobs": likeliest}]
    assert [each["logprobs"] for each in events if "logprobs" in each] == [shown, shown]
    part = events[-1]["response"]["output"][0]["content"][0]
    assert part["logprobs"] == [
        {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.5, "bytes": []}]}
    ]
    for each in events:
        check_event(each)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (b"", "The model's host broke off its answer."),
        (b"data: {\n\n", "The model's host sent an answer that is not one of chat completions."),
        (event({"error": {"message": "out of memory at https://10.0.0.1/"}}), "out of memory at (address)"),
        (chunk({"tool_calls": [{"index": 0}]}), "The model's host sent a call of a function without its name."),
    ],
)
def test_a_stream_that_breaks_off(rest, message):
    events = run(answering(), chunk({"content": "Once"}), rest)
    assert types(events) == [*BEGIN, *SPEAK, "failed"]
    response = events[-1]["response"]
    assert response["status"] == "failed"
    assert response["error"] == {"code": "server_error", "message": message}
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["content"][0]["text"] == "Once"
    for each in events:
        check_event(each)


def test_arguments_after_a_call_was_whole():
    events = run(answering(), chunk(call(0, "a", "f", "{}")), chunk({"content": "x"}), chunk(call(0, arguments="{}")))
    assert events[-1]["type"] == "response.failed"


def test_a_stream_that_fails_beneath():
    answer = answering()
    events = answer.begin() + answer.feed(chunk({"content": "Once"}))
    events += answer.fail(TimedOut("The model's host was silent for too long.", phase="idle"))
    assert events[-1]["type"] == "response.failed"
    assert answer.over
    assert answer.feed(chunk({"content": "more"})) == answer.finish() == answer.fail(Broken("again")) == []


def test_a_busy_host_in_the_middle_of_a_stream():
    answer = answering()
    answer.begin()
    last = answer.fail(BackendRefused("Too many.", status=429))[-1]
    assert last["response"]["error"] == {"code": "rate_limit_exceeded", "message": "Too many."}
    check_event(json.loads(json.dumps(last)))


def test_a_client_that_leaves():
    answer = answering()
    answer.begin()
    answer.feed(chunk({"content": "Once"}))
    answer.cancel()
    assert answer.response["status"] == "cancelled"
    assert answer.response["output"][0]["status"] == "incomplete"
    check("Response", json.loads(json.dumps(answer.response)))


def test_something_wrong_beside_the_answer():
    answer = answering()
    begun = answer.begin()
    (last,) = answer.error("server_error", "It could not be kept.")
    assert last["sequence_number"] == len(begun)
    check_event(last)
    assert answer.finish() == []


def test_what_comes_after_the_end_is_not_said():
    events = run(answering(), chunk({"content": "x"}, "stop"), chunk({"content": "y"}), chunk({}, "length"), DONE)
    assert types(events) == [*BEGIN, *SPEAK, *SPOKEN, "completed"]


def test_an_answer_that_is_no_answer():
    for body in (b"", b"[]", b'{"choices": 1}', b'{"choices": []}'):
        answer = answering()
        answer.begin()
        with pytest.raises(Broken):
            answer.whole(body)
    with pytest.raises(BackendRefused):
        answering().whole(b'{"error": {"message": "no"}}')


def test_an_event_that_never_ends():
    answer = answering()
    answer.begin()
    events = [each for _ in range(10) for each in answer.feed(b"data: " + b"x" * 1_000_000)]
    assert types(events) == ["failed"]


def test_chunks_of_azure_s_content_filter_say_nothing():
    prompt = {
        "id": "",
        "object": "",
        "created": 0,
        "model": "",
        "choices": [],
        "prompt_filter_results": [],
        "usage": None,
    }
    offsets = {"check_offset": 0, "start_offset": 0, "end_offset": 1}
    late = {"index": 0, "finish_reason": None, "content_filter_results": {}, "content_filter_offsets": offsets}
    late_chunk = {"id": "", "object": "", "created": 0, "model": "", "choices": [late], "usage": None}
    events = run(
        answering(),
        event(prompt),
        chunk({"content": "x"}),
        event(late_chunk),
        chunk({}, "stop"),
        event(late_chunk),
        DONE,
    )
    assert types(events) == [*BEGIN, *SPEAK, *SPOKEN, "completed"]


def test_other_choices_and_comments_are_passed_over():
    other = event({"choices": [{"index": 1, "delta": {"content": "no"}}]})
    events = run(answering(), b": ping\r\n\r\n", other, chunk({"content": "yes"}, "stop"))
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "yes"


def test_an_event_as_the_stream_has_it():
    assert encoded({"type": "error", "sequence_number": 0}) == (
        b'event: error\ndata: {"type":"error","sequence_number":0}\n\n'
    )

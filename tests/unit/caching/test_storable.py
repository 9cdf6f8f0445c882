"""Which answers may be given again."""

import json
from typing import Any

import pytest

from forehearth.caching import storable
from forehearth.core.call import Operation

SAFE = {"hate": {"filtered": False, "severity": "safe"}}


def choice(content: Any = "Paris.", reason: Any = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content} | more.pop("message", {})
    return {"index": 0, "finish_reason": reason, "message": message} | more


def whole(*choices: dict[str, Any], operation: Operation = Operation.CHAT, **more: Any) -> str:
    return storable.whole(operation, json.dumps({"id": "1", "choices": list(choices)} | more).encode())


def event(delta: Any = None, reason: Any = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta or {}, "finish_reason": reason} | more]}


def stream(*events: Any, done: bool = True) -> str:
    lines = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in events]
    return storable.stream([*lines, b"data: [DONE]\n\n"] if done else lines)


TOOL = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_a_whole_answer_that_ended_by_itself():
    assert whole(choice()) == ""
    assert whole(choice(), choice("Lyon.", index=1)) == ""
    assert whole(choice(content_filter_results=SAFE), prompt_filter_results=[{"content_filter_results": SAFE}]) == ""
    assert whole(choice(message={"tool_calls": [], "refusal": None, "function_call": None})) == ""


@pytest.mark.parametrize(
    "choices",
    [
        [choice(reason="length")],
        [choice(reason="content_filter")],
        [choice(reason="tool_calls")],
        [choice(reason=None)],
        [choice(reason="something new")],
        [choice(message={"tool_calls": TOOL})],
        [choice(message={"function_call": {"name": "f", "arguments": "{}"}})],
        [choice(message={"refusal": "No."})],
        [choice(""), choice(index=1)],
        [choice(None)],
        [choice(" \n")],
        [choice(), choice(reason="length", index=1)],
        [choice(content_filter_results={"violence": {"filtered": True, "severity": "high"}})],
        [choice(content_filter_results={"jailbreak": {"filtered": False, "detected": True}})],
        [choice(content_filter_results={"error": {"code": "content_filter_error"}})],
        [choice(5)],
        [],
    ],
)
def test_whole_answers_that_are_not_kept(choices):
    assert whole(*choices)


def test_a_prompt_that_a_filter_stopped_has_no_answer_to_keep():
    assert whole(choice(), prompt_filter_results=[{"content_filter_results": {"hate": {"filtered": True}}}])
    assert whole(choice(), error={"code": "x"})
    assert storable.whole(Operation.CHAT, b"not json")


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that.",
        "I\u2019m sorry, I cannot help you with this request.",
        "I cannot provide instructions for that.",
        "As an AI language model, I am unable to help here.",
        "Unfortunately, I won't be able to do that.",
        "We are not able to answer this.",
        "I don't have access to real-time data.",
        "Es tut mir leid, aber dabei kann ich nicht helfen.",
        "Je ne peux pas vous aider.",
        "Lo siento, no puedo ayudar con eso.",
    ],
)
def test_a_refusal_in_words_is_one(text):
    assert whole(choice(text)) == "it is a refusal"


@pytest.mark.parametrize("text", ["You can't boil water in paper.", "It cannot fly.", "Sorry seems to be a song."])
def test_what_only_looks_like_a_refusal_is_none(text):
    assert whole(choice(text)) == ""


def test_completions_have_a_text():
    good = {"index": 0, "text": "Paris.", "finish_reason": "stop"}
    assert whole(good, operation=Operation.COMPLETIONS) == ""
    assert whole(good | {"text": ""}, operation=Operation.COMPLETIONS)


def test_embeddings_have_vectors():
    assert storable.whole(Operation.EMBEDDINGS, b'{"data": [{"embedding": [1.0]}]}') == ""
    assert storable.whole(Operation.EMBEDDINGS, b'{"data": []}')
    assert storable.whole(Operation.EMBEDDINGS, b'{"error": {}, "data": [1]}')


GOOD = (event({"role": "assistant"}), event({"content": "Par"}), event({"content": "is."}), event(reason="stop"))


def test_a_stream_that_came_to_its_end():
    assert stream(*GOOD) == ""
    assert stream(*GOOD, {"choices": [], "usage": {"prompt_tokens": 1}}) == ""
    assert stream(*GOOD, event({"content": "Lyon."}, "stop", index=1)) == ""


def test_pieces_may_be_cut_anywhere():
    text = b"".join(b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in GOOD) + b"data: [DONE]\r\n\r\n"
    assert storable.stream([text[at : at + 7] for at in range(0, len(text), 7)]) == ""


@pytest.mark.parametrize(
    "events",
    [
        [*GOOD[:3]],
        [*GOOD[:3], event(reason="length")],
        [*GOOD[:3], event(reason="content_filter")],
        [GOOD[0], event(reason="stop")],
        [*GOOD, event({"content": "x"}, index=1)],
        [event({"tool_calls": TOOL}), event(reason="stop")],
        [event({"content": "a"}), event({"refusal": "No."}), event(reason="stop")],
        [*GOOD, event(content_filter_results={"hate": {"filtered": True}})],
        [*GOOD, {"error": {"code": "server_error"}}],
        [event({"content": "I'm sorry, but "}), event({"content": "I can't do that."}), event(reason="stop")],
        ["nothing"],
        [],
    ],
)
def test_streams_that_are_not_kept(events):
    assert stream(*events)


def test_a_stream_without_its_last_event_has_no_end():
    assert stream(*GOOD, done=False) == "the stream has no end"
    assert storable.stream([]) == "the stream has no end"
    assert storable.stream([b"data: [DONE]\n\n", b"data: {}\n\n"]) == "the stream has no end"
    assert storable.stream([b"data: {\n\n", b"data: [DONE]\n\n"]) == "it cannot be read"

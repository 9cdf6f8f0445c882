"""What an answer of the Responses API says is counted where its host does not say what it used."""

import json

import pytest

from forehearth.dialects.response_texts import ResponseText, texts
from tests.unit.dice import by_dice, cut


def test_a_whole_response():
    message = {
        "type": "message",
        "content": [{"type": "output_text", "text": "Hi"}, {"type": "refusal", "refusal": "!"}],
    }
    call = {"type": "function_call", "name": "f", "arguments": "{}"}
    assert texts(json.dumps({"output": [message, call]}).encode()) == [
        "Hi!",
        '{"type":"function_call","name":"f","arguments":"{}"}',
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"output": 1}'])
def test_what_cannot_be_read_says_nothing(body):
    assert texts(body) == []


@by_dice(300, whole=1)
def test_the_deltas_of_a_stream_cut_anywhere(dice):
    said = ["Hel", "lo", "é"]
    events = [{"type": "response.output_text.delta", "delta": each} for each in said]
    events.insert(1, {"type": "response.unheard_of", "delta": 7})
    stream = b"".join(b"event: x\ndata: " + json.dumps(each).encode() + b"\n\n" for each in events)
    text = ResponseText()
    for piece in cut(dice, stream, 9):
        text.feed(piece)
    assert text.texts() == ["Helloé"]
    assert (text.spoken(), text.said_size()) == (3, 7)
    return "whole"


def test_the_event_that_cuts_it():
    event = json.loads(ResponseText().cut_short("too long", None).split(b"data: ")[1])
    assert event["response"]["incomplete_details"] == {"reason": "max_output_tokens"}

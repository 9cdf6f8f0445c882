"""What an answer says, in both dialects, however it is cut."""

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forehearth.connectors.said import Broken, Said, error_of, whole


def event(data, name=""):
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


CHAT = (
    event({"choices": [], "prompt_filter_results": []})
    + event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
    + event({"choices": [{"delta": {"content": "Grüß "}}]})
    + ": a comment\n\n"
    + event({"choices": [{"delta": {"content": "dich 😀"}}]})
    + event({"choices": [{"index": 0, "content_filter_offsets": {}}]})
    + event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    + "data: [DONE]\n\n"
)
RESPONSES = (
    event({"type": "response.created", "response": {"error": None}}, "response.created")
    + event({"type": "response.output_text.delta", "delta": "Grüß "}, "response.output_text.delta")
    + event({"type": "response.output_text.delta", "delta": "dich 😀"}, "response.output_text.delta")
    + event({"type": "response.completed", "response": {"error": None}}, "response.completed")
)


@pytest.mark.parametrize("stream", [CHAT, RESPONSES, CHAT.replace("\n", "\r\n")], ids=["chat", "responses", "crlf"])
@given(cuts=st.lists(st.integers(0, 2000), max_size=8))
def test_a_stream_says_the_same_however_it_is_cut(stream, cuts):
    data = stream.encode()
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    said = Said()
    text = "".join(said.feed(data[begin:end]) for begin, end in itertools.pairwise(ends))
    said.finish()
    assert text == "Grüß dich 😀"


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (event({"error": {"message": "The host failed.", "code": "x"}}), "The host failed."),
        (event({"type": "error", "message": "No."}), "No."),
        (event({"type": "response.failed", "response": {"error": {"message": "Gone."}}}), "Gone."),
        ("data: {no\n\n", "no JSON"),
        ("data: 7\n\n", "no JSON"),
        (event({"choices": []}), "before it was complete"),
        ("", "before it was complete"),
    ],
)
def test_an_answer_that_breaks_off(stream, words):
    said = Said()

    def read():
        said.feed(stream.encode())
        said.finish()

    with pytest.raises(Broken, match=words):
        read()


def test_an_event_without_end_is_given_up():
    said = Said()

    def read():
        for _ in range(6):
            said.feed(b"x" * 1024 * 1024)

    with pytest.raises(Broken, match="too long"):
        read()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"choices": [{"message": {"content": "Hi."}}]}, "Hi."),
        ({"choices": [{"message": {"content": None, "tool_calls": []}}]}, ""),
        ({"output": [{"type": "reasoning"}, {"content": [{"type": "output_text", "text": "Hi."}]}]}, "Hi."),
    ],
)
def test_an_answer_in_one_piece(answer, text):
    assert whole(json.dumps(answer).encode()) == text


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"value": []}', b"\xff"])
def test_what_is_no_answer(body):
    with pytest.raises(Broken):
        whole(body)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"error": {"code": "429", "message": "Wait."}}, ("429", "Wait.")),
        ({"status": 422, "code": "parameter_not_supported", "message": "No."}, ("parameter_not_supported", "No.")),
        ({"statusCode": 401, "message": "missing subscription key"}, ("401", "missing subscription key")),
        ({"error": {"code": None, "message": None}}, ("", "")),
        ({"error": "oh"}, ("", "")),
        ([], ("", "")),
    ],
)
def test_every_envelope_of_an_error(body, found):
    assert error_of(json.dumps(body).encode()) == found


@given(st.binary())
@example(b'{"a":' * 100_000)
def test_whatever_comes_is_read_or_broken(data):
    error_of(data)
    said = Said()
    try:
        said.feed(b"data: " + data + b"\n")
        whole(data)
    except Broken:
        pass

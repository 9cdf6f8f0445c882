import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.usage import Usage
from forehearth.dialects.answers import StreamText, cut_short, texts, usage_event


def event(*choices: object, **members: object) -> bytes:
    return (
        b"data: "
        + json.dumps({"id": "c1", "object": "chat.completion.chunk", "choices": choices} | members).encode()
        + b"\n\n"
    )


def said(text: str | None, index: int = 0, finish: str | None = None) -> dict[str, object]:
    return {"index": index, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}


def test_a_whole_answer() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    message = {"content": "b", "reasoning_content": "a", "refusal": "c", "tool_calls": [call], "function_call": None}
    body = {"choices": [{"message": message}, {"text": "d"}, {"message": {"content": None}}]}
    assert texts(json.dumps(body).encode()) == ["abcf{}", "d", ""]
    assert texts(b'{"choices": 3}') == []


def test_a_stream_is_read_when_it_is_asked_for() -> None:
    text = StreamText()
    for piece in (
        event(said("")),
        event(said("one")),
        event(said(" two"), said("uno", 1)),
        event(said(None, 0, "stop")),
    ):
        text.feed(piece)
        text.count(piece)
    text.feed(b": ping\n\ndata: [DONE]\n\n")
    assert text.texts() == ["one two", "uno"]
    assert (text.spoken(), text.events) == (3, 4)
    assert (text.open - text.finished, text.last.id) == ({1}, "c1")


@given(st.lists(st.integers(min_value=0, max_value=1_000), max_size=9))
def test_however_it_is_cut(cuts: list[int]) -> None:
    whole = b"".join(event(said(f"w{index} ")) for index in range(9))
    edges = [0, *sorted(cut % len(whole) for cut in cuts), len(whole)]
    text = StreamText()
    for begin, end in pairwise(edges):
        text.feed(whole[begin:end])
        text.spoken()
    assert text.texts() == ["".join(f"w{index} " for index in range(9))]
    assert text.spoken() == 9


def test_a_long_stream_is_not_kept() -> None:
    text = StreamText()
    for _ in range(3_000):
        text.feed(event(said("word")))
    assert sum(map(len, text._kept)) < 70_000
    assert text.texts() == ["word" * 3_000]


def test_an_endless_line_is_not_kept() -> None:
    text = StreamText()
    for _ in range(64):
        text.feed(b"x" * 65_536)
    assert sum(map(len, text._kept)) <= 1 << 20
    assert text.usage() is None


@pytest.mark.parametrize("reported_at", [0, 10, 1_500, 2_999])
@pytest.mark.parametrize("is_read", [False, True])
def test_a_long_stream_reports_its_usage_wherever_that_stands(reported_at: int, is_read: bool) -> None:
    report = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}\n\n'
    whole = [event(said("word"), usage=None) + (report if at == reported_at else b"") for at in range(3_000)]
    text = StreamText()
    for piece in (b"".join(whole)[at : at + 1_000] for at in range(0, sum(map(len, whole)), 1_000)):
        text.feed(piece)
        if is_read:
            text.spoken()
    assert text.usage() == Usage(prompt=7, completion=5)
    assert text.texts() == ["word" * 3_000]


def test_the_end_of_a_stream_that_is_cut_short() -> None:
    text = StreamText()
    text.feed(event(said("a"), said("b", 1), model="m", created=7))
    text.feed(event(said(None, 1, "stop"), model="m", created=7))
    text.texts()
    end = json.loads(cut_short(text, "why")[6:])
    assert end["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert (end["id"], end["model"], end["created"]) == ("c1", "m", 7)
    assert end["forehearth"] == {"ended_by": "output_bound", "message": "why"}
    report = json.loads(usage_event(text, 3, 4)[6:])
    assert (report["choices"], report["usage"]["total_tokens"]) == ([], 7)


def test_the_end_of_text_completions() -> None:
    text = StreamText()
    text.feed(b'data: {"id": "x", "object": "text_completion", "choices": [{"index": 0, "text": "hi"}]}\n\n')
    assert text.texts() == ["hi"]
    assert json.loads(cut_short(text, "")[6:])["choices"] == [{"index": 0, "text": "", "finish_reason": "length"}]

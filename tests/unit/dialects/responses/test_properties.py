"""Whatever a model says, and however its bytes are cut: the same events, each as documented, that add up."""

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.openai_schemas import check, check_event
from tests.unit.dialects.responses.chats import DONE, answering, call, chunk, folded, run, usage, whole

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PIECES = st.lists(TEXT, max_size=5)
ARGUMENTS = st.dictionaries(st.sampled_from("abc"), st.integers() | TEXT, max_size=2).map(json.dumps)


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    """What a model says, in the pieces in which it says it."""
    return {
        "content": draw(PIECES),
        "refusal": draw(st.just([]) | PIECES),
        "calls": [draw(st.lists(ARGUMENTS, min_size=1, max_size=1).map(_cut)) for _ in range(draw(st.integers(0, 3)))],
        "finish": draw(st.sampled_from(["stop", "tool_calls", "length", "content_filter", "eos"])),
        "usage": draw(st.none() | st.fixed_dictionaries({"prompt_tokens": st.integers(0, 9)})),
    }


def _cut(arguments: list[str]) -> list[str]:
    (text,) = arguments
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def streamed(what: dict[str, Any], *, at_the_same_time: bool = False) -> bytes:
    """The stream of chat completions that says it."""
    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"content": piece}) for piece in what["content"]]
    chunks += [chunk({"refusal": piece}) for piece in what["refusal"]]
    pieces = []
    for index, arguments in enumerate(what["calls"]):
        pieces.append((0, index, chunk(call(index, f"call_{index}", "f"))))
        pieces += [(at, index, chunk(call(index, arguments=piece))) for at, piece in enumerate(arguments, 1)]
    chunks += [piece for _, _, piece in (sorted(pieces) if at_the_same_time else pieces)]
    chunks.append(chunk({}, what["finish"]))
    return b"".join([*chunks, *([] if what["usage"] is None else [usage(**what["usage"])]), DONE])


def at_once(what: dict[str, Any]) -> dict[str, Any]:
    """The answer that is not streamed and says it."""
    calls = [
        {"id": f"call_{index}", "type": "function", "function": {"name": "f", "arguments": "".join(arguments)}}
        for index, arguments in enumerate(what["calls"])
    ]
    message = {"role": "assistant", "content": "".join(what["content"]), "refusal": "".join(what["refusal"]) or None}
    message |= {"tool_calls": calls} if calls else {}
    body = {"id": "chatcmpl-1", "choices": [{"index": 0, "message": message, "finish_reason": what["finish"]}]}
    counts = {"prompt_tokens": 7, "completion_tokens": 3}
    return body | ({} if what["usage"] is None else {"usage": counts | what["usage"]})


@given(said(), st.lists(st.integers(0, 4_000), max_size=8), st.booleans())
@settings(deadline=None)
def test_the_same_events_however_the_bytes_are_cut(what, places, together):
    text = streamed(what, at_the_same_time=together)
    cuts = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(cuts)]
    assert run(answering(), *pieces) == run(answering(), text)


@given(said())
@settings(deadline=None)
def test_each_byte_by_itself(what):
    text = streamed(what)
    assert run(answering(), *(text[at : at + 1] for at in range(len(text)))) == run(answering(), text)


@given(said(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_events_add_up_to_what_is_answered_at_once(what, together):
    events = run(answering(), streamed(what, at_the_same_time=together))
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert folded(events) == events[-1]["response"] == whole(answering(), at_once(what))


@given(said(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_every_event_is_as_documented(what, together):
    for event in run(answering(), streamed(what, at_the_same_time=together)):
        check_event(event)
    check("Response", whole(answering(), at_once(what)))


@given(said(), st.integers(0, 4_000))
@settings(deadline=None, max_examples=60)
def test_a_stream_that_breaks_off_fails_and_shows_what_there_was(what, place):
    text = streamed(what)
    end = text.rindex(b"data: ", 0, text.index(b'"finish_reason": "') + 1)
    events = run(answering(), text[: min(place, end)])
    assert [each["type"] for each in events].count("response.failed") == 1
    last = events[-1]["response"]
    assert last["status"] == "failed"
    assert last["error"]["code"] == "server_error"
    assert {item["status"] for item in last["output"]} <= {"incomplete", "completed"}
    for event in events:
        check_event(event)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_one_last_event(noise):
    events = run(answering(), noise)
    assert events[-1]["type"] in {"response.failed", "response.completed"}
    assert [each["type"] for each in events].count(events[-1]["type"]) == 1

"""Whatever a model says, and however its bytes are cut: the same events, which add up; whatever a body is, it is read
or refused."""

import itertools
import json
from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forehearth.core.errors import BackendRefused, Broken, Refused
from forehearth.dialects.assistants import asked, chat
from forehearth.dialects.assistants.answer import Answer, Event, Outcome, left_open
from forehearth.dialects.assistants.objects import Assistant, Message, Run, Step
from forehearth.dialects.assistants.states import FINAL, MOVES, Move, Status
from forehearth.dialects.responses import problems
from forehearth.documents.metadata import read_metadata
from tests.unit.dialects.responses.chats import NOW, counting
from tests.unit.dialects.responses.test_any_body import ANYTHING
from tests.unit.dialects.responses.test_properties import at_once, said, streamed

RUN = Run(id="run", created_at=1, assistant_id="asst", thread_id="thread", model="m")
MADE = {"id": "run", "thread_id": "thread", "created_at": 1, "expires_at": 601}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "assistant_id": st.just("asst"),
    "model": st.just("m"),
    "instructions": st.text(max_size=6),
    "additional_instructions": st.text(max_size=6),
    "additional_messages": st.lists(st.just({"role": "user", "content": [{"type": "text", "text": "x"}]}), max_size=2),
    "tools": st.lists(st.just(TOOL), max_size=1),
    "tool_choice": st.sampled_from(["auto", "none", "required", {"type": "function", "function": {"name": "f"}}]),
    "response_format": st.sampled_from(
        ["auto", {"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "a"}}]
    ),
    "temperature": st.floats(0, 2),
    "max_completion_tokens": st.integers(256, 999),
    "truncation_strategy": st.sampled_from([{"type": "auto"}, {"type": "last_messages", "last_messages": 3}]),
    "metadata": st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3),
    "parallel_tool_calls": st.booleans(),
}


def answering() -> Answer:
    return Answer(RUN, counting(), lambda: NOW + 5.0)


def told(answer: Answer, *pieces: bytes) -> tuple[list[Event], Outcome | None]:
    """All that is told of an answer, and what becomes of the run by it; None where it broke off."""
    events: list[Event] = []
    try:
        for piece in pieces:
            events += answer.feed(piece)
        due, outcome = answer.finish()
    except (Broken, BackendRefused):
        return events + answer.untold(), None
    return events + due, outcome


def added_up(events: list[Event]) -> tuple[str, list[str]]:
    """The text and the arguments of calls that the events add up to."""
    text, calls = "", dict[int, str]()
    for name, body in events:
        if name == "thread.message.delta":
            (part,) = body["delta"]["content"]
            text += part["text"]["value"] if part["type"] == "text" else ""
        elif name == "thread.run.step.delta":
            (call,) = body["delta"]["step_details"]["tool_calls"]
            calls[call["index"]] = calls.get(call["index"], "") + call["function"]["arguments"]
    return text, [calls[index] for index in sorted(calls)]


@given(said(), st.lists(st.integers(0, 4_000), max_size=8), st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_same_however_the_bytes_are_cut(what, places, together):
    text = streamed(what, at_the_same_time=together)
    cuts = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(cuts)]
    assert told(answering(), *pieces) == told(answering(), text)


@given(said())
@settings(deadline=None, max_examples=60)
def test_what_is_told_adds_up_to_what_is_kept(what):
    events, outcome = told(answering(), streamed(what))
    assert outcome is not None
    text, calls = added_up(events)
    assert text == "".join(what["content"])
    assert calls == ["".join(arguments) for arguments in what["calls"]]
    shown = [body for _, body in events if not isinstance(body, dict)] + outcome.items
    last = {item.id: item for item in shown}
    messages = [item for item in last.values() if isinstance(item, Message)]
    assert (
        "".join(part["text"]["value"] for each in messages for part in each.content if part["type"] == "text") == text
    )
    steps = [item for item in last.values() if isinstance(item, Step)]
    listed = [call["function"]["arguments"] for each in steps for call in each.step_details.get("tool_calls", ())]
    assert listed == calls
    assert (outcome.move is Move.CALL) is (bool(calls) and what["finish"] != "length")
    assert {each.status for each in messages} <= {"completed", "incomplete"}
    at_end = answering()
    at_end.whole(json.dumps(at_once(what)).encode())
    assert at_end.finish()[1].move is outcome.move


@given(said(), st.integers(0, 4_000))
@settings(deadline=None, max_examples=60)
def test_where_it_breaks_off_all_that_is_open_ends(what, place):
    text = streamed(what)
    end = text.rindex(b"data: ", 0, text.index(b'"finish_reason": "') + 1)
    answer = answering()
    events, outcome = told(answer, text[: min(place, end)])
    assert outcome is None
    ended = answer.leave(Move.FAIL, Broken("gone")).items
    seen = [(name, msgspec.to_builtins(body)) for name, body in events]
    assert {each.id for each in ended} == {each.id for each in left_open(seen, NOW)}
    for mine, found in zip(ended, left_open(seen, NOW), strict=True):
        assert mine.status == found.status
        if isinstance(mine, Message) and mine.content and mine.content[0]["type"] == "text" and len(mine.content) == 1:
            assert isinstance(found, Message)
            assert mine.content == found.content


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_break_off(noise):
    told(answering(), noise)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A good body of a run, of which one member may be anything."""
    body = {name: draw(value) for name, value in GOOD.items() if name == "assistant_id" or draw(st.booleans())}
    if draw(st.booleans()):
        body[draw(st.sampled_from(asked.RunOfThread.__struct_fields__))] = draw(ANYTHING)
    return body


@given(bodies())
@settings(deadline=None)
def test_a_run_is_read_or_refused(body):
    assistant = Assistant(id="asst", created_at=1, model="m")
    with suppress(Refused):
        found = problems.read(problems.decoded(json.dumps(body).encode()), asked.RunOfThread)
        asked.read_messages(found.additional_messages, "additional_messages", read_metadata)
        run = asked.read_run(found, assistant, read_metadata, MADE)
        assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run
        assert msgspec.json.decode(chat.body(run, chat.conversation(run, [], [], {}), most=None))["model"] == run.model


@given(st.binary(max_size=60))
@example(b'{"model":"\\ud800"}')
@example(b'{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":' + b'{"a":' * 500)
def test_bytes_are_read_or_refused(body):
    with suppress(Refused):
        asked.read_assistant(body, read_metadata)
    with suppress(Refused):
        asked.read_message(problems.decoded(body), read_metadata)


def test_what_is_nested_deeply_is_read_or_refused():
    for depth in range(0, 3_000, 50):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        for body in (
            b'{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":%b}}]}' % nested,
            b'{"model":"m","tool_resources":%b}' % nested,
            b'{"model":"m","response_format":{"type":"json_schema","json_schema":{"name":"a","schema":%b}}}' % nested,
        ):
            with suppress(Refused):
                members = asked.read_assistant(body, read_metadata)
                msgspec.json.encode(Assistant(id="asst", created_at=1, **members))


def test_from_every_status_that_goes_on_a_run_comes_to_an_end():
    for status in Status:
        ways = {move for of, move in MOVES if of is status}
        assert (not ways) is (status in FINAL)
        if ways:
            assert {Move.CANCEL, Move.EXPIRE} <= ways
            assert MOVES[status, Move.CANCEL] is Status.CANCELLED
            assert MOVES[status, Move.EXPIRE].final


@given(st.lists(st.integers(0, 400), min_size=1, max_size=12), st.integers(0, 500), st.booleans(), st.integers(0, 3))
def test_what_fits_is_the_newest(sizes, most, instructed, kept):
    messages = [{"role": "user", "content": "x" * size} for size in sizes]
    head = [{"role": "system", "content": "y" * 40}] if instructed else []
    found = chat.fitting([*head, *messages], most, chat.estimate, kept=kept)
    if found is None:
        return
    assert found[: len(head)] == head
    assert found[len(head) :] == messages[len(sizes) - (len(found) - len(head)) :]
    assert sum(4 + chat.estimate(each["content"]) for each in found) <= most
    assert len(found) - len(head) >= min(len(messages), max(1, kept))

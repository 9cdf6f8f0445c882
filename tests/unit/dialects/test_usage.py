"""Usage is read from what backends send, however it is cut, and never invented."""

import json

import pytest

from forehearth.core.errors import Broken
from forehearth.core.usage import Usage
from forehearth.dialects import usage
from tests.unit.dice import by_dice, cut


def chunk(**members: object) -> bytes:
    return b"data: " + json.dumps({"id": "x", "choices": [], **members}).encode() + b"\n\n"


COUNTS = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
STREAM = b"".join(
    [
        chunk(choices=[{"delta": {"content": 'it says "usage": {'}}], usage=None),
        b": a comment\n\n",
        chunk(usage=COUNTS | {"prompt_tokens_details": {"cached_tokens": 3}}),
        b"data: [DONE]\n\n",
    ]
)


def test_a_whole_body_with_details():
    body = json.dumps(
        {"usage": COUNTS | {"completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0}}}
    ).encode()
    assert usage.read(body) == Usage(prompt=7, completion=5, reasoning=2)


def test_embeddings_have_no_completion():
    assert usage.read(b'{"usage": {"prompt_tokens": 4, "total_tokens": 4}}') == Usage(prompt=4)


REPORT = range(STREAM.index(b'"usage": {"prompt'), STREAM.index(b"data: [DONE]"))


@by_dice(in_the_report=0.4, elsewhere=0.1)
def test_a_stream_cut_anywhere_reports_the_same(dice):
    pieces = cut(dice, STREAM, 12)
    ends = [sum(map(len, pieces[: count + 1])) for count in range(len(pieces))]
    kind = "in_the_report" if any(end in REPORT for end in ends) else "elsewhere"
    if dice.random() < 0.3:
        pieces = cut(dice, STREAM.replace(b"\n", dice.choice((b"\r\n", b"\r"))), 12)
        kind = "other_line_ends"
    watcher = usage.StreamUsage()
    for piece in pieces:
        watcher.feed(piece)
    assert watcher.finish() == Usage(prompt=7, completion=5, cached=3)
    return kind


def test_every_single_cut_reports_the_same():
    for place in range(len(STREAM)):
        watcher = usage.StreamUsage()
        watcher.feed(STREAM[:place])
        watcher.feed(STREAM[place:])
        assert watcher.finish() == Usage(prompt=7, completion=5, cached=3)


def test_an_event_that_is_not_terminated_counts():
    watcher = usage.StreamUsage()
    watcher.feed(chunk(usage=COUNTS).rstrip())
    assert watcher.finish() == Usage(prompt=7, completion=5)


def test_carriage_returns_end_events_too():
    watcher = usage.StreamUsage()
    watcher.feed(chunk(usage=COUNTS).replace(b"\n", b"\r\n"))
    assert watcher.usage == Usage(prompt=7, completion=5)


def test_an_endless_event_is_not_kept():
    watcher = usage.StreamUsage()
    for _ in range(64):
        watcher.feed(b"x" * 65_536)
    assert len(watcher._rest) <= 1 << 20
    assert watcher.finish() is None


EVENT = [b"data: {", b'"usage": {', b'"prompt_tokens":1}}', b"\n\n"]
PARTS = [*EVENT, b"\r\n", b'"prompt_tokens":null}}', b"\xff", b" ", b"0"]


@by_dice(found=0.05, nothing=0.5)
def test_no_bytes_break_it(dice):
    watcher = usage.StreamUsage()
    pieces = [dice.choice(PARTS) if dice.random() < 0.9 else dice.randbytes(9) for _ in range(dice.randrange(12))]
    if dice.random() < 0.5:
        place = dice.randrange(len(pieces) + 1)
        pieces[place:place] = EVENT
    for piece in pieces:
        watcher.feed(piece)
    found = watcher.finish()
    assert found is None or found.prompt >= 0
    return "nothing" if found is None else "found"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"usage": {"prompt_tokens": 1'])
def test_a_body_that_is_no_json_is_a_broken_reply(body):
    with pytest.raises(Broken):
        usage.read(body)


@pytest.mark.parametrize("body", [b"{}", b'{"usage": null}', b'{"usage": {"prompt_tokens": "1"}}', b'{"usage": []}'])
def test_what_is_not_reported_is_not_invented(body):
    assert usage.read(body) is None


@pytest.mark.parametrize("count", [b"-1", b"1000000001", b"9" * 400, b"1e3"])
@pytest.mark.parametrize(
    "counts",
    [
        b'"prompt_tokens": COUNT',
        b'"prompt_tokens": 1, "completion_tokens": COUNT',
        b'"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": COUNT}',
        b'"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": COUNT}',
    ],
)
def test_what_no_call_can_have_used_counts_as_not_reported(counts, count):
    body = b'{"usage": {%b}}' % counts.replace(b"COUNT", count)
    assert usage.read(body) is None
    watcher = usage.StreamUsage()
    watcher.feed(b"data: " + body + b"\n\n")
    assert watcher.finish() is None


RESPONSE_COUNTS = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 12,
}


def test_what_a_response_used():
    expected = Usage(prompt=7, completion=5, cached=3, reasoning=2)
    assert usage.read_response(json.dumps({"usage": RESPONSE_COUNTS}).encode()) == expected
    assert usage.read_response(b'{"usage": {"input_tokens": 7, "output_tokens": 5}}') == Usage(prompt=7, completion=5)
    assert usage.read_response(b'{"usage": null}') is None
    assert usage.read_response(json.dumps({"usage": COUNTS}).encode()) is None
    with pytest.raises(Broken):
        usage.read_response(b"<html>")


@by_dice(500, found=0.5, nothing=0.05)
def test_a_stream_of_responses_cut_anywhere(dice):
    begun = json.dumps({"type": "response.created", "response": {"usage": None}}).encode()
    ended = json.dumps({"type": "response.completed", "response": {"output": [], "usage": RESPONSE_COUNTS}}).encode()
    told = dice.random() < 0.8
    text = b"data: " + begun + b"\n\n" + (b"event: response.completed\ndata: " + ended + b"\n\n" if told else b"")
    watcher = usage.StreamUsage(usage.read_response_event)
    for piece in cut(dice, text, 9):
        watcher.feed(piece)
    found = watcher.finish()
    assert found == (Usage(prompt=7, completion=5, cached=3, reasoning=2) if told else None)
    return "found" if told else "nothing"

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from forehearth.dialects.usage_events import WithoutUsage


def event(**members: object) -> bytes:
    return b"data: " + json.dumps(members).encode() + b"\n\n"


SAID = event(choices=[{"delta": {"content": 'he says "usage": null, and goes'}}], id="a")
SAID_WITH_NULL = event(choices=[{"delta": {"content": "hi"}}], usage=None, id="a")
SAID_WITH_USAGE = event(choices=[{"delta": {"content": "!"}}], usage={"prompt_tokens": 1})
REPORT = event(id="a", choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2})
NO_REPORT = event(id="a", choices=[], usage=None, prompt_filter_results=[])
DONE = b"data: [DONE]\n\n"


def shown(*pieces: bytes) -> bytes:
    hidden = WithoutUsage()
    return b"".join([*(hidden.feed(piece) for piece in pieces), hidden.finish()])


def test_the_report_is_taken_out_and_nothing_else() -> None:
    assert shown(SAID + SAID_WITH_NULL, REPORT, DONE) == SAID + SAID_WITH_NULL.replace(b', "usage": null', b"") + DONE
    assert shown(SAID_WITH_USAGE) == SAID_WITH_USAGE
    assert shown(NO_REPORT) == NO_REPORT.replace(b', "usage": null', b"")


def test_other_line_ends_and_comments() -> None:
    assert shown(b": usage\r\n\r\n" + REPORT.replace(b"\n", b"\r\n") + b"data: 1\r\n\r\n") == (
        b": usage\r\n\r\ndata: 1\r\n\r\n"
    )


def test_an_event_that_nobody_finished_is_shown_at_the_end() -> None:
    assert shown(SAID, b'data: {"usage"') == SAID + b'data: {"usage"'


@given(st.lists(st.integers(min_value=0, max_value=600), max_size=12))
def test_however_the_stream_is_cut(cuts: list[int]) -> None:
    whole = SAID + SAID_WITH_NULL + REPORT + SAID_WITH_USAGE + b": ping\n\n" + DONE
    edges = [0, *sorted(cut % len(whole) for cut in cuts), len(whole)]
    pieces = [whole[begin:end] for begin, end in pairwise(edges)]
    assert shown(*pieces) == shown(whole)
    assert b"prompt_tokens" in shown(whole)
    assert REPORT not in shown(whole)

"""Server-sent events, however the pieces are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.tools.events import Events, EventTooLong

TEXT = (
    b"\xef\xbb\xbf: hello\r\ndata: one\r\n\r\ndata: two\ndata:three\nid: 7\n\nretry: 1500\rid: 8\r\rdata\n\nevent: x\n"
    b"data:  four\nid: a\x00b\n\n\n\ndata: cut"
)
FOUND = [(b"one", b""), (b"two\nthree", b"7"), (b"", b"8"), (b" four", b"8")]


def decoded(pieces):
    events = Events(1_000)
    found = [event for piece in pieces for event in events.feed(piece)]
    return [(event.data, event.id) for event in found], events


@given(st.lists(st.integers(0, len(TEXT))))
def test_events_do_not_depend_on_where_they_are_cut(cuts):
    edges = [0, *sorted(cuts), len(TEXT)]
    found, events = decoded([TEXT[a:b] for a, b in itertools.pairwise(edges)])
    assert found == FOUND
    assert (events.last_id, events.retry) == (b"8", 1.5)


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_taken_within_the_bound(pieces):
    decoded(pieces)


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 1_001 + b"\n", b"x" * 1_001, b"data: x\n" * 600])
def test_what_is_too_long_is_refused(piece):
    events = Events(1_000)
    with pytest.raises(EventTooLong):
        events.feed(piece)


def test_byte_by_byte_it_is_refused_too():
    events = Events(100)

    def endless():
        for _ in range(200):
            events.feed(b"x")

    with pytest.raises(EventTooLong):
        endless()


def test_a_long_line_in_small_pieces_takes_no_more_than_a_short_one_for_each():
    """Looked at as a whole with each piece, it would not come to an end."""
    events = Events(1 << 22)
    events.feed(b"data: ")
    for _ in range(100_000):
        assert events.feed(b"x" * 40) == []
    (event,) = events.feed(b"\n\n")
    assert event.data == b"x" * 4_000_000

"""`least_latency`: the quickest first, for calls of the same kind; the slow one is tried again one day."""

import random
from collections import Counter

from forehearth.routing.strategies.least_latency import least_latency
from tests.unit.doors import Host
from tests.unit.routing.pools import OK, Table, a_call


def table(**seconds):
    board = Table(*(Host(OK) for _ in seconds))
    for name, took in seconds.items():
        for _ in range(8):
            board.member(name).streams.note(took, 0.0)
    return board


def order(board, now=0.0, **call):
    members = least_latency(board.pool.members, a_call(**{"stream": True} | call), now, random.Random(1))
    return [each.backend.name for each in members]


def test_the_quickest_is_first():
    assert order(table(one=0.3, two=0.1, three=0.2)) == ["two", "three", "one"]


def test_streams_and_whole_answers_are_kept_apart():
    board = table(one=0.1, two=0.3)
    board.member("one").answers.note(9.0, 0.0)
    board.member("two").answers.note(4.0, 0.0)
    assert order(board) == ["one", "two"]
    assert order(board, stream=False) == ["two", "one"]


def test_who_is_not_known_is_tried_by_one_call_and_not_by_all():
    board = table(one=0.1, two=0.3)
    board.member("two").streams = type(board.member("two").streams)()
    assert order(board) == ["two", "one"]
    board.member("two").in_flight = 1
    assert order(board) == ["one", "two"]


def test_calls_that_are_there_already_count():
    board = table(one=0.1, two=0.15)
    board.member("one").in_flight = 1
    assert order(board) == ["two", "one"]


def test_what_is_known_of_a_slow_one_wears_off():
    board = table(one=0.1, two=5.0)
    later = 0.0
    while order(board, later)[0] == "one":
        later += 10.0
        board.member("one").streams.note(0.1, later)
    assert 200 < later < 500


def test_one_odd_answer_does_not_change_everything():
    board = table(one=0.1, two=0.15)
    board.member("one").streams.note(0.4, 0.0)
    assert order(board) == ["one", "two"]
    board.member("one").streams.note(0.4, 0.0)
    assert order(board) == ["two", "one"]


def test_a_host_that_turned_slow_gets_a_small_part_of_the_calls():
    """An hour of a call a second, one at a time: one host takes 5 s, two take 0.2 s."""
    board = table(one=0.2, two=0.2, three=0.2)
    counted: Counter[str] = Counter()
    for second in range(3_600):
        name = order(board, float(second))[0]
        counted[name] += 1
        board.member(name).streams.note(5.0 if name == "three" else 0.2, float(second))
    assert 5 <= counted["three"] < 3_600 * 0.02

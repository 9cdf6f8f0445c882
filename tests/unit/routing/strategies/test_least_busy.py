"""`least_busy`: the fewest calls under way, for its weight."""

import random
from collections import Counter

from forehearth.routing.strategies.least_busy import least_busy
from tests.unit.doors import Host, streamed
from tests.unit.routing.pools import OK, Table, a_call

STREAMS = [streamed(b"data: 1\n\n") for _ in range(8)]


def table(*weights):
    return Table(*(Host(OK) for _ in weights), each=[{"weight": each} for each in weights])


def order(board, dice=None):
    return [each.backend.name for each in least_busy(board.pool.members, a_call(), 0.0, dice or random.Random(1))]


def test_the_one_with_the_fewest_calls_is_first():
    board = table(1, 1, 1)
    for name, calls in (("one", 2), ("two", 0), ("three", 1)):
        board.member(name).in_flight = calls
    assert order(board) == ["two", "three", "one"]


def test_a_weight_makes_room_for_more():
    board = table(1, 4)
    board.member("one").in_flight, board.member("two").in_flight = 1, 6
    assert order(board) == ["two", "one"]
    board.member("two").in_flight = 8
    assert order(board) == ["one", "two"]


def test_chance_decides_between_equals():
    board, dice = table(1, 1), random.Random(1)
    firsts = Counter(order(board, dice)[0] for _ in range(1_000))
    assert 400 < firsts["one"] < 600


async def test_streams_spread_while_they_last():
    board = Table(Host(*STREAMS), Host(*STREAMS), strategy=least_busy)
    calls = [(await board.ask(a_call(stream=True), closed=False))[0] for _ in range(8)]
    assert {name: board.member(name).in_flight for name in ("one", "two")} == {"one": 4, "two": 4}
    for call in calls:
        call.record.close()
    assert {name: board.member(name).in_flight for name in ("one", "two")} == {"one": 0, "two": 0}

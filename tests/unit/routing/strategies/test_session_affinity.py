"""`session_affinity`: a session stays where it is, and only those of a lost backend move."""

import random
from collections import Counter

import msgspec
import pytest

from forehearth.core.routing_settings import AffinitySettings
from forehearth.routing.strategies.session_affinity import session_affinity
from tests.unit.doors import Host
from tests.unit.routing.pools import OK, Table, a_call

BY_HEADER = session_affinity(AffinitySettings(header="X-Session-Id"))
BY_USER = session_affinity(AffinitySettings(member="user"))


def table(*weights):
    return Table(*(Host(OK) for _ in weights), each=[{"weight": each} for each in weights])


def of(session):
    return a_call(headers={b"x-session-id": session.encode()})


def order(board, call, strategy=BY_HEADER, dice=None):
    return [each.backend.name for each in strategy(board.pool.members, call, 0.0, dice or random.Random())]


def test_a_session_goes_to_the_same_one_again_and_after_a_restart():
    chosen = {order(table(1, 1, 1), of("a"))[0] for _ in range(20)}
    assert len(chosen) == 1
    assert {order(table(1, 1, 1), of(f"s{number}"))[0] for number in range(50)} == {"one", "two", "three"}


def test_sessions_spread_by_weight():
    board = table(3, 1)
    counted = Counter(order(board, of(f"s{number}"))[0] for number in range(4_000))
    assert abs(counted["one"] / 4_000 - 0.75) < 0.03


def test_a_backend_that_is_lost_moves_its_own_sessions_alone():
    board = table(1, 1, 1)
    for number in range(300):
        before = order(board, of(f"s{number}"))
        without = BY_HEADER(
            [each for each in board.pool.members if each.backend.name != "two"], of(f"s{number}"), 0, None
        )
        assert [each.backend.name for each in without] == [name for name in before if name != "two"]


@pytest.mark.parametrize(
    ("body", "same"),
    [({"user": "maria"}, True), ({}, False), ({"user": None}, False), ({"user": 7}, False), ({"user": ""}, False)],
)
def test_a_session_is_a_member_of_the_body(body, same):
    board, dice = table(1, 1, 1), random.Random(1)
    chosen = {order(board, a_call(msgspec.json.encode(body)), BY_USER, dice)[0] for _ in range(60)}
    assert (len(chosen) == 1) is same


def test_calls_without_a_session_go_by_weight():
    board, dice = table(1, 9), random.Random(1)
    counted = Counter(order(board, a_call(), dice=dice)[0] for _ in range(1_000))
    assert 850 < counted["two"] < 950
    assert {order(board, a_call(), session_affinity(None), dice)[0] for _ in range(200)} == {"one", "two"}

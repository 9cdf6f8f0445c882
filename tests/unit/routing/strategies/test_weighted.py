"""`weighted`: everybody as often as its weight says, in the second place, too."""

import random
from collections import Counter

import pytest

from forehearth.routing.strategies.weighted import weighted
from tests.unit.doors import Host
from tests.unit.routing.pools import OK, Table, a_call

CALLS = 6_000


@pytest.fixture
def orders():
    members = Table(*(Host(OK) for _ in range(3)), each=[{"weight": 5}, {"weight": 3}, {"weight": 1}]).pool.members
    dice = random.Random(1)
    return [[each.backend.name for each in weighted(members, a_call(), 0.0, dice)] for _ in range(CALLS)]


def test_everybody_is_first_as_often_as_its_weight_says(orders):
    counted = Counter(order[0] for order in orders)
    for name, weight in (("one", 5), ("two", 3), ("three", 1)):
        assert abs(counted[name] / CALLS - weight / 9) < 0.03


def test_second_is_who_would_be_first_without_the_first(orders):
    seconds = Counter(order[1] for order in orders if order[0] == "one")
    assert abs(seconds["two"] / seconds.total() - 3 / 4) < 0.04


def test_nobody_is_there_twice_or_missing(orders):
    assert {tuple(sorted(order)) for order in orders} == {("one", "three", "two")}

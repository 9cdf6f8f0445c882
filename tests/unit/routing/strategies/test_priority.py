"""`priority`: the order of the file, or weights where there are any."""

import random
from collections import Counter

from forehearth.routing.strategies.priority import priority
from tests.unit.doors import Host
from tests.unit.routing.pools import OK, Table, a_call


def first(*weights):
    members = Table(*(Host(OK) for _ in weights), each=[{"weight": each} for each in weights]).pool.members
    dice = random.Random(1)
    return Counter(priority(members, a_call(), 0.0, dice)[0].backend.name for _ in range(2_000))


def test_without_weights_it_is_always_the_first():
    assert first(None, None, None) == {"one": 2_000}


def test_one_weight_makes_all_of_them_count():
    counted = first(3, None)
    assert 1_400 < counted["one"] < 1_600
    assert counted["one"] + counted["two"] == 2_000

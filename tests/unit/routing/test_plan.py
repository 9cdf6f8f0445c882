"""Plans: priorities first, then the strategy; trials before, what is failing last, and nobody twice."""

import random

import pytest

from forehearth.core.backend_state import State
from forehearth.core.routing_settings import BackendLimits, HealthSettings
from forehearth.registry import STRATEGIES
from forehearth.routing.plan import Planner, soonest
from forehearth.routing.strategies.priority import priority
from tests.unit.dice import by_dice
from tests.unit.doors import Host
from tests.unit.routing.pools import OK, Table, a_call


def table(*each, **rest):
    return Table(*(Host(OK) for _ in each), each=each, **rest)


def planned(board, tokens=0):
    plan = Planner(board.pool.members, priority, random.Random(1)).plan(a_call(), tokens, board.clock.monotonic())
    return [each.backend.name for each in plan.order], {each.member.backend.name: each.state for each in plan.left_out}


def eject(board, *names):
    now = board.clock.monotonic()
    for name in names:
        health = board.member(name).health
        for _ in range(3):
            health.failed(now, now)


def test_lower_priorities_come_first_whatever_the_order_is():
    assert planned(table({"priority": 2}, {"priority": 1}, {"priority": 3}))[0] == ["two", "one", "three"]


def test_without_weights_those_of_a_priority_stand_as_they_are_written():
    assert planned(table({}, {}, {}))[0] == ["one", "two", "three"]


def test_what_is_ejected_is_left_out_and_its_trial_comes_first():
    board = table({}, {}, {"priority": 2})
    eject(board, "two")
    assert planned(board) == (["one", "three"], {"two": State.EJECTED})
    board.pass_time(5.0)
    assert planned(board) == (["two", "one", "three"], {})
    board.member("two").begin(a_call(), 0, board.clock.monotonic())
    assert planned(board) == (["one", "three"], {"two": State.TRIAL})


def test_a_trial_of_a_later_priority_waits_until_it_is_its_turn():
    board = table({}, {"priority": 2}, {"priority": 2})
    eject(board, "two")
    board.pass_time(5.0)
    assert planned(board)[0] == ["one", "two", "three"]


def test_what_fails_and_has_to_stay_is_asked_last():
    board = table({}, {}, {"priority": 2})
    eject(board, "one", "two")
    assert planned(board) == (["three", "two"], {"one": State.EJECTED})


def test_what_is_full_or_wants_a_pause_is_left_out():
    board = table({"limits": BackendLimits(tokens_per_minute=10)}, {}, {})
    now = board.clock.monotonic()
    board.member("one").capacity.take(8, now)
    board.member("two").health.wishes(7.0, 429, now)
    assert planned(board, tokens=5) == (["three"], {"one": State.FULL, "two": State.WAITING})
    assert planned(board, tokens=2)[0] == ["one", "three"]
    assert soonest(board.pool.members[:2], 5, now) == 7.0
    assert soonest(board.pool.members, 5, now) is None


@pytest.mark.parametrize("share", [0.0, 0.34, 0.5, 1.0])
def test_no_more_than_the_share_is_ever_ejected(share):
    board = table({}, {}, {}, {}, health=HealthSettings(largest_share=share))
    eject(board, "one", "two", "three", "four")
    assert board.pool.ejected == int(share * 4)
    order, left_out = planned(board)
    assert (len(order), len(left_out)) == (4 - int(share * 4), int(share * 4))


@by_dice(cases=1_500, all_asked=0.02, some_left_out=0.3)
def test_a_plan_is_a_permutation_of_the_usable_backends(dice: random.Random):
    """Whatever has happened to a pool: everybody is in its plan or left out of it, once, and never too many ejected."""
    each = [
        {
            "priority": dice.randint(1, 3),
            "weight": dice.choice((None, 1, 5)),
            "limits": dice.choice((BackendLimits(), BackendLimits(concurrent_calls=1, requests_per_minute=3))),
        }
        for _ in range(dice.randint(2, 4))
    ]
    share = dice.choice((0.0, 0.3, 0.5, 1.0))
    board = table(*each, health=HealthSettings(largest_share=share, failures=1, base_seconds=2))
    strategy = STRATEGIES[dice.choice(("priority", "weighted", "least_latency", "least_busy", "session_affinity"))](
        None
    )
    for _ in range(dice.randint(0, 12)):
        live(board, dice)
    now = board.clock.monotonic()
    plan = Planner(board.pool.members, strategy, dice).plan(a_call(), 1, now)
    names = [member.backend.name for member in plan.order] + [left.member.backend.name for left in plan.left_out]
    assert sorted(names) == sorted(board.hosts)
    assert board.pool.ejected <= share * len(each)
    ready = [member.backend.priority for member in plan.order if member.state(1, now) in (State.READY, State.DUE)]
    assert ready == sorted(ready)
    states = [member.state(1, now) for member in plan.order]
    assert State.FAILING not in states[: len(ready)]
    assert all(left.state not in (State.READY, State.DUE, State.FAILING) for left in plan.left_out)
    return "some_left_out" if plan.left_out else "all_asked"


def live(board, dice):
    """Something that happens to a backend."""
    board.pass_time(dice.choice((0.0, dice.expovariate(0.3))))
    now, member = board.clock.monotonic(), dice.choice(board.pool.members)
    deed = dice.random()
    if deed < 0.5:
        member.health.failed(now, now)
    elif deed < 0.7:
        member.health.succeeded(now, now)
    elif deed < 0.8:
        member.health.wishes(dice.uniform(0, 5), 429, now)
    else:
        member.begin(a_call(), 1, now)
    assert board.pool.ejected <= board.deployment.health.largest_share * len(board.pool.members)

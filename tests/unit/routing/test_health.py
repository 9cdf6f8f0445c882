"""Health: when a backend is left out, for how long, and how it comes back."""

import random

import pytest

from forehearth.core.backend_state import State
from forehearth.core.routing_settings import HealthSettings
from forehearth.routing.health import Health
from tests.unit.dice import by_dice


def health(*, room=True, **settings):
    return Health(HealthSettings(**settings), lambda: room)


def fail(one, now, times=1):
    return [one.failed(now, now) for _ in range(times)]


def test_failures_eject_and_time_makes_it_due():
    one = health(failures=3, base_seconds=5)
    assert fail(one, 100.0, 3) == [False, False, True]
    assert one.state(104.9) is State.EJECTED
    assert one.opens_at(101.0) == 105.0
    assert one.state(105.0) is State.DUE


def test_a_success_makes_up_for_a_quarter_of_a_failure():
    one = health(failures=2)
    fail(one, 1.0)
    for _ in range(4):
        one.succeeded(1.0, 1.0)
    assert one.clear
    assert fail(one, 2.0, 2) == [False, True]


@pytest.mark.parametrize(("every", "ejected"), [(4, True), (10, False)])
def test_every_fourth_call_failing_ejects_in_the_end_and_every_tenth_does_not(every, ejected):
    one = health(failures=3)
    outcomes = [one.failed(n, n) if n % every == 0 else one.succeeded(n, n) for n in range(1, 40)]
    assert any(outcomes) is ejected


def test_a_trial_is_one_call_at_a_time_and_its_success_lets_it_in():
    one = health(failures=1, base_seconds=5)
    fail(one, 0.0)
    one.begin(5.0)
    assert one.state(5.0) is State.TRIAL
    assert one.succeeded(5.0, 6.0)
    assert (one.state(6.0), one.clear) == (State.READY, True)


def test_a_trial_that_fails_ejects_for_twice_as_long_up_to_the_most():
    one = health(failures=1, base_seconds=5, most_seconds=18)
    now, lengths = 0.0, []
    for _ in range(4):
        assert fail(one, now) == [True]
        lengths.append(one.opens_at(now) - now)
        now = one.opens_at(now)
        one.begin(now)
    assert lengths == [5, 10, 18, 18]


def test_a_trial_whose_client_left_leaves_it_due():
    one = health(failures=1, base_seconds=5)
    fail(one, 0.0)
    one.begin(5.0)
    one.let_go(5.0)
    assert one.state(5.5) is State.DUE


def test_calls_from_before_the_ejection_say_nothing_of_it():
    one = health(failures=1, base_seconds=5)
    fail(one, 10.0)
    assert not one.succeeded(9.0, 11.0)
    assert not one.failed(9.0, 16.0)
    assert one.state(12.0) is State.EJECTED
    one.begin(15.0)
    one.let_go(9.0)
    assert one.state(15.0) is State.TRIAL


def test_being_well_for_a_minute_forgets_one_doubling():
    one = health(failures=1, base_seconds=5, most_seconds=300)
    for now, well_until, length in ((0.0, 10.0, 5), (10.0, 140.0, 10), (140.0, 140.0, 5)):
        fail(one, now)
        assert one.opens_at(now) - now == length
        one.succeeded(now + length, now + length)
        assert well_until >= now


def test_where_too_many_are_ejected_it_is_asked_last_instead():
    one = health(room=False, failures=1, base_seconds=5)
    assert fail(one, 0.0) == [True]
    assert (one.state(1.0), one.is_ejected, one.is_kept) == (State.FAILING, False, True)
    assert one.succeeded(1.0, 2.0)
    assert one.state(2.0) is State.READY


def test_what_was_kept_is_ejected_when_there_is_room():
    room = [False]
    one = Health(HealthSettings(failures=1, base_seconds=5), lambda: room[0])
    fail(one, 0.0)
    room[0] = True
    assert not one.failed(1.0, 1.0)
    assert one.state(1.0) is State.EJECTED


def test_what_is_kept_is_tried_by_one_call_and_asked_last_by_the_others():
    one = health(room=False, failures=1, base_seconds=5)
    fail(one, 0.0)
    assert one.state(5.0) is State.DUE
    one.begin(5.0)
    assert one.state(5.0) is State.FAILING


@pytest.mark.parametrize(
    ("wanted", "obey", "until"), [(7.0, 60.0, 7.0), (1e9, 60.0, 60.0), (None, 60.0, 0.25), (7.0, 0.0, 0.0)]
)
def test_a_hosts_wish_is_obeyed_up_to_the_setting(wanted, obey, until):
    one = health(obey_seconds=obey)
    one.wishes(wanted, 429, 0.0)
    assert one.opens_at(0.0) == until
    assert one.state(0.0) is (State.WAITING if until else State.READY)
    assert one.state(until) is State.READY


def test_a_shorter_wish_does_not_take_back_a_longer_one():
    one = health()
    one.wishes(30.0, 429, 0.0)
    one.wishes(1.0, 429, 0.0)
    assert one.opens_at(0.0) == 30.0


def test_it_is_clear_again_when_the_wish_is_over_and_a_call_went_well():
    one = health()
    one.wishes(5.0, 429, 0.0)
    one.succeeded(0.0, 1.0)
    assert not one.clear
    one.succeeded(6.0, 6.0)
    assert one.clear


def test_the_time_out_grows_no_further_than_numbers_do():
    one = health(failures=1, base_seconds=5, most_seconds=300)
    now = 0.0
    for _ in range(5_000):
        fail(one, now)
        assert one.opens_at(now) - now <= 300
        now = one.opens_at(now)


@by_dice(cases=3_000, ejected=0.2, well=0.1)
def test_whatever_happens_it_always_comes_back(dice: random.Random):
    """Any history, then patience and calls that go well: it is asked like any other."""
    one = health(failures=dice.randint(1, 4), base_seconds=dice.uniform(0.1, 30), room=dice.random() < 0.5)
    now, was_ejected = 0.0, False
    for _ in range(dice.randint(0, 30)):
        now += dice.expovariate(1.0)
        began = now - dice.choice((0.0, 0.0, dice.expovariate(0.5)))
        deed = dice.random()
        if deed < 0.5:
            one.failed(began, now)
        elif deed < 0.6:
            one.succeeded(began, now)
        elif deed < 0.7:
            one.wishes(dice.uniform(0, 100), 429, now)
        elif deed < 0.8:
            one.let_go(began)
        else:
            one.begin(now)
        was_ejected = was_ejected or one.is_ejected
        assert (one.state(now) is State.READY) or not one.clear
        assert one.opens_at(now) - now <= 300
    now = one.opens_at(now) + 0.1
    one.let_go(now)
    assert one.state(now) in (State.DUE, State.READY)
    for _ in range(20):
        one.begin(now)
        one.succeeded(now, now)
    assert one.clear
    return "ejected" if was_ejected else "well"

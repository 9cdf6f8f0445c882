"""A backend's own limits: exact in any 60 seconds, wherever they begin."""

import random

from forehearth.core.routing_settings import BackendLimits
from forehearth.routing.capacity import WINDOW, WorkerCapacity
from tests.unit.dice import by_dice


def capacity(**limits):
    return WorkerCapacity(BackendLimits(**limits))


def test_requests_of_any_minute():
    one = capacity(requests_per_minute=2)
    for now in (0.0, 30.0):
        assert one.take(1, now)
    assert one.take(1, 59.9) is None
    assert one.opens_at(1, 59.9) == 60.0
    assert one.take(1, 60.0)
    assert one.opens_at(1, 60.0) == 90.0


def test_calls_at_the_same_time():
    one = capacity(concurrent_calls=1)
    place = one.take(1, 0.0)
    assert one.take(1, 0.0) is None
    assert one.opens_at(1, 0.0) > 0.0
    place.settle(None, 5.0)
    place.settle(None, 5.0)
    assert one.take(1, 5.0)
    assert one.take(1, 5.0) is None


def test_tokens_are_held_until_it_is_known_what_was_used():
    one = capacity(tokens_per_minute=100)
    place = one.take(80, 0.0)
    assert not one.fits(30, 1.0)
    place.settle(20, 2.0)
    assert one.fits(80, 2.0)
    assert not one.fits(81, 2.0)


def test_what_is_not_known_stays_as_it_was_booked():
    one = capacity(tokens_per_minute=100)
    one.take(80, 0.0).settle(None, 1.0)
    assert not one.fits(30, 1.0)
    assert one.fits(30, 60.0)


def test_a_call_that_ends_after_its_minute_changes_nothing_of_the_next():
    one = capacity(tokens_per_minute=100)
    long = one.take(100, 0.0)
    assert one.take(60, 60.0)
    long.settle(500, 70.0)
    assert one.fits(40, 70.0)
    assert not one.fits(41, 70.0)


def test_a_call_larger_than_the_limit_goes_alone():
    one = capacity(tokens_per_minute=100)
    assert one.take(500, 0.0)
    assert one.take(1, 1.0) is None
    assert one.opens_at(1, 1.0) == 60.0


def test_when_enough_tokens_are_free():
    one = capacity(tokens_per_minute=100)
    for now in (0.0, 10.0, 20.0):
        one.take(30, now)
    assert one.opens_at(10, 20.0) == 20.0
    assert one.opens_at(50, 20.0) == 70.0
    assert one.opens_at(100, 20.0) == 80.0


@by_dice(cases=2_000, refused=0.2, all_taken=0.02)
def test_no_limit_is_ever_passed(dice: random.Random):
    """Whatever comes when: in every window that begins with a call there is what is allowed, and no more at a time."""
    requests, tokens, concurrent = dice.randint(1, 6), dice.randint(50, 300), dice.randint(1, 4)
    one = capacity(requests_per_minute=requests, tokens_per_minute=tokens, concurrent_calls=concurrent)
    now, taken, under_way, refused = 0.0, [], [], False
    for _ in range(dice.randint(1, 40)):
        now += dice.choice((0.0, dice.expovariate(0.2), dice.expovariate(0.02)))
        for each in [each for each in under_way if dice.random() < 0.4]:
            under_way.remove(each)
            each[0].settle(dice.choice((None, dice.randint(0, each[1]))), now)
        wanted = dice.randint(1, tokens)
        opens = one.opens_at(wanted, now)
        place = one.take(wanted, now)
        assert (place is not None) is (opens == now)
        if place is None:
            refused = True
        else:
            taken.append((now, wanted))
            under_way.append((place, wanted))
        assert len(under_way) <= concurrent
    for start, _ in taken:
        assert sum(start <= when < start + WINDOW for when, _ in taken) <= requests
    return "refused" if refused else "all_taken"


@by_dice(cases=1_000)
def test_tokens_that_were_all_used_never_pass_the_limit(dice: random.Random):
    limit = dice.randint(10, 200)
    one = capacity(tokens_per_minute=limit)
    now, taken = 0.0, []
    for _ in range(40):
        now += dice.expovariate(0.2)
        wanted = dice.randint(1, limit)
        place = one.take(wanted, now)
        if place is not None:
            place.settle(dice.choice((None, wanted)), now)
            taken.append((now, wanted))
    for start, _ in taken:
        assert sum(size for when, size in taken if start <= when < start + WINDOW) <= limit

"""The retry budget: a share of the calls of the last seconds, and a few in any case."""

import random

from forehearth.core.routing_settings import RetrySettings
from forehearth.routing.retry_budget import WINDOW, RetryBudget
from tests.unit.dice import by_dice


def test_a_few_are_allowed_in_any_case():
    budget = RetryBudget(RetrySettings(share=0.2, at_least=3))
    budget.called(0.0)
    assert [budget.take(0.5) for _ in range(31)] == [True] * 30 + [False]
    assert not budget.take(9.9)
    assert budget.take(10.0)


def test_a_share_of_many_calls():
    budget = RetryBudget(RetrySettings(share=0.2, at_least=3))
    for _ in range(1_000):
        budget.called(1.0)
    assert sum(budget.take(1.5) for _ in range(1_000)) == 200


def test_none_at_all():
    budget = RetryBudget(RetrySettings(share=0.0, at_least=0))
    budget.called(0.0)
    assert not budget.take(0.0)


@by_dice(cases=1_500, spent=0.2)
def test_it_is_never_exceeded(dice: random.Random):
    share, at_least = dice.choice((0.0, 0.1, 0.2, 0.5)), dice.choice((0, 0, 1, 3))
    budget = RetryBudget(RetrySettings(share=share, at_least=at_least))
    now, calls, retries, spent = 0.0, [], [], False
    for _ in range(dice.randint(1, 120)):
        now += dice.choice((0.0, 0.01, dice.expovariate(1.0)))
        budget.called(now)
        calls.append(int(now))
        if dice.random() < 0.6:
            allowed = budget.take(now)
            spent = spent or not allowed
            retries += [int(now)] * allowed
            first = int(now) - WINDOW + 1
            recent = sum(second >= first for second in retries)
            assert recent <= max(at_least * WINDOW, share * sum(second >= first for second in calls)) or not allowed
    return "spent" if spent else None

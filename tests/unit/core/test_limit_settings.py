from decimal import Decimal
from typing import Any

import pytest

from forehearth.core.limit_settings import MEASURES, LimitSettings, ProductSettings
from forehearth.core.settings_types import Unfit
from forehearth.core.windows import Period


@pytest.mark.parametrize("key", MEASURES)
def test_each_key_is_a_limit(key: str) -> None:
    limit = LimitSettings(**{key: 5})
    assert (limit.key, limit.measure, limit.most) == (key, MEASURES[key], 5)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"concurrent_calls": 7, "wait_up_to": 1.0}, 0),
        ({"concurrent_calls": 40, "wait_up_to": 1.0}, 5),
        ({"concurrent_calls": 40, "wait_up_to": 1.0, "kept_free": 2}, 2),
        ({"concurrent_calls": 40}, 0),
        ({"tokens_per_minute": 40, "wait_up_to": 1.0}, 0),
    ],
)
def test_places_that_are_kept_free(given: dict[str, Any], kept: int) -> None:
    assert LimitSettings(**given).places_kept == kept


def test_money_is_what_is_written() -> None:
    assert LimitSettings(amount_per_day=0.1).most == Decimal("0.1")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "nothing is limited"),
        ({"tokens_per_day": 5, "concurrent_calls": 1}, "more than one limit"),
        ({"tokens_per_day": 5, "window": "sliding"}, "no sliding window"),
        ({"concurrent_calls": 5, "window": "sliding"}, "no sliding window"),
        ({"tokens_per_hour": 5, "wait_up_to": 1.0}, "nobody waits"),
        ({"output_tokens": 5, "wait_up_to": 1.0}, "nobody waits"),
        ({"tokens_per_day": 5, "counter_key": ("key", "project", "key")}, "twice"),
        ({"output_tokens": 5, "counter_key": ("key",)}, "has no counter"),
        ({"concurrent_calls": 5, "kept_free": 1}, "nothing can be kept free"),
        ({"tokens_per_minute": 5, "wait_up_to": 1.0, "kept_free": 1}, "nothing can be kept free"),
        ({"concurrent_calls": 5, "wait_up_to": 1.0, "kept_free": 5}, "nothing would be left"),
        ({"tokens_per_day": 5, "remaining_tokens_header_name": "left"}, "tokens_per_day has no such header"),
        ({"tokens_per_minute": 5, "remaining_quota_tokens_header_name": "left"}, "tokens_per_minute has no such"),
        ({"requests_per_minute": 5, "tokens_consumed_header_name": "used"}, "requests_per_minute has no such"),
        ({"amount_per_day": 5, "remaining_quota_tokens_header_name": "left"}, "amount_per_day has no such"),
    ],
)
def test_what_is_no_limit(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(Unfit, match=problem):
        LimitSettings(**given)


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ([{"tokens_per_minute": 5}, {"tokens_per_minute": 6}], "two limits tokens_per_minute"),
        ([{"tokens_per_minute": 500}, {"tokens_per_day": 500}], "tokens_per_minute: 500 is never reached"),
        ([{"tokens_per_year": 5}, {"tokens_per_month": 6}], "tokens_per_month: 6 is never reached"),
        ([{"amount_per_month": 5}, {"amount_per_day": 6}], "amount_per_day: 6 is never reached"),
        ([{"output_tokens": 500}, {"tokens_per_day": 400}], "never fits"),
    ],
)
def test_limits_that_contradict_one_another(limits: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(Unfit, match=problem):
        ProductSettings(limits=tuple(LimitSettings(**each) for each in limits))


def test_limits_that_go_together() -> None:
    limits = (
        {"tokens_per_minute": 500},
        {"tokens_per_minute": 500, "window": "sliding"},
        {"tokens_per_minute": 400, "counter_key": ("key",)},
        {"tokens_per_hour": 5_000},
        {"tokens_per_day": 6_000},
        {"amount_per_day": 3},
        {"output_tokens": 300},
    )
    product = ProductSettings(limits=tuple(LimitSettings(**each) for each in limits))
    assert product.limits[3].measure.period is Period.HOUR

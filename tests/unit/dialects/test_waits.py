"""How long hosts want to be left alone: every form that they say it in, and none that they do not."""

import random

import pytest

from forehearth.dialects.waits import retry_after, spent
from tests.unit.dice import by_dice, some_text

DATE = b"Wed, 21 Oct 2026 07:28:00 GMT"


def fields(**given):
    return {name.replace("_", "-").encode(): value for name, value in given.items()}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        (fields(retry_after=b"7"), 7.0),
        (fields(retry_after=b"0"), 0.0),
        (fields(retry_after=b"1.5"), 1.5),
        (fields(retry_after_ms=b"1500"), 1.5),
        (fields(retry_after_ms=b"12.5"), 0.0125),
        (fields(retry_after_ms=b"250", retry_after=b"1"), 0.25),
        (fields(retry_after_ms=b"soon", retry_after=b"2"), 2.0),
        (fields(retry_after=b"Wed, 21 Oct 2026 07:28:30 GMT", date=DATE), 30.0),
        (fields(retry_after=b"Wed, 21 Oct 2026 07:27:30 GMT", date=DATE), 0.0),
        (fields(retry_after=b"Wed, 21 Oct 2026 07:28:30 GMT"), None),
        (fields(retry_after=b"Wed, 21 Oct 2026 07:28:30", date=DATE), None),
        (fields(retry_after=b"-1"), None),
        (fields(retry_after=b"99999999999999999999"), None),
        (fields(retry_after=b"1e5"), None),
        (fields(retry_after=b""), None),
        (fields(retry_after=b"\xff"), None),
    ],
)
def test_when_to_come_again(headers, seconds):
    assert retry_after(headers) == seconds


def limit(remaining, reset, of="tokens"):
    return fields(**{f"x_ratelimit_remaining_{of}": remaining, f"x_ratelimit_reset_{of}": reset})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        (limit(b"0", b"37"), 37.0),
        (limit(b"0", b"37", of="requests"), 37.0),
        (limit(b"1", b"37"), None),
        (limit(b"-1", b"37"), None),
        (fields(x_ratelimit_remaining_tokens=b"0"), None),
        (limit(b"0", b"6m0s"), 360.0),
        (limit(b"0", b"250ms"), 0.25),
        (limit(b"0", b"1h2m3.5s"), 3723.5),
        (limit(b"0", b"1m30s"), 90.0),
        (limit(b"0", b""), None),
        (limit(b"0", b"soon"), None),
        (limit(b"0", b"5") | limit(b"0", b"9", of="requests"), 9.0),
        (limit(b"0", b"5") | limit(b"3", b"9", of="requests"), 5.0),
    ],
)
def test_when_a_limit_of_which_nothing_is_left_begins_anew(headers, seconds):
    found = spent(headers)
    assert found == pytest.approx(seconds) if seconds is not None else found is None


@by_dice(cases=2_000, read=0.05)
def test_no_text_is_too_odd(dice: random.Random):
    words, number = some_text(dice, 12).encode("utf-8", "surrogatepass"), b"%d" % dice.getrandbits(dice.choice((8, 40)))
    text = words if dice.random() < 0.6 else number
    headers = dict.fromkeys((b"retry-after", b"retry-after-ms", b"date", b"x-ratelimit-reset-tokens"), text)
    found = retry_after(headers), spent(headers | {b"x-ratelimit-remaining-tokens": b"0"})
    assert all(each is None or 0.0 <= each < 1e10 for each in found)
    return "read" if found != (None, None) else None

"""Durations and dates as people write them."""

import contextlib
from datetime import UTC, datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.cli.moments import Duration, Moment, shown

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86_400), ("30d", 2_592_000), ("2W", 1_209_600), ("0s", 0)]
)
def test_a_duration_is_seconds(text, seconds):
    assert Duration().convert(text, None, None) == seconds
    assert Moment(lambda: NOW).convert(text, None, None) == NOW + seconds
    assert Moment(lambda: NOW, past=True).convert(text, None, None) == NOW - seconds


@pytest.mark.parametrize("text", ["", "h", "24", "24 h", "-1h", "1.5h", "1y", "24hours", "9" * 40 + "d"])
def test_what_is_no_duration_is_told_how_to_be_one(text):
    with pytest.raises(click.BadParameter, match="write 90s, 15m, 24h"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        ("2027-01-31 12:00", datetime(2027, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_date_is_a_moment(text, moment):
    assert Moment(lambda: NOW).convert(text, None, None) == moment.timestamp()


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_refused_in_words(text):
    with contextlib.suppress(click.BadParameter):
        assert isinstance(Moment(lambda: NOW).convert(text, None, None), int)


@pytest.mark.parametrize("text", ["", "soon", "2027-02-30", "2027-1-1", "99999-01-01", "31.01.2027"])
def test_what_is_no_moment_is_told_how_to_be_one(text):
    with pytest.raises(click.BadParameter, match="neither a duration such as 30d nor a date"):
        Moment(lambda: NOW).convert(text, None, None)


def test_a_moment_for_people():
    assert shown(NOW) == "2027-01-15 08:00Z"
    assert shown(None) == "never"

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.windows import Period, Window, window_at


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("period", "moment", "begins", "ends"),
    [
        (Period.HOUR, "2026-11-26T15:59:59", "2026-11-26T15:00", "2026-11-26T16:00"),
        (Period.DAY, "2026-11-26T00:00:00", "2026-11-26T00:00", "2026-11-27T00:00"),
        (Period.WEEK, "2026-11-29T23:59:59", "2026-11-23T00:00", "2026-11-30T00:00"),
        (Period.WEEK, "2026-11-30T00:00:00", "2026-11-30T00:00", "2026-12-07T00:00"),
        (Period.MONTH, "2028-02-29T12:00:00", "2028-02-01T00:00", "2028-03-01T00:00"),
        (Period.MONTH, "2026-12-31T23:59:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        (Period.YEAR, "2028-12-31T23:59:59", "2028-01-01T00:00", "2029-01-01T00:00"),
    ],
)
def test_windows_of_the_calendar(period: Period, moment: str, begins: str, ends: str) -> None:
    assert window_at(period, unix(moment)) == Window(unix(begins), unix(ends))


def test_a_minute_begins_at_any_zero() -> None:
    assert window_at(Period.MINUTE, 59.999) == Window(0, 60)
    assert window_at(Period.MINUTE, 60.0) == Window(60, 120)


@given(st.sampled_from(Period), st.floats(min_value=0, max_value=4e9))
def test_windows_follow_one_another_without_a_gap(period: Period, moment: float) -> None:
    window = window_at(period, moment)
    assert window.begins <= moment < window.ends
    assert window_at(period, window.ends).begins == window.ends
    assert window_at(period, window.begins) == window
    longest = timedelta(days=366).total_seconds()
    assert 60 <= window.ends - window.begins <= longest

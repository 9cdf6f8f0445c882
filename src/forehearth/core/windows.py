"""The periods that limits are counted over, and where in time their fixed windows begin and end. Pure, and in UTC."""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec

_HOUR, _DAY, _WEEK = 3_600, 86_400, 604_800
_FIRST_MONDAY = 4 * _DAY
"""1970 began on a Thursday."""
_DECEMBER = 12


class Period(StrEnum):
    """How long a window is.

    Minutes are counted in time that passes, whatever the calendar is set to; all longer ones by the calendar, so that
    a quota begins anew when people expect it to.
    """

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Window(msgspec.Struct, frozen=True):
    """From its beginning up to, but without, its end: seconds on the clock that its period is counted by."""

    begins: int
    ends: int


def window_at(period: Period, moment: float) -> Window:
    """The window that holds `moment`. Weeks begin on Monday."""
    match period:
        case Period.MINUTE:
            return _even(moment, 60, 0)
        case Period.HOUR:
            return _even(moment, _HOUR, 0)
        case Period.DAY:
            return _even(moment, _DAY, 0)
        case Period.WEEK:
            return _even(moment, _WEEK, _FIRST_MONDAY)
        case Period.MONTH:
            day = datetime.fromtimestamp(moment, UTC)
            following = (day.year, day.month + 1) if day.month < _DECEMBER else (day.year + 1, 1)
            return Window(_first(day.year, day.month), _first(*following))
        case Period.YEAR:
            year = datetime.fromtimestamp(moment, UTC).year
            return Window(_first(year, 1), _first(year + 1, 1))


def _even(moment: float, length: int, offset: int) -> Window:
    begins = int((moment - offset) // length) * length + offset
    return Window(begins, begins + length)


def _first(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp())

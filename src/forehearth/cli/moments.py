"""Times on the command line: `30d` and `24h` are durations, `2027-01-31` and RFC 3339 are moments."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import click

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9})([smhdw])")


class Duration(click.ParamType[int]):
    """A duration; its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        seconds = value if isinstance(value, int) else _duration(str(value))
        if seconds is None:
            self.fail(f"'{value}' is no duration: write 90s, 15m, 24h, 30d or 2w.", param, ctx)
        return seconds


class Moment(click.ParamType[int]):
    """A moment; its value is in Unix seconds. A duration counts from now, into the future or into the past."""

    name = "duration|date"

    def __init__(self, now: Callable[[], float], *, past: bool = False) -> None:
        self._now = now
        self._sign = -1 if past else 1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        if isinstance(value, int):
            return value
        seconds = _duration(str(value))
        if seconds is not None:
            return int(self._now()) + self._sign * seconds
        try:
            return _date(str(value))
        except (ValueError, OverflowError):
            self.fail(f"'{value}' is neither a duration such as 30d nor a date such as 2027-01-31.", param, ctx)


def shown(moment: int | None) -> str:
    """A moment in Unix seconds for people, to the minute; `never` when there is none."""
    return "never" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%MZ")


def _duration(text: str) -> int | None:
    found = _DURATION.fullmatch(text.strip().lower())
    return int(found[1]) * _SECONDS[found[2]] if found else None


def _date(text: str) -> int:
    """A day is its beginning in UTC; a time without a zone is in UTC, too."""
    if len(text) == len("2027-01-31"):
        day = date.fromisoformat(text)
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())

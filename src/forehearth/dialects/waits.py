"""How long a host wants to be left alone, as its response headers say it.

    retry-after-ms: 1500            a number of milliseconds
    retry-after: 2                  of seconds, or a date, which counts from the host's own `date`
    x-ratelimit-remaining-tokens: 0       nothing is left of a limit, until
    x-ratelimit-reset-tokens: 37          so many seconds are over; some hosts write `1m30s` or `250ms`

What cannot be read says nothing.
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(rb"\d{1,9}(\.\d{1,9})?")  # thirty years are long enough
_SPAN = re.compile(
    rb"(?=\d)(?:(\d{1,5})h)?(?:(\d{1,7})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?"
)
_UNITS = (3600.0, 60.0, 1.0, 0.001)
_LIMITS = (
    (b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests"),
    (b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens"),
)
_NOTHING = b"0"


def retry_after(headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds after which the same may be asked again; None when the host does not say."""
    value = headers.get(b"retry-after-ms")
    if value is not None and _NUMBER.fullmatch(value):
        return float(value) * 0.001
    value = headers.get(b"retry-after")
    if value is None:
        return None
    return float(value) if _NUMBER.fullmatch(value) else _between(headers.get(b"date", b""), value)


def spent(headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds until a limit of which nothing is left begins anew; None when something is left, or nothing is said."""
    longest: float | None = None
    for remaining, reset in _LIMITS:
        if headers.get(remaining) == _NOTHING:
            seconds = _span(headers.get(reset, b""))
            if seconds is not None:
                longest = max(longest or 0.0, seconds)
    return longest


def _span(value: bytes) -> float | None:
    if _NUMBER.fullmatch(value):
        return float(value)
    parts = _SPAN.fullmatch(value)
    if parts is None:
        return None
    return sum(float(part) * unit for part, unit in zip(parts.groups(), _UNITS, strict=True) if part)


def _between(now: bytes, then: bytes) -> float | None:
    """Seconds from one HTTP date to another; 0 when that is over."""
    try:
        seconds = (
            parsedate_to_datetime(then.decode("ascii")) - parsedate_to_datetime(now.decode("ascii"))
        ).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no dates, one with a zone and one without, or absurd
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None

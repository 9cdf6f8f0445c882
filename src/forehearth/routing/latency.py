"""How soon a backend begins to answer."""

import math
from collections import deque
from itertools import islice

_LAST = 8
"""How many of the last answers say how long the next one will take."""
_HALF_LIFE = 60.0
"""Seconds after which half of what is known is taken back: a backend that was slow is asked again one day."""
_RECENT = 128


class Latency:
    """Seconds to the first byte of the last answers."""

    __slots__ = ("_recent", "_when")

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._when = 0.0

    def note(self, seconds: float, now: float) -> None:
        """One more answer."""
        self._recent.append(seconds)
        self._when = now

    def expected(self, now: float) -> float | None:
        """Seconds that the next answer is expected to take; None where nothing is known."""
        recent = self._recent
        if not recent:
            return None
        count = min(_LAST, len(recent))
        return sum(islice(reversed(recent), count)) / count * math.exp2((self._when - now) / _HALF_LIFE)

    @property
    def median(self) -> float | None:
        """Half of the last answers came sooner; None before the first."""
        ordered = sorted(self._recent)
        return ordered[len(ordered) // 2] if ordered else None

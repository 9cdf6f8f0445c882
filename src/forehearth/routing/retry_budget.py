"""How many further tries there may be: a share of the calls, so that retries never make an outage worse."""

from collections import deque

from forehearth.core.routing_settings import RetrySettings

WINDOW = 10
"""Seconds that are looked at, the current one included."""


class RetryBudget:
    """Counts calls and further tries of the last seconds."""

    __slots__ = ("_at_least", "_calls", "_retries", "_seconds", "_share")

    def __init__(self, settings: RetrySettings) -> None:
        self._share = settings.share
        self._at_least = settings.at_least * WINDOW
        self._seconds: deque[list[int]] = deque()
        """Second, calls and retries of each of the last seconds that had any."""
        self._calls = 0
        self._retries = 0

    def called(self, now: float) -> None:
        """A call came."""
        self._second(int(now))[1] += 1
        self._calls += 1

    def take(self, now: float) -> bool:
        """Whether a call may be tried once more; then it is counted."""
        second = self._second(int(now))
        if self._retries + 1 > max(self._at_least, self._share * self._calls):
            return False
        second[2] += 1
        self._retries += 1
        return True

    def _second(self, second: int) -> list[int]:
        """The counts of this second; what is older than the window is forgotten."""
        seconds = self._seconds
        if not seconds or seconds[-1][0] < second:
            seconds.append([second, 0, 0])
            while seconds[0][0] <= second - WINDOW:
                _, calls, retries = seconds.popleft()
                self._calls -= calls
                self._retries -= retries
        return seconds[-1]

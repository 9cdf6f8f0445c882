"""Finds stop sequences in text that comes in pieces, and holds back what may become one."""

from collections.abc import Sequence


class StopScanner:
    """Passes text on up to the first of `stops`."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.is_found = False

    def feed(self, text: str) -> str:
        """The text that is certain to come before any stop sequence."""
        if not self._stops or self.is_found:
            return "" if self.is_found else text
        self._held += text
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.is_found = True
            return self._held[: min(places)]
        keep = max(
            (size for stop in self._stops for size in range(1, len(stop)) if self._held.endswith(stop[:size])),
            default=0,
        )
        ready = self._held[: len(self._held) - keep]
        self._held = self._held[len(ready) :]
        return ready

    def finish(self) -> str:
        """What was held back, now that no more text comes."""
        rest, self._held = self._held, ""
        return "" if self.is_found else rest

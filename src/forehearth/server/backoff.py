"""How long to wait before a process that died is started again."""

DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds, by how many times in a row it died young; the last one stays."""

SETTLED = 30.0
"""Seconds of life after which a process is no longer young, and its predecessors are forgotten."""


class Backoff:
    """The waits of one process and those that take its place."""

    def __init__(self) -> None:
        self._deaths = 0

    def after(self, lived: float) -> float:
        """Seconds to wait now that it died after living for `lived` seconds."""
        if lived >= SETTLED:
            self._deaths = 0
        delay = DELAYS[min(self._deaths, len(DELAYS) - 1)]
        self._deaths += 1
        return delay

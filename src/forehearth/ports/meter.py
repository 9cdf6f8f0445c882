"""What the gateway reports about each call."""

from typing import Protocol

from forehearth.core.usage import Usage


class Meter(Protocol):
    """Counts. Labels are names from the configuration or from fixed sets, never a caller's text."""

    def request(self, surface: str, operation: str, deployment: str, status: int, seconds: float) -> None:
        """Count one request of a surface, after its last byte; `deployment` is empty where none was found."""
        ...

    def tokens(self, deployment: str, usage: Usage) -> None:
        """Count what a call used, as its backend reported it."""
        ...

    def attempt(self, backend: str, outcome: str) -> None:
        """Count one try at a backend: `ok`, or the code of what went wrong."""
        ...


class Traffic(Protocol):
    """What passes right now, and how soon it begins to answer."""

    def began(self) -> None:
        """One more request is being answered."""
        ...

    def ended(self) -> None:
        """One of those that `began` counted is over."""
        ...

    def first_byte(self, surface: str, operation: str, deployment: str, seconds: float) -> None:
        """Note how long after the head the first piece of a stream came."""
        ...


class PoolMeter(Protocol):
    """What becomes of one deployment's pool of backends."""

    def ejected(self, backend: str, model: str) -> None:
        """Count that a backend was ejected."""
        ...

    def retried(self, *, allowed: bool) -> None:
        """Count a call that another backend could be asked for; the retry budget allowed it or not."""
        ...

    def spilled(self) -> None:
        """Count a call that was served by another priority because the first one was busy."""
        ...

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

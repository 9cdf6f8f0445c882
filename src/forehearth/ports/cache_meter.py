"""What a deployment's cache reports."""

from typing import Literal, Protocol

Outcome = Literal["exact", "semantic", "shadow", "miss", "bypass"]
"""Found as the same call; as one that asks the same; the latter, and not given; not found; not looked for."""


class CacheMeter(Protocol):
    """Counts what becomes of one deployment's calls in its cache."""

    def looked_up(self, outcome: Outcome) -> None:
        """Count one call."""
        ...

    def refused(self, difference: str) -> None:
        """Count a near answer that a guard refused: one word of a fixed set, such as `numbers`."""
        ...

    def unembedded(self) -> None:
        """Count a message of which no vector could be had."""
        ...

    def kept(self, *, stored: bool) -> None:
        """Count an answer that was looked at: it was kept, or it is not one to be given again."""
        ...

"""How identity gets the documents that issuers publish."""

from typing import Protocol


class Fetch(Protocol):
    """Reads one document. Bounded in bytes and in time by whoever implements it."""

    async def __call__(self, url: str) -> bytes:
        """The document at `url`. Raises a `Failed` when it cannot be had."""
        ...

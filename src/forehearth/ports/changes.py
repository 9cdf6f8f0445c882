"""Who is told of what was changed."""

from typing import Protocol

from forehearth.core.change import Change


class Changes(Protocol):
    """Writes it down."""

    async def made(self, change: Change) -> None:
        """Note one that was made. It waits a little while for the store, and does not raise."""
        ...

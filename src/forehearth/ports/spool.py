"""Where the body of a call is put by while it lasts: on the disk, so that memory stays small, and unnamed.

Everything here raises `StorageFull` where there is no room, and `StoreFailed` where it cannot be read or written.
"""

from collections.abc import AsyncGenerator
from typing import Protocol


class Spooled(Protocol):
    """Bytes of one call. They are gone when it is over, or the process is."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    async def write(self, piece: bytes) -> None:
        """Write more of them."""
        ...

    def pieces(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Those from `start` up to `end`, piece by piece, as often as they are wanted."""
        ...

    def close(self) -> None:
        """Drop them, at once. Who still reads them gets an error."""
        ...


class Spool(Protocol):
    """Puts bodies by."""

    async def begin(self) -> Spooled:
        """For one call. Whoever has it owes it a `close`."""
        ...

"""Where the bytes of files are kept.

Everything here raises `StorageFull` where there is no room, and `StoreFailed` where it cannot be read or written.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from forehearth.core.blob import Blob
from forehearth.core.exchange import Stream


class Draft(Protocol):
    """Bytes that arrive. Until they are kept they are nobody's, and gone when the process ends."""

    @property
    def size(self) -> int:
        """How many were written."""
        ...

    async def write(self, piece: bytes) -> None:
        """Write more of them."""
        ...

    async def keep(self, name: str) -> Blob:
        """Keep them under a name that nothing has yet. Then they are there, whatever happens to the process."""
        ...

    async def discard(self) -> None:
        """Drop what was written; what was kept stays. Once more does nothing."""
        ...


class Blobs(Protocol):
    """Keeps bytes."""

    async def draft(self) -> Draft:
        """Begin. Whoever has a draft owes it a `discard`, also when it was kept."""
        ...

    async def read(self, blob: Blob) -> Stream:
        """Its bytes, piece by piece. Raises `BlobMissing`."""
        ...

    async def delete(self, blob: Blob) -> None:
        """Remove it; one that is gone already is no error. Who reads it reads it to the end."""
        ...


Wanted = Callable[[str], Awaitable[bool]]
"""Whether anybody speaks of the bytes of that name still."""


class BlobSweep(Protocol):
    """Removes what nobody speaks of: after a crash, or after whoever spoke of it has expired."""

    async def sweep(self, wanted: Wanted) -> int:
        """Remove all that is not `wanted`, but for what is young: who keeps it may be about to speak of it.

        How much there was.
        """
        ...

"""Bodies of calls in memory: the reference for what keeps them elsewhere, and for tests."""

from collections.abc import AsyncGenerator

from forehearth.core.document import StoreFailed


class MemorySpool:
    """A `Spool` that is gone with its process."""

    async def begin(self) -> "MemorySpooled":
        """See `ports.spool`."""
        return MemorySpooled()


class MemorySpooled:
    """A `Spooled`; `body` may be given at once."""

    def __init__(self, body: bytes = b"", *, piece: int = 65_536) -> None:
        self._body: bytearray | None = bytearray(body)
        self._piece = piece
        self.size = len(body)

    async def write(self, piece: bytes) -> None:
        """See `ports.spool`."""
        body = self._there()
        body += piece
        self.size += len(piece)

    async def pieces(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """See `ports.spool`."""
        while start < end:
            piece = bytes(self._there()[start : min(start + self._piece, end)])
            if not piece:
                raise StoreFailed("a body that was put by is not as long as it was")
            start += len(piece)
            yield piece

    def close(self) -> None:
        """See `ports.spool`."""
        self._body = None

    def _there(self) -> bytearray:
        if self._body is None:
            raise StoreFailed("the body that was put by is gone")
        return self._body

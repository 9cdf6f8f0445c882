"""Bytes in memory: what every other place for them has to be like."""

import hashlib

from forehearth.core.blob import Blob, BlobMissing
from forehearth.core.exchange import OnePiece
from forehearth.ports.blobs import Wanted


class MemoryBlobs:
    """`Blobs` and a `BlobSweep`, gone with the process."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        """What there is, by name."""

    async def draft(self) -> "_Draft":
        """See `ports.blobs`."""
        return _Draft(self.kept)

    async def read(self, blob: Blob) -> OnePiece:
        """See `ports.blobs`."""
        if blob.name not in self.kept:
            raise BlobMissing
        return OnePiece(self.kept[blob.name])

    async def delete(self, blob: Blob) -> None:
        """See `ports.blobs`."""
        self.kept.pop(blob.name, None)

    async def sweep(self, wanted: Wanted) -> int:
        """See `ports.blobs`. Nothing is young here."""
        gone = [name for name in self.kept if not await wanted(name)]
        for name in gone:
            self.kept.pop(name, None)
        return len(gone)


class _Draft:
    """A `Draft`."""

    def __init__(self, kept: dict[str, bytes]) -> None:
        self._kept = kept
        self._written = bytearray()

    @property
    def size(self) -> int:
        """See `ports.blobs`."""
        return len(self._written)

    async def write(self, piece: bytes) -> None:
        """See `ports.blobs`."""
        self._written += piece

    async def keep(self, name: str) -> Blob:
        """See `ports.blobs`."""
        self._kept[name] = bytes(self._written)
        return Blob(name=name, digest=hashlib.sha256(self._written).hexdigest(), size=len(self._written))

    async def discard(self) -> None:
        """See `ports.blobs`."""
        self._written = bytearray()

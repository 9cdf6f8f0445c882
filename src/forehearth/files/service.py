"""Files of a resource or project: a document says what there is, and bytes lie beside it.

Bytes are kept before the document is, and removed after it is: what a caller can see has its bytes. What a crash in
between leaves, and what has expired, is found by its name, which says to which place it belongs: see `Orphans`.
"""

import hashlib
from collections.abc import Callable, Iterable

import msgspec

from forehearth.core.blob import Blob, BlobMissing
from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.exchange import Stream
from forehearth.core.place import Place
from forehearth.documents import parts
from forehearth.documents.repository import Documents, Order
from forehearth.files.records import File, FileRecord, NewFile
from forehearth.ports.blobs import Blobs, Draft
from forehearth.ports.documents import DocumentStore

KIND = "file"
_PURPOSE = "purpose"


class FilePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of files."""

    files: tuple[File, ...]
    has_more: bool


class Files:
    """All that is done with files."""

    def __init__(self, store: DocumentStore, blobs: Blobs, *, clock: Clock, new_id: Callable[[], str]) -> None:
        """`new_id` makes ids that are never made twice, in any process."""
        self._documents = Documents(store, KIND, new_id=new_id, clock=clock)
        self._blobs = blobs
        self._new_id = new_id
        self._clock = clock

    async def draft(self) -> Draft:
        """Where the bytes of a new file are written to. Whoever has it owes it a `discard`."""
        return await self._blobs.draft()

    async def keep(self, place: Place, draft: Draft, new: NewFile) -> File:
        """Keep a file with what was written to its draft. Raises `StorageFull`, and `StoreFailed`."""
        id = self._new_id()  # noqa: A001 - what it is
        blob = await draft.keep(_blob_name(place, id))
        try:
            return await self._write_down(place, id, blob, new)
        except StoreFailed as error:
            if not error.uncertain:  # the document may be there, and must not be without its bytes
                await self._blobs.delete(blob)
            raise

    async def get(self, place: Place, id: str) -> File:  # noqa: A002 - what it is
        """The file. Raises `NotFound`."""
        return File.of(await self._documents.get(place, id))

    async def page(self, place: Place, order: Order, *, purpose: str | None = None) -> FilePage:
        """One page of the place's files. Raises `InvalidField` for a page that cannot be."""
        wanted = None if purpose is None else {_PURPOSE: purpose}
        found = await parts.page(self._documents, place, order, metadata=wanted)
        return FilePage(files=tuple(map(File.of, found.documents)), has_more=found.has_more)

    async def content(self, place: Place, id: str) -> tuple[File, Stream]:  # noqa: A002 - what it is
        """The file and its bytes. Raises `NotFound`, and `StoreFailed` where its bytes are not on this server."""
        file = await self.get(place, id)
        try:
            return file, await self._blobs.read(file.record.blob)
        except BlobMissing:
            await self.get(place, id)  # it may have been deleted meanwhile
            raise StoreFailed("the bytes of a file are not on this server") from None

    async def delete(self, place: Place, id: str) -> None:  # noqa: A002 - what it is
        """Remove it with its bytes. Raises `NotFound`."""
        file = await self.get(place, id)
        await self._documents.delete(place, id)
        await self._blobs.delete(file.record.blob)

    async def _write_down(self, place: Place, id: str, blob: Blob, new: NewFile) -> File:  # noqa: A002 - what it is
        record = FileRecord(filename=new.filename, purpose=new.purpose, blob=blob)
        life = new.life
        document = await self._documents.create(
            place,
            msgspec.json.encode(record),
            id=id,
            metadata={_PURPOSE: new.purpose},
            expires=None if life is None else int(self._clock.unix()) + life,
        )
        return File.of(document)


class Orphans:
    """Tells whether the bytes of a name belong to a file that there is: `ports.blobs.Wanted`.

    `places` are those that are served. The bytes of others are left alone: they may be served again.
    """

    def __init__(self, store: DocumentStore, clock: Clock, places: Iterable[Place]) -> None:
        self._store = store
        self._clock = clock
        self._places = {_mark(place): place for place in places}

    async def wanted(self, name: str) -> bool:
        """See `ports.blobs`."""
        mark, _, id = name.partition(".")  # noqa: A001 - what it is
        place = self._places.get(mark)
        if place is None:
            return True
        document = await self._store.get(place, KIND, id)
        return document is not None and (document.expires is None or document.expires > self._clock.unix())


def _blob_name(place: Place, id: str) -> str:  # noqa: A002 - what it is
    return f"{_mark(place)}.{id}"


def _mark(place: Place) -> str:
    """A place in a few letters and digits, for there are longer names than a file system takes."""
    return hashlib.sha256(f"{place.resource}\0{place.project}".encode()).hexdigest()[:32]

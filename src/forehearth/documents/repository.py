"""The one way to documents: everything happens within a place, and what is elsewhere is not there.

A foreign id and one that nobody has are answered alike, because they are looked for alike: by place, kind and id.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import CursorLost, Document, DocumentChanged, DocumentExists, Query, storable
from forehearth.core.errors import Conflict, InvalidField, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.ports.documents import DocumentStore

MOST = 100
"""Documents of a page."""
LONGEST_ID = 256
"""Characters of an id or a parent."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One page of documents, as the service's lists have it."""

    documents: tuple[Document, ...]
    has_more: bool

    @property
    def first_id(self) -> str | None:
        """The id of the first; None on an empty page."""
        return self.documents[0].id if self.documents else None

    @property
    def last_id(self) -> str | None:
        """The id of the last: what the next page comes `after`."""
        return self.documents[-1].id if self.documents else None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of a list: the newest first, 20 of them, unless said otherwise."""

    limit: int = 20
    newest_first: bool = True
    after: str | None = None
    before: str | None = None


NEWEST = Order()


class New(msgspec.Struct, frozen=True, kw_only=True):
    """One of several that are to be kept at once."""

    body: bytes
    id: str = ""
    """Empty for a new one."""


class Documents:
    """Documents of one kind. `new_id` makes their ids."""

    def __init__(self, store: DocumentStore, kind: str, *, new_id: Callable[[], str], clock: Clock) -> None:
        self._store = store
        self._kind = kind
        self._called = kind.replace("_", " ")
        self._new_id = new_id
        self._clock = clock

    async def create(
        self,
        place: Place,
        body: bytes,
        *,
        id: str | None = None,  # noqa: A002 - what it is
        parent: str = "",
        metadata: Mapping[str, str] | None = None,
        expires: float | None = None,
    ) -> Document:
        """Keep a new one, under a new id unless one is given.

        Raises `Conflict` where that id is taken, and `InvalidField` for what cannot be kept.
        """
        _require_storable(metadata or {}, id=id or "", parent=parent)
        made = self._made(place, New(body=body, id=id or ""), parent)
        document = msgspec.structs.replace(made, metadata=metadata or {}, expires=expires)
        try:
            return await self._store.insert(document)
        except DocumentExists:
            raise Conflict(f"There is a {self._called} '{document.id}' already.", param="id") from None

    async def create_many(self, place: Place, new: Sequence[New], *, parent: str = "") -> list[Document]:
        """Keep several, all or none, in their order. Whoever reads sees all of them or none.

        Raises `Conflict` where one of the ids is taken, or is there twice, and `InvalidField` for what cannot be kept.
        """
        for each in new:
            _require_storable({}, id=each.id, parent=parent)
        try:
            return await self._store.insert_many([self._made(place, each, parent) for each in new])
        except DocumentExists:
            raise Conflict(f"There is a {self._called} with one of these ids already.", param="id") from None

    async def get(self, place: Place, id: str) -> Document:  # noqa: A002 - what it is
        """The document. Raises `NotFound`."""
        self._require_id(id)
        found = await self._store.get(place, self._kind, id)
        if found is None or (found.expires is not None and found.expires <= self._clock.unix()):
            raise self._missing(id)
        return found

    async def update(self, document: Document, *, etag: str | None = None) -> Document:
        """Write it anew; with an `etag` only if it is still that one.

        Raises `NotFound`, `PreconditionFailed`, and `InvalidField` for what cannot be kept.
        """
        _require_storable(document.metadata, parent=document.parent)
        self._require_id(document.id)
        changed = msgspec.structs.replace(document, kind=self._kind, updated=self._clock.unix())
        try:
            return await self._store.replace(changed, etag=etag)
        except DocumentChanged:
            await self.get(document.place, document.id)
            raise self._changed(document.id) from None

    async def delete(self, place: Place, id: str, *, etag: str | None = None) -> None:  # noqa: A002 - what it is
        """Remove it; with an `etag` only if it is still that one. Raises `NotFound`, `PreconditionFailed`."""
        self._require_id(id)
        if not await self._store.delete(place, self._kind, id, self._clock.unix(), etag=etag):
            await self.get(place, id)
            raise self._changed(id)

    async def list(
        self,
        place: Place,
        order: Order = NEWEST,
        *,
        parent: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Listing:
        """One page. Raises `InvalidField` for a page that cannot be."""
        if not 1 <= order.limit <= MOST:
            raise InvalidField(f"'limit' is a whole number from 1 to {MOST}.", param="limit")
        for bound, cursor in (("after", order.after), ("before", order.before)):
            if not _may_be(cursor or ""):
                raise self._no_such(bound)
        if not all(map(storable, (parent or "", *_texts(metadata or {})))):
            return Listing(documents=(), has_more=False)
        query = Query(
            place=place,
            kind=self._kind,
            now=self._clock.unix(),
            parent=parent,
            metadata=metadata or {},
            after=order.after,
            before=order.before,
            limit=order.limit,
            newest_first=order.newest_first,
        )
        try:
            found = await self._store.page(query)
        except CursorLost as lost:
            raise self._no_such(lost.bound) from None
        has_more = len(found) > order.limit
        kept = found[-order.limit :] if order.before is not None else found[: order.limit]
        return Listing(documents=tuple(kept), has_more=has_more)

    async def sweep(self, limit: int = 1_000) -> int:
        """Remove what has expired, of every kind; how many there were."""
        return await self._store.remove_expired(self._clock.unix(), limit)

    def _made(self, place: Place, new: New, parent: str) -> Document:
        now = self._clock.unix()
        return Document(
            place=place,
            kind=self._kind,
            id=new.id or self._new_id(),
            parent=parent,
            created=now,
            updated=now,
            body=new.body,
        )

    def _require_id(self, id: str) -> None:  # noqa: A002 - what it is
        """Raises `NotFound` for what no store is asked for."""
        if not _may_be(id):
            raise self._missing(id)

    def _missing(self, id: str) -> NotFound:  # noqa: A002 - what it is
        shown = id[:LONGEST_ID].encode(errors="replace").decode()
        return NotFound(f"There is no {self._called} '{shown}'.")

    def _changed(self, id: str) -> PreconditionFailed:  # noqa: A002 - what it is
        return PreconditionFailed(f"The {self._called} '{id}' was changed meanwhile: read it again.")

    def _no_such(self, bound: str) -> InvalidField:
        return InvalidField(f"'{bound}' is not the id of a {self._called} in this list.", param=bound)


def _may_be(id: str) -> bool:  # noqa: A002 - what it is
    """Whether anything can have this id."""
    return len(id) <= LONGEST_ID and storable(id)


def _texts(metadata: Mapping[str, str]) -> Iterator[str]:
    return itertools.chain(metadata.keys(), metadata.values())


def _require_storable(metadata: Mapping[str, str], **ids: str) -> None:
    """Raises `InvalidField` for what some store cannot keep."""
    for param, text in ids.items():
        if not _may_be(text):
            raise InvalidField(
                f"'{param}' has at most {LONGEST_ID} characters, and no U+0000 or half of a surrogate pair.",
                param=param,
            )
    if not all(map(storable, _texts(metadata))):
        raise InvalidField("'metadata' has no U+0000 and no half of a surrogate pair.", param="metadata")

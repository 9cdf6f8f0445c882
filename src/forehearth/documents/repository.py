"""The one way to documents: everything happens within a place, and what is elsewhere is not there.

A foreign id and one that nobody has are answered alike, because they are looked for alike: by place, kind and id.
"""

from collections.abc import Callable, Mapping

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import Document, DocumentChanged, DocumentExists, Query
from forehearth.core.errors import Conflict, InvalidField, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.ports.documents import DocumentStore

MOST = 100
"""Documents of a page."""


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


class Documents:
    """Documents of one kind. `new_id` makes their ids."""

    def __init__(self, store: DocumentStore, kind: str, *, new_id: Callable[[], str], clock: Clock) -> None:
        self._store = store
        self._kind = kind
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
        """Keep a new one, under a new id unless one is given. Raises `Conflict` where that id is taken."""
        now = self._clock.unix()
        document = Document(
            place=place,
            kind=self._kind,
            id=id or self._new_id(),
            parent=parent,
            created=now,
            updated=now,
            metadata=metadata or {},
            body=body,
            expires=expires,
        )
        try:
            return await self._store.insert(document)
        except DocumentExists:
            raise Conflict(f"There is a {self._kind} '{document.id}' already.", param="id") from None

    async def get(self, place: Place, id: str) -> Document:  # noqa: A002 - what it is
        """The document. Raises `NotFound`."""
        found = await self._store.get(place, self._kind, id)
        if found is None or (found.expires is not None and found.expires <= self._clock.unix()):
            raise self._missing(id)
        return found

    async def update(self, document: Document, *, etag: str | None = None) -> Document:
        """Write it anew; with an `etag` only if it is still that one. Raises `NotFound`, `PreconditionFailed`."""
        await self.get(document.place, document.id)
        changed = msgspec.structs.replace(document, kind=self._kind, updated=self._clock.unix())
        try:
            return await self._store.replace(changed, etag=etag)
        except DocumentChanged:
            raise PreconditionFailed(
                f"The {self._kind} '{document.id}' was changed meanwhile: read it again."
            ) from None

    async def delete(self, place: Place, id: str) -> None:  # noqa: A002 - what it is
        """Remove it. Raises `NotFound`."""
        await self.get(place, id)
        await self._store.delete(place, self._kind, id)

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
        found = await self._store.page(
            Query(
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
        )
        has_more = len(found) > order.limit
        kept = found[-order.limit :] if order.before is not None else found[: order.limit]
        return Listing(documents=tuple(kept), has_more=has_more)

    async def sweep(self, limit: int = 1_000) -> int:
        """Remove what has expired, of every kind; how many there were."""
        return await self._store.remove_expired(self._clock.unix(), limit)

    def _missing(self, id: str) -> NotFound:  # noqa: A002 - what it is
        return NotFound(f"There is no {self._kind} '{id}'.")

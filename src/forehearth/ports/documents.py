"""Where documents are kept."""

from collections.abc import Sequence
from typing import Protocol

from forehearth.core.document import Document, Query
from forehearth.core.place import Place


class DocumentStore(Protocol):
    """Keeps documents. What it has answered to is kept, whatever happens to the process. Raises `StoreFailed`.

    Its texts are `storable`, and ids and parents short; the repository sees to it.
    """

    async def insert(self, document: Document) -> Document:
        """Keep a new one, and return it with its sequence and etag. Raises `DocumentExists`.

        One that had expired when the new one was `created` gives way to it.
        """
        ...

    async def insert_many(self, documents: Sequence[Document]) -> list[Document]:
        """Keep new ones of one place and kind, all or none, and return them in their order, which is their sequences'.

        Whoever reads sees all of them or none. Raises `DocumentExists` where an id is taken or given twice.
        """
        ...

    async def get(self, place: Place, kind: str, id: str) -> Document | None:  # noqa: A002 - what it is
        """The document, expired or not; None when there is none."""
        ...

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        """Write it anew and return it as it is now; with an `etag` only if it is still that one.

        Raises `DocumentChanged`, also when it is gone, or had expired when it was `updated`.
        """
        ...

    async def delete(self, place: Place, kind: str, id: str, now: float, *, etag: str | None = None) -> bool:  # noqa: A002 - what it is
        """Remove it, with an `etag` only if it is still that one; whether it was there, and so.

        What has expired by `now` is not there.
        """
        ...

    async def page(self, query: Query) -> list[Document]:
        """At most `limit + 1` of them, so that it can be told whether there are more. Raises `CursorLost`."""
        ...

    async def of_all_places(self, kind: str) -> list[Document]:
        """Every document of a kind, whoever it belongs to: for the server's own use, never for a caller's."""
        ...

    async def runs(self, resource: str, id: str, now: float) -> list[Document]:  # noqa: A002 - what it is
        """The responses and runs of an id in all places of a resource, the newest first; for operators alone.

        What has expired by `now` is left out.
        """
        ...

    async def runs_before(self, resource: str, sequence: int | None, now: float, limit: int) -> list[Document]:
        """The newest responses and runs of a resource, or the newest of those with a lesser sequence. Likewise."""
        ...

    async def version(self, kind: str) -> int:
        """A number that grows with every write of this kind, by whichever process."""
        ...

    async def remove_expired(self, now: float, limit: int) -> int:
        """Remove what has expired, the longest gone first, `limit` at most; how many there were."""
        ...

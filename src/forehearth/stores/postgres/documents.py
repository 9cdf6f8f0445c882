"""Documents in PostgreSQL: a `ports.documents.DocumentStore`."""

from collections.abc import Sequence
from typing import cast

import msgspec

from forehearth.core.document import CursorLost, Document, DocumentChanged, DocumentExists, Query
from forehearth.core.place import Place
from forehearth.stores import document_rows
from forehearth.stores.postgres.database import Database
from forehearth.stores.postgres.driver import asyncpg
from forehearth.stores.postgres.statements import statements

_SQL = statements("documents")
_LATEST = 2**62


class PostgresDocuments:
    """See `ports.documents`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, document: Document) -> Document:
        """See `ports.documents`."""
        rows = await self._database.write(_SQL["insert"], document_rows.of_document(document))
        if not rows:
            raise DocumentExists
        return msgspec.structs.replace(
            document, sequence=rows[0]["sequence"], etag=document_rows.etag(rows[0]["sequence"], rows[0]["revision"])
        )

    async def insert_many(self, documents: Sequence[Document]) -> list[Document]:
        """See `ports.documents`."""
        if len({each.id for each in documents}) < len(documents):
            raise DocumentExists
        if not documents:
            return []
        try:
            rows = await self._database.write(_SQL["insert_many"], document_rows.of_documents(documents))
        except asyncpg.DivisionByZeroError:  # what the statement comes to when it could not write all of them
            raise DocumentExists from None
        if not rows:
            raise DocumentExists
        given = {row["id"]: row for row in rows}
        return [
            msgspec.structs.replace(
                each,
                sequence=given[each.id]["sequence"],
                etag=document_rows.etag(given[each.id]["sequence"], given[each.id]["revision"]),
            )
            for each in documents
        ]

    async def get(self, place: Place, kind: str, id: str) -> Document | None:  # noqa: A002 - the port's
        """See `ports.documents`."""
        rows = await self._database.read(_SQL["get"], document_rows.of_key(place, kind, id))
        return document_rows.document(rows[0]) if rows else None

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        """See `ports.documents`."""
        rows = await self._database.write(_SQL["replace"], document_rows.of_document(document) | {"wanted": etag})
        if not rows:
            raise DocumentChanged
        (row,) = rows
        return msgspec.structs.replace(
            document,
            sequence=row["sequence"],
            etag=document_rows.etag(row["sequence"], row["revision"]),
            created=row["created"],
        )

    async def delete(self, place: Place, kind: str, id: str, now: float, *, etag: str | None = None) -> bool:  # noqa: A002 - the port's
        """See `ports.documents`."""
        values = document_rows.of_key(place, kind, id) | {"wanted": etag, "now": now}
        return bool(await self._database.write(_SQL["delete"], values))

    async def page(self, query: Query) -> list[Document]:
        """See `ports.documents`.

        From the end that is asked for; what ends before a document is read from there, backwards, and turned round.
        """
        low, high = await self._bounds(query)
        backwards = query.before is not None
        descending = query.newest_first is not backwards
        rows = await self._database.read(
            _SQL[document_rows.page_query(query, descending=descending)],
            document_rows.of_page(query, low, high),
        )
        found = [document_rows.document(row) for row in rows]
        return found[::-1] if backwards else found

    async def of_all_places(self, kind: str) -> list[Document]:
        """See `ports.documents`."""
        return [document_rows.document(row) for row in await self._database.read(_SQL["of_all_places"], {"kind": kind})]

    async def runs(self, resource: str, id: str, now: float) -> list[Document]:  # noqa: A002 - the port's
        """See `ports.documents`."""
        rows = await self._database.read(_SQL["runs"], {"resource": resource, "id": id, "now": now})
        return [document_rows.document(row) for row in rows]

    async def runs_before(self, resource: str, sequence: int | None, now: float, limit: int) -> list[Document]:
        """See `ports.documents`."""
        values = {"resource": resource, "before": sequence, "now": now, "limit": limit}
        return [document_rows.document(row) for row in await self._database.read(_SQL["runs_before"], values)]

    async def version(self, kind: str) -> int:
        """See `ports.documents`."""
        (row,) = await self._database.read(_SQL["version"], {"kind": kind})
        return cast("int", row["version"])

    async def remove_expired(self, now: float, limit: int) -> int:
        """See `ports.documents`."""
        return len(await self._database.write(_SQL["remove_expired"], {"now": now, "limit": limit}))

    async def _bounds(self, query: Query) -> tuple[int, int]:
        """Between which sequences the page lies. Raises `CursorLost`."""
        low, high = 0, _LATEST
        for name, bound, is_after in (("after", query.after, True), ("before", query.before, False)):
            if bound is None:
                continue
            rows = await self._database.read(_SQL["edge"], document_rows.of_key(query.place, query.kind, bound))
            if not rows:
                raise CursorLost(name)
            edge = cast("int", rows[0]["sequence"])
            if is_after is query.newest_first:
                high = min(high, edge)
            else:
                low = max(low, edge)
        return low, high

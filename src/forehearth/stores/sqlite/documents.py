"""Documents in SQLite: a `ports.documents.DocumentStore`."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import apsw
import msgspec

from forehearth.core.document import CursorLost, Document, DocumentChanged, DocumentExists, Query
from forehearth.core.place import Place
from forehearth.stores import document_rows
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database

_SQL = queries("sqlite", "documents")
_LATEST = 2**62
_COLUMNS = (
    "sequence",
    "resource",
    "project",
    "agent",
    "kind",
    "id",
    "parent",
    "created",
    "updated",
    "revision",
    "metadata",
    "body",
    "expires",
)
"""Of the table, in its order."""


class SqliteDocuments:
    """See `ports.documents`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, document: Document) -> Document:
        """See `ports.documents`."""
        (kept,) = await self.insert_many([document])
        return kept

    async def insert_many(self, documents: Sequence[Document]) -> list[Document]:
        """See `ports.documents`."""

        def work(connection: apsw.Connection) -> list[Document]:
            kept = [_inserted(connection, each) for each in documents]
            for kind in {each.kind for each in documents}:
                _count(connection, kind)
            return kept

        return await self._database.write(work)

    async def get(self, place: Place, kind: str, id: str) -> Document | None:  # noqa: A002 - the port's
        """See `ports.documents`."""
        rows = await self._database.read(
            lambda found: found.execute(_SQL["get"], document_rows.of_key(place, kind, id)).fetchall()
        )
        return _document(rows[0]) if rows else None

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        """See `ports.documents`."""

        def work(connection: apsw.Connection) -> Document:
            rows = connection.execute(
                _SQL["replace"], document_rows.of_document(document) | {"wanted": etag}
            ).fetchall()
            if not rows:
                raise DocumentChanged
            ((sequence, revision, created),) = rows
            _count(connection, document.kind)
            return msgspec.structs.replace(
                document,
                sequence=cast("int", sequence),
                etag=document_rows.etag(sequence, revision),
                created=cast("float", created),
            )

        return await self._database.write(work)

    async def delete(self, place: Place, kind: str, id: str, now: float, *, etag: str | None = None) -> bool:  # noqa: A002 - the port's
        """See `ports.documents`."""
        values = document_rows.of_key(place, kind, id) | {"wanted": etag, "now": now}

        def work(connection: apsw.Connection) -> bool:
            if not connection.execute(_SQL["delete"], values).fetchall():
                return False
            _count(connection, kind)
            return True

        return await self._database.write(work)

    async def page(self, query: Query) -> list[Document]:
        """See `ports.documents`."""
        return await self._database.read(lambda connection: _page(connection, query))

    async def of_all_places(self, kind: str) -> list[Document]:
        """See `ports.documents`."""
        rows = await self._database.read(lambda found: found.execute(_SQL["of_all_places"], {"kind": kind}).fetchall())
        return [_document(row) for row in rows]

    async def runs(self, resource: str, id: str, now: float) -> list[Document]:  # noqa: A002 - the port's
        """See `ports.documents`."""
        return await self._runs("runs", {"resource": resource, "id": id, "now": now})

    async def runs_before(self, resource: str, sequence: int | None, now: float, limit: int) -> list[Document]:
        """See `ports.documents`."""
        return await self._runs("runs_before", {"resource": resource, "before": sequence, "now": now, "limit": limit})

    async def _runs(self, name: str, values: Mapping[str, Any]) -> list[Document]:
        rows = await self._database.read(lambda found: found.execute(_SQL[name], dict(values)).fetchall())
        return [_document(row) for row in rows]

    async def version(self, kind: str) -> int:
        """See `ports.documents`."""
        rows = await self._database.read(lambda found: found.execute(_SQL["version"], {"kind": kind}).fetchall())
        return cast("int", rows[0][0]) if rows else 0

    async def remove_expired(self, now: float, limit: int) -> int:
        """See `ports.documents`."""

        def work(connection: apsw.Connection) -> int:
            gone = connection.execute(_SQL["remove_expired"], {"now": now, "limit": limit}).fetchall()
            for kind in {cast("str", row[0]) for row in gone}:
                _count(connection, kind)
            return len(gone)

        return await self._database.write(work)


def _inserted(connection: apsw.Connection, document: Document) -> Document:
    values = document_rows.of_document(document)
    connection.execute(_SQL["give_way"], values).fetchall()
    try:
        ((sequence, revision),) = connection.execute(_SQL["insert"], values).fetchall()
    except apsw.ConstraintError:
        raise DocumentExists from None
    return msgspec.structs.replace(
        document, sequence=cast("int", sequence), etag=document_rows.etag(sequence, revision)
    )


def _page(connection: apsw.Connection, query: Query) -> list[Document]:
    """From the end that is asked for; what ends before a document is read from there, backwards, and turned round."""
    low, high = 0, _LATEST
    for name, bound, is_after in (("after", query.after, True), ("before", query.before, False)):
        if bound is None:
            continue
        rows = connection.execute(_SQL["edge"], document_rows.of_key(query.place, query.kind, bound)).fetchall()
        if not rows:
            raise CursorLost(name)
        edge = cast("int", rows[0][0])
        if is_after is query.newest_first:
            high = min(high, edge)
        else:
            low = max(low, edge)
    backwards = query.before is not None
    descending = query.newest_first is not backwards
    rows = connection.execute(
        _SQL[document_rows.page_query(query, descending=descending)],
        document_rows.of_page(query, low, high),
    ).fetchall()
    found = [_document(row) for row in rows]
    return found[::-1] if backwards else found


def _count(connection: apsw.Connection, kind: str) -> None:
    connection.execute(_SQL["count"], {"kind": kind})


def _document(row: tuple[Any, ...]) -> Document:
    return document_rows.document(dict(zip(_COLUMNS, row, strict=True)))

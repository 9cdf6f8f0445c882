"""Documents in SQLite: a `ports.documents.DocumentStore`."""

from typing import Any, cast

import apsw
import msgspec

from forehearth.core.document import CursorLost, Document, DocumentChanged, DocumentExists, Query
from forehearth.core.place import Place
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database

_SQL = queries("sqlite", "documents")
_LATEST = 2**62


class SqliteDocuments:
    """See `ports.documents`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, document: Document) -> Document:
        """See `ports.documents`."""

        def work(connection: apsw.Connection) -> Document:
            values = _values(document)
            connection.execute(_SQL["give_way"], values).fetchall()
            try:
                ((sequence, revision),) = connection.execute(_SQL["insert"], values).fetchall()
            except apsw.ConstraintError:
                raise DocumentExists from None
            _count(connection, document.kind)
            return msgspec.structs.replace(document, sequence=cast("int", sequence), etag=_etag(sequence, revision))

        return await self._database.write(work)

    async def get(self, place: Place, kind: str, id: str) -> Document | None:  # noqa: A002 - the port's
        """See `ports.documents`."""
        rows = await self._database.read(lambda found: found.execute(_SQL["get"], _key(place, kind, id)).fetchall())
        return _document(rows[0]) if rows else None

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        """See `ports.documents`."""

        def work(connection: apsw.Connection) -> Document:
            rows = connection.execute(_SQL["replace"], _values(document) | {"wanted": etag}).fetchall()
            if not rows:
                raise DocumentChanged
            ((sequence, revision, created),) = rows
            _count(connection, document.kind)
            return msgspec.structs.replace(
                document,
                sequence=cast("int", sequence),
                etag=_etag(sequence, revision),
                created=cast("float", created),
            )

        return await self._database.write(work)

    async def delete(self, place: Place, kind: str, id: str, *, etag: str | None = None) -> bool:  # noqa: A002 - the port's
        """See `ports.documents`."""
        values = _key(place, kind, id) | {"wanted": etag}

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


def _page(connection: apsw.Connection, query: Query) -> list[Document]:
    """From the end that is asked for; what ends before a document is read from there, backwards, and turned round."""
    low, high = 0, _LATEST
    for name, bound, is_after in (("after", query.after, True), ("before", query.before, False)):
        if bound is None:
            continue
        rows = connection.execute(_SQL["edge"], _key(query.place, query.kind, bound)).fetchall()
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
        _SQL[_page_query(query, descending=descending)],
        {
            **_place(query.place),
            "kind": query.kind,
            "low": low,
            "high": high,
            "parent": query.parent,
            "now": query.now,
            "metadata": msgspec.json.encode(query.metadata).decode(),
            "limit": query.limit + 1,
        },
    ).fetchall()
    found = [_document(row) for row in rows]
    return found[::-1] if backwards else found


def _count(connection: apsw.Connection, kind: str) -> None:
    connection.execute(_SQL["count"], {"kind": kind})


def _page_query(query: Query, *, descending: bool) -> str:
    """The name of the query for a page."""
    return f"{'page' if query.parent is None else 'children'}_{'descending' if descending else 'ascending'}"


def _place(place: Place) -> dict[str, Any]:
    return {"resource": place.resource, "project": place.project, "agent": place.agent}


def _key(place: Place, kind: str, id: str) -> dict[str, Any]:  # noqa: A002 - the port's
    return {**_place(place), "kind": kind, "id": id}


def _values(document: Document) -> dict[str, Any]:
    return {
        **_key(document.place, document.kind, document.id),
        "parent": document.parent,
        "created": document.created,
        "updated": document.updated,
        "metadata": msgspec.json.encode(document.metadata).decode(),
        "body": document.body,
        "expires": document.expires,
    }


def _etag(sequence: object, revision: object) -> str:
    """No two documents have the same sequence, ever, so a revision of one is none of another."""
    return f"{sequence}.{revision}"


def _document(row: tuple[Any, ...]) -> Document:
    """From a row, in the order of the table's columns."""
    sequence, resource, project, agent, kind, id_, parent, created, updated, revision, metadata, body, expires = row
    return Document(
        place=Place(resource=resource, project=project, agent=agent),
        kind=kind,
        id=id_,
        parent=parent,
        sequence=sequence,
        created=created,
        updated=updated,
        etag=_etag(sequence, revision),
        metadata=msgspec.json.decode(metadata, type=dict[str, str]),
        body=bytes(body),
        expires=expires,
    )

"""Documents in PostgreSQL: a `ports.documents.DocumentStore`."""

from typing import Any, cast

import msgspec

from forehearth.core.document import CursorLost, Document, DocumentChanged, DocumentExists, Query
from forehearth.core.place import Place
from forehearth.stores.postgres.database import Database, Row
from forehearth.stores.postgres.statements import statements

_SQL = statements("documents")
_LATEST = 2**62


class PostgresDocuments:
    """See `ports.documents`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, document: Document) -> Document:
        """See `ports.documents`."""
        rows = await self._database.write(_SQL["insert"], _values(document))
        if not rows:
            raise DocumentExists
        return msgspec.structs.replace(document, sequence=rows[0]["sequence"], etag=_etag(rows[0]))

    async def get(self, place: Place, kind: str, id: str) -> Document | None:  # noqa: A002 - the port's
        """See `ports.documents`."""
        rows = await self._database.read(_SQL["get"], _key(place, kind, id))
        return _document(rows[0]) if rows else None

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        """See `ports.documents`."""
        rows = await self._database.write(_SQL["replace"], _values(document) | {"wanted": etag})
        if not rows:
            raise DocumentChanged
        (row,) = rows
        return msgspec.structs.replace(document, sequence=row["sequence"], etag=_etag(row), created=row["created"])

    async def delete(self, place: Place, kind: str, id: str, *, etag: str | None = None) -> bool:  # noqa: A002 - the port's
        """See `ports.documents`."""
        return bool(await self._database.write(_SQL["delete"], _key(place, kind, id) | {"wanted": etag}))

    async def page(self, query: Query) -> list[Document]:
        """See `ports.documents`.

        From the end that is asked for; what ends before a document is read from there, backwards, and turned round.
        """
        low, high = await self._bounds(query)
        backwards = query.before is not None
        descending = query.newest_first is not backwards
        rows = await self._database.read(
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
        )
        found = [_document(row) for row in rows]
        return found[::-1] if backwards else found

    async def of_all_places(self, kind: str) -> list[Document]:
        """See `ports.documents`."""
        return [_document(row) for row in await self._database.read(_SQL["of_all_places"], {"kind": kind})]

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
            rows = await self._database.read(_SQL["edge"], _key(query.place, query.kind, bound))
            if not rows:
                raise CursorLost(name)
            edge = cast("int", rows[0]["sequence"])
            if is_after is query.newest_first:
                high = min(high, edge)
            else:
                low = max(low, edge)
        return low, high


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


def _etag(row: Row) -> str:
    """No two documents have the same sequence, ever, so a revision of one is none of another."""
    return f"{row['sequence']}.{row['revision']}"


def _document(row: Row) -> Document:
    return Document(
        place=Place(resource=row["resource"], project=row["project"], agent=row["agent"]),
        kind=row["kind"],
        id=row["id"],
        parent=row["parent"],
        sequence=row["sequence"],
        created=row["created"],
        updated=row["updated"],
        etag=_etag(row),
        metadata=msgspec.json.decode(row["metadata"], type=dict[str, str]),
        body=row["body"],
        expires=row["expires"],
    )

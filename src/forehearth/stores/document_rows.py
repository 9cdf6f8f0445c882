"""Documents as rows, the same in every database: what is bound to a statement, and what comes back."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from forehearth.core.document import Document, Query
from forehearth.core.place import Place


def page_query(query: Query, *, descending: bool) -> str:
    """The name of the query for a page."""
    return f"{'page' if query.parent is None else 'children'}_{'descending' if descending else 'ascending'}"


def of_place(place: Place) -> dict[str, Any]:
    """Where something is, to be bound."""
    return {"resource": place.resource, "project": place.project, "agent": place.agent}


def of_key(place: Place, kind: str, id: str) -> dict[str, Any]:  # noqa: A002 - the port's
    """Which document is meant, to be bound."""
    return {**of_place(place), "kind": kind, "id": id}


def of_document(document: Document) -> dict[str, Any]:
    """All of a document but what the store gives it, to be bound."""
    return {
        **of_key(document.place, document.kind, document.id),
        "parent": document.parent,
        "created": document.created,
        "updated": document.updated,
        "metadata": msgspec.json.encode(document.metadata).decode(),
        "body": document.body,
        "expires": document.expires,
    }


def of_documents(documents: Sequence[Document]) -> dict[str, Any]:
    """The same of documents of one place and kind, to be bound: what tells them apart as lists."""
    first = documents[0]
    rows = [of_document(each) for each in documents]
    apart = {name: [row[name] for row in rows] for name in rows[0]}
    return apart | of_place(first.place) | {"kind": first.kind}


def of_page(query: Query, low: int, high: int) -> dict[str, Any]:
    """What a page is asked for between two sequences, to be bound: one more than it has, to see whether more follow."""
    return {
        **of_place(query.place),
        "kind": query.kind,
        "low": low,
        "high": high,
        "parent": query.parent,
        "now": query.now,
        "metadata": msgspec.json.encode(query.metadata).decode(),
        "limit": query.limit + 1,
    }


def etag(sequence: object, revision: object) -> str:
    """No two documents have the same sequence, ever, so a revision of one is none of another."""
    return f"{sequence}.{revision}"


def document(row: Mapping[str, Any]) -> Document:
    """The document of a row, by the names of the table's columns."""
    return Document(
        place=Place(resource=row["resource"], project=row["project"], agent=row["agent"]),
        kind=row["kind"],
        id=row["id"],
        parent=row["parent"],
        sequence=row["sequence"],
        created=row["created"],
        updated=row["updated"],
        etag=etag(row["sequence"], row["revision"]),
        metadata=msgspec.json.decode(row["metadata"], type=dict[str, str]),
        body=bytes(row["body"]),
        expires=row["expires"],
    )

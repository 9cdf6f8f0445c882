"""Opens a store wherever it may be: a file for SQLite, a URL for PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from forehearth.core.secret import Secret
from forehearth.ports.audit import AuditStore
from forehearth.ports.documents import DocumentStore
from forehearth.stores.postgres.opening import opened as opened_postgres
from forehearth.stores.sqlite.audit import SqliteAudit
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.documents import SqliteDocuments


@asynccontextmanager
async def opened(place: str) -> AsyncIterator[tuple[DocumentStore, AuditStore]]:
    """Documents and the audit log there; closed in the end."""
    if place.startswith("postgresql:"):
        async with opened_postgres(Secret(place), connections=8) as stores:
            yield stores
        return
    database = open_database(Path(place))
    try:
        yield SqliteDocuments(database), SqliteAudit(database)
    finally:
        await database.aclose()

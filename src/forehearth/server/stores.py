"""Opens the store of a data directory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec

from forehearth.ports.audit import AuditStore
from forehearth.ports.documents import DocumentStore
from forehearth.server.data_directory import DataDirectory
from forehearth.stores.sqlite.audit import SqliteAudit
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.documents import SqliteDocuments

FILE = "store.db"


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """What things are kept in."""

    documents: DocumentStore
    audit: AuditStore


@contextlib.asynccontextmanager
async def opened_stores(data: DataDirectory) -> AsyncIterator[Stores]:
    """The store, closed in the end. Raises `Misconfigured` when it cannot be used."""
    database = await asyncio.to_thread(open_database, data.path / FILE)
    try:
        yield Stores(documents=SqliteDocuments(database), audit=SqliteAudit(database))
    finally:
        await database.aclose()

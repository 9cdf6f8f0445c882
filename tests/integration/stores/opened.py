"""Opens a store wherever it may be: a file for SQLite, a URL for PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from forehearth.core.clock import SystemClock
from forehearth.core.secret import Secret
from forehearth.ports.audit import AuditStore
from forehearth.ports.documents import DocumentStore
from forehearth.ports.jobs import JobStore
from forehearth.stores.postgres.opening import opened as opened_postgres
from forehearth.stores.sqlite.audit import SqliteAudit
from forehearth.stores.sqlite.database import Database, open_database
from forehearth.stores.sqlite.documents import SqliteDocuments
from forehearth.stores.sqlite.jobs import SqliteJobs


@asynccontextmanager
async def opened(place: str) -> AsyncIterator[tuple[DocumentStore, AuditStore]]:
    """Documents and the audit log there; closed in the end."""
    if place.startswith("postgresql:"):
        async with opened_postgres(Secret(place), connections=8) as (documents, audit, _):
            yield documents, audit
        return
    async with _sqlite(place) as database:
        yield SqliteDocuments(database), SqliteAudit(database)


@asynccontextmanager
async def opened_jobs(place: str) -> AsyncIterator[JobStore]:
    """The jobs there; closed in the end."""
    if place.startswith("postgresql:"):
        async with opened_postgres(Secret(place), connections=8) as (_, _, jobs):
            yield jobs
        return
    async with _sqlite(place) as database:
        yield SqliteJobs(database, SystemClock())


@asynccontextmanager
async def _sqlite(place: str) -> AsyncIterator[Database]:
    database = open_database(Path(place))
    try:
        yield database
    finally:
        await database.aclose()

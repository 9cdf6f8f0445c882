"""The stores under one suite, each behind the same ports."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from forehearth.ports.audit import AuditStore
from forehearth.ports.documents import DocumentStore
from forehearth.stores.memory import MemoryAudit, MemoryDocuments
from forehearth.stores.sqlite.audit import SqliteAudit
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.documents import SqliteDocuments


class Stores(NamedTuple):
    documents: DocumentStore
    audit: AuditStore


@pytest.fixture(params=["memory", "sqlite"])
async def stores(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryDocuments(), MemoryAudit())
        return
    database = open_database(tmp_path / "store.db")
    yield Stores(SqliteDocuments(database), SqliteAudit(database))
    await database.aclose()

"""The stores under one suite, each behind the same ports."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from forehearth.core.clock import SystemClock
from forehearth.ports.audit import AuditStore
from forehearth.ports.documents import DocumentStore
from forehearth.ports.jobs import JobStore
from forehearth.stores.memory import MemoryAudit, MemoryDocuments
from forehearth.stores.memory_jobs import MemoryJobs
from tests.integration.stores.opened import opened, opened_jobs
from tests.postgres_server import PostgresServer


class Stores(NamedTuple):
    documents: DocumentStore
    audit: AuditStore


@pytest.fixture(scope="module")
def database(postgres: PostgresServer, request: pytest.FixtureRequest) -> str:
    """The name of a database of this module's own."""
    name = re.sub(r"\W", "_", Path(request.module.__file__).stem)
    postgres.create_database(name)
    return name


def empty_place(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """Where a new store may be, as `opened` takes it: a file, or the module's database with nothing in it."""
    if kind == "sqlite":
        return str(folder / "store.db")
    postgres: PostgresServer = request.getfixturevalue("postgres")
    database: str = request.getfixturevalue("database")
    postgres.sql(database, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS forehearth CASCADE")
    return postgres.url(database)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path) -> str:
    """Where a store may be that several processes have."""
    return empty_place(request.param, request, tmp_path)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def stores(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryDocuments(), MemoryAudit())
        return
    async with opened(empty_place(request.param, request, tmp_path)) as (documents, audit):
        yield Stores(documents, audit)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def jobs(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[JobStore]:
    if request.param == "memory":
        yield MemoryJobs(SystemClock())
        return
    async with opened_jobs(empty_place(request.param, request, tmp_path)) as store:
        yield store

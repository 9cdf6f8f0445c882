"""Opens the store: the file in the data directory, or the database that the configuration names."""

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.core.store_settings import StoreSettings
from forehearth.ports.audit import AuditStore
from forehearth.ports.documents import DocumentStore
from forehearth.ports.jobs import JobStore
from forehearth.ports.sealer import Sealer
from forehearth.server.data_directory import DataDirectory
from forehearth.server.encryption_keys import sealer
from forehearth.server.installation import pepper, require_same_pepper
from forehearth.stores.sqlite.audit import SqliteAudit
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.documents import SqliteDocuments
from forehearth.stores.sqlite.jobs import SqliteJobs

FILE = "store.db"
POSTGRES = "forehearth.stores.postgres.opening:opened"
"""Loaded where it is configured, because its driver is an extra."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_AGAIN = 60.0
"""Seconds after which it is said again that the store is waited for."""

_log = logging.getLogger("forehearth.server")

Opened = AbstractAsyncContextManager[tuple[DocumentStore, AuditStore, JobStore]]


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """What things are kept in."""

    documents: DocumentStore
    audit: AuditStore
    jobs: JobStore
    pepper: bytes
    """What the keys that are kept there are hashed with."""
    sealer: Sealer
    """What secrets are encrypted with before they are kept."""


@contextlib.asynccontextmanager
async def opened_stores(settings: StoreSettings, data: DataDirectory, clock: Clock) -> AsyncIterator[Stores]:
    """The store, closed in the end.

    Raises `Misconfigured` when it cannot be used, and `StoreFailed` when its server is away.
    """
    secret = pepper(data, settings.pepper)
    if settings.postgres is None:
        database = await asyncio.to_thread(open_database, data.path / FILE)
        try:
            yield Stores(
                documents=SqliteDocuments(database),
                audit=SqliteAudit(database),
                jobs=SqliteJobs(database, clock),
                pepper=secret,
                sealer=sealer(settings, data),
            )
        finally:
            await database.aclose()
    else:
        async with _postgres(settings.postgres, settings.connections) as (documents, audit, jobs):
            await require_same_pepper(documents, secret, clock)
            yield Stores(documents=documents, audit=audit, jobs=jobs, pepper=secret, sealer=sealer(settings, data))


@contextlib.asynccontextmanager
async def awaited_stores(
    settings: StoreSettings, data: DataDirectory, clock: Clock, over: asyncio.Event
) -> AsyncIterator[Stores]:
    """The same, for a server that starts: a store that is away is waited for, unless it is `over` before."""
    async with AsyncExitStack() as stack:
        yield await when_there(lambda: stack.enter_async_context(opened_stores(settings, data, clock)), clock, over)


async def when_there(enter: Callable[[], Awaitable[Stores]], clock: Clock, over: asyncio.Event) -> Stores:
    """What `enter` returns, once it does not raise `StoreFailed` any more. Raises `Misconfigured` when it is `over`."""
    pause, said = _FIRST_PAUSE, -_AGAIN
    while not over.is_set():
        try:
            return await enter()
        except StoreFailed as error:
            if clock.monotonic() - said >= _AGAIN:
                said = clock.monotonic()
                _log.warning("nothing is served until the store is there: %s", error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await over.wait()
        pause = min(2 * pause, _LONGEST_PAUSE)
    raise Misconfigured("the server was stopped before its store was there")


def _postgres(address: Secret, connections: int) -> Opened:
    module, _, name = POSTGRES.partition(":")
    opened: Opened = getattr(importlib.import_module(module), name)(address, connections=connections)
    return opened

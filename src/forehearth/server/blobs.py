"""Opens the directory in which the bytes of files are, and removes from it what nobody speaks of any more."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.core.place import Place
from forehearth.core.settings import Settings
from forehearth.files.service import Orphans
from forehearth.ports.blobs import Blobs, BlobSweep
from forehearth.server.compose import all_resources
from forehearth.server.context import WorkerContext
from forehearth.server.stores import Stores
from forehearth.server.sweeping import SWEEP_SECONDS
from forehearth.stores.blob_directory import BlobDirectory
from forehearth.wire.projects import DEFAULT

Sleep = Callable[[float], Awaitable[None]]

_log = logging.getLogger("forehearth.server")


@contextlib.asynccontextmanager
async def opened_blobs(
    context: WorkerContext, stores: Stores, clock: Clock, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[Blobs]:
    """The directory. The first worker sweeps it, for all of them. Raises `Misconfigured` when it cannot be used."""
    try:
        directory = BlobDirectory(context.data.blobs, clock)
    except OSError as error:
        raise Misconfigured(f"files cannot be kept in {context.data.blobs}: {error.strerror}") from error
    orphans = Orphans(stores.documents, clock, places(context.settings))
    sweeping = asyncio.create_task(_sweep_for_ever(directory, orphans, sleep)) if context.index == 0 else None
    try:
        yield directory
    finally:
        if sweeping is not None:
            sweeping.cancel()
            await asyncio.wait([sweeping])
        directory.close()


def places(settings: Settings) -> Iterator[Place]:
    """Everything that may have files: each resource, and each project."""
    for name, resource in all_resources(settings).items():
        yield Place(resource=name)
        for project in {DEFAULT, *resource.projects}:
            yield Place(resource=name, project=project)


async def _sweep_for_ever(directory: BlobSweep, orphans: Orphans, sleep: Sleep) -> None:
    while True:
        try:
            gone = await directory.sweep(orphans.wanted)
        except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
            told = str(error) if isinstance(error, StoreFailed) else type(error).__name__
            _log.warning("bytes of files that are gone could not be removed: %s", told)
        else:
            if gone:
                _log.info("bytes of files that are gone were removed: %d", gone)
        await sleep(SWEEP_SECONDS)

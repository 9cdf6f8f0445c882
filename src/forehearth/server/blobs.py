"""Opens the directory in which the bytes of files are, and removes from it what nobody speaks of any more."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

from forehearth.core.clock import Clock
from forehearth.core.errors import Misconfigured
from forehearth.core.place import Place
from forehearth.core.settings import Settings
from forehearth.files.service import Orphans
from forehearth.ports.blobs import Blobs
from forehearth.server.context import WorkerContext
from forehearth.server.stores import Stores
from forehearth.server.sweeping import Sleep, again_and_again
from forehearth.server.tenants import all_resources
from forehearth.stores.blob_directory import BlobDirectory
from forehearth.wire.projects import DEFAULT

_GONE = "bytes of files that are gone"

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

    async def sweep() -> None:
        gone = await directory.sweep(orphans.wanted)
        if gone:
            _log.info("%s were removed: %d", _GONE, gone)

    sweeping = again_and_again(sweep, _GONE, sleep) if context.index == 0 else contextlib.nullcontext()
    try:
        async with sweeping:
            yield directory
    finally:
        directory.close()


def places(settings: Settings) -> Iterator[Place]:
    """Everything that may have files: each resource, and each project."""
    for name, resource in all_resources(settings).items():
        yield Place(resource=name)
        for project in {DEFAULT, *resource.projects}:
            yield Place(resource=name, project=project)

"""Opens the folder in which the bodies of calls are put by while they last."""

import contextlib
from collections.abc import AsyncIterator

from forehearth.core.errors import Misconfigured
from forehearth.ports.spool import Spool
from forehearth.server.context import WorkerContext
from forehearth.stores.spool_directory import SpoolDirectory


@contextlib.asynccontextmanager
async def opened_spool(context: WorkerContext) -> AsyncIterator[Spool]:
    """A spool in the folder of what belongs to the running server alone. Raises `Misconfigured`."""
    folder = context.data.run
    try:
        spool = SpoolDirectory(folder)
    except OSError as error:
        raise Misconfigured(f"what is uploaded cannot be put by in {folder}: {error.strerror}") from error
    try:
        yield spool
    finally:
        spool.close()

"""What operators do to a data directory that no server holds."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import msgspec

from forehearth.admin.office import Office
from forehearth.config.loader import load, locate
from forehearth.core.clock import SystemClock
from forehearth.documents.watch import SPREAD_SECONDS
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.administration import opened_office
from forehearth.server.data_directory import locked, open_data_directory
from forehearth.server.identity import build_assignments
from forehearth.server.ledger import offline_ledger
from forehearth.server.stores import opened_stores


@contextlib.asynccontextmanager
async def open_admin(data_dir: Path, config: Path | None) -> AsyncIterator[Office]:
    """The office of a data directory, with the configuration that `serve` would take.

    Raises `Misconfigured` when a server holds it, or when directory or configuration cannot be used, and `StoreFailed`
    when its store is away.
    """
    data = open_data_directory(data_dir)
    settings = load(locate(config, Path.cwd()), providers=PROVIDER_SETTINGS, environ=os.environ)
    clock = SystemClock()
    spread = _nobody_to_tell if settings.store.postgres is None else partial(asyncio.sleep, SPREAD_SECONDS)
    with locked(data):
        async with (
            opened_stores(settings.store, data, clock) as stores,
            opened_office(settings, stores, clock, spread, build_assignments(settings).configured) as office,
            offline_ledger(data, clock) as ledger,
        ):
            yield msgspec.structs.replace(office, ledger=ledger if settings.ledger.enabled else None)


async def _nobody_to_tell() -> None:
    """No server has this store, so nobody knows other keys."""

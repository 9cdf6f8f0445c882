"""What operators do to a data directory that no server holds."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from forehearth.admin.office import Office
from forehearth.config.loader import load, locate
from forehearth.core.clock import SystemClock
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.administration import opened_office
from forehearth.server.data_directory import locked, open_data_directory
from forehearth.server.installation import pepper
from forehearth.server.stores import opened_stores


@contextlib.asynccontextmanager
async def open_admin(data_dir: Path, config: Path | None) -> AsyncIterator[Office]:
    """The office of a data directory, with the configuration that `serve` would take.

    Raises `Misconfigured` when a server holds it, or when directory or configuration cannot be used.
    """
    data = open_data_directory(data_dir)
    settings = load(locate(config, Path.cwd()), providers=PROVIDER_SETTINGS, environ=os.environ)
    with locked(data):
        async with (
            opened_stores(data) as stores,
            opened_office(settings, stores, pepper(data), SystemClock(), _nobody_to_tell) as office,
        ):
            yield office


async def _nobody_to_tell() -> None:
    """No server runs, so nobody knows other keys."""

"""Opens the counters that all workers share, for what this worker leases of them."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator

from forehearth.accounting.leases import Leases
from forehearth.core.clock import Clock
from forehearth.core.routing_settings import BackendLimits
from forehearth.core.settings import ResourceSettings, Settings
from forehearth.server.data_directory import DataDirectory
from forehearth.server.tenants import all_resources
from forehearth.stores.sqlite.counters import SqliteCounters
from forehearth.stores.sqlite.database import open_database

FILE = "counters.db"


@contextlib.asynccontextmanager
async def opened_leases(
    settings: Settings, data: DataDirectory, clock: Clock, worker: int
) -> AsyncIterator[Leases | None]:
    """This worker's leases, given back in the end; None where nothing is counted with them.

    Raises `Misconfigured` when the counters cannot be used.
    """
    resources = all_resources(settings).values()
    are_shared = settings.server.workers > 1 and any(_has_limited_backends(each) for each in resources)
    if not are_shared and not any(_has_limits(each) for each in resources):
        yield None
        return
    database = await asyncio.to_thread(open_database, data.path / FILE, schema="counters")
    try:
        name = f"{worker}-{os.getpid()}-{secrets.token_hex(4)}"
        store = SqliteCounters(database, clock)
        async with Leases(store, clock, worker=name, workers=settings.server.workers) as leases:
            yield leases
    finally:
        await database.aclose()


def _has_limits(resource: ResourceSettings) -> bool:
    limits = (
        *(each.limits for each in resource.deployments.values()),
        *(each.limits for each in resource.products.values()),
        *(each.limits for each in resource.projects.values()),
    )
    return any(limits)


def _has_limited_backends(resource: ResourceSettings) -> bool:
    return any(place.limits != BackendLimits() for each in resource.deployments.values() for place in each.backends)

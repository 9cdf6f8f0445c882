"""Removes what has expired from the store, in the background: documents of every kind, and jobs with their steps.

Nobody sees it any more anyway: this is for the disk.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.server.stores import Stores

SWEEP_SECONDS: Final = 300.0
"""Between two sweeps."""
TOGETHER: Final = 200
"""Documents, and jobs, that are removed in one transaction, so that nobody waits long for it."""

Sleep = Callable[[float], Awaitable[None]]

_log = logging.getLogger("forehearth.server")


@contextlib.asynccontextmanager
async def swept(stores: Stores, clock: Clock, sleep: Sleep = asyncio.sleep) -> AsyncIterator[None]:
    """From now on to its end, the stores are swept."""
    async with again_and_again(lambda: sweep(stores, clock), "what has expired", sleep):
        yield


@contextlib.asynccontextmanager
async def again_and_again(
    remove: Callable[[], Awaitable[object]], what: str, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[None]:
    """From now on to its end `remove` is called every `SWEEP_SECONDS`; the log is told where `what` could not be."""
    removing = asyncio.create_task(_for_ever(remove, what, sleep))
    try:
        yield
    finally:
        removing.cancel()
        await asyncio.wait([removing])


async def _for_ever(remove: Callable[[], Awaitable[object]], what: str, sleep: Sleep) -> None:
    while True:
        try:
            await remove()
        except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
            told = str(error) if isinstance(error, StoreFailed) else type(error).__name__
            _log.warning("%s could not be removed: %s", what, told)
        await sleep(SWEEP_SECONDS)


async def sweep(stores: Stores, clock: Clock) -> int:
    """Remove all that has expired; how many documents and jobs those were. Raises `StoreFailed`."""
    gone, more = 0, TOGETHER
    while more == TOGETHER:
        more = await stores.documents.remove_expired(clock.unix(), TOGETHER)
        gone += more
    more = TOGETHER
    while more == TOGETHER:
        more = await stores.jobs.remove_expired(TOGETHER)
        gone += more
    return gone

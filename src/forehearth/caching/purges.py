"""Empties caches in every worker: a purge is written down in the store, and each worker sees it there within seconds.

A worker that could not look for so long that a purge may have come and gone empties all of its caches.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from forehearth.caching.caches import Caches, Purge
from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.place import Place
from forehearth.documents.repository import Documents
from forehearth.documents.watch import INTERVAL, SPREAD_SECONDS
from forehearth.ports.documents import DocumentStore

KIND: Final = "cache_purge"
_KEPT_SECONDS: Final = 3_600.0
"""How long a purge stays written down."""
_LONGEST_GAP: Final = _KEPT_SECONDS / 2

_log = logging.getLogger("forehearth.caching")


class Purges:
    """The purges of all workers, as one of them sees them. `others` says whether there are any besides this one."""

    def __init__(
        self, store: DocumentStore, caches: Caches, clock: Clock, *, new_id: Callable[[], str], others: bool
    ) -> None:
        self._store = store
        self._documents = Documents(store, KIND, new_id=new_id, clock=clock)
        self._caches = caches
        self._clock = clock
        self._others = others
        self._version: int | None = None
        self._seen: set[str] = set()
        self._looked = clock.monotonic()

    async def begin(self) -> None:
        """Take what is written down now as over, because nothing is cached yet. Raises `StoreFailed`."""
        await self._read()

    async def purge(self, purge: Purge, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Empty what is meant here, and return when all others have had time to do the same. Raises `StoreFailed`."""
        place = Place(resource=purge.resource)
        expires = self._clock.unix() + _KEPT_SECONDS
        self._seen.add((await self._documents.create(place, msgspec.json.encode(purge), expires=expires)).id)
        self._caches.purge(purge)
        if self._others:
            await sleep(SPREAD_SECONDS)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except StoreFailed:
                _log.debug("purges of caches could not be looked for")
            except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
                _log.error("purges of caches could not be looked for: %s", type(error).__name__)
            await sleep(INTERVAL)

    async def look(self) -> None:
        """Do what others wrote down. Raises `StoreFailed`."""
        gap = self._clock.monotonic() - self._looked
        if gap > _LONGEST_GAP:
            _log.warning("caches are emptied: for %.0f s it could not be seen whether somebody purged them", gap)
            self._caches.clear()
        if await self._store.version(KIND) != self._version:
            await self._read()
        self._looked = self._clock.monotonic()

    async def _read(self) -> None:
        """Do what is written down and was not seen before; the first time, only see it."""
        version = await self._store.version(KIND)
        for document in await self._store.of_all_places(KIND):
            if document.id not in self._seen and self._version is not None:
                self._caches.purge(msgspec.json.decode(document.body, type=Purge))
            self._seen.add(document.id)
        self._version = version

"""Keeps a ring of keys as the store has them: a change reaches it within seconds, whichever process made it.

While the store cannot be read, the keys that were known go on, because calls go on; how long that lasts is told, and
said loudly. Keys that have an end reach it all the same.
"""

import logging
from collections.abc import Awaitable, Callable

from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.identity.key_records import KIND, read
from forehearth.identity.keys import KeyRing
from forehearth.ports.documents import DocumentStore

INTERVAL = 1.0
"""Seconds between two looks."""
STALE = 5.0
"""Seconds without a look after which it is said loudly: revoked keys may still be good here."""
_AGAIN = 60.0

_log = logging.getLogger("forehearth.identity")


class KeyWatch:
    """Looks whether keys changed, and tells the ring. `told` is given the seconds since the last look that worked."""

    def __init__(
        self, store: DocumentStore, ring: KeyRing, clock: Clock, told: Callable[[float], None] = lambda _: None
    ) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._told = told
        self._version: int | None = None
        self._looked = clock.monotonic()
        self._said: float | None = None

    async def refresh(self) -> None:
        """Look now. Raises `StoreFailed`."""
        version = await self._store.version(KIND)
        if version != self._version:
            documents = await self._store.of_all_places(KIND)
            self._ring.replace([each for document in documents if (each := read(document)) is not None])
            self._version = version
        self._looked = self._clock.monotonic()
        if self._said is not None:
            self._said = None
            _log.warning("the keys are read again")

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._look()
            await sleep(INTERVAL)

    async def spread(self, sleep: Callable[[float], Awaitable[None]], *, others: bool) -> None:
        """Return when a change made just now is known here, and where there are other processes, to them as well."""
        await self._look()
        if others:
            await sleep(INTERVAL + INTERVAL / 2)

    async def _look(self) -> None:
        try:
            await self.refresh()
        except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
            self._complain(str(error) if isinstance(error, StoreFailed) else type(error).__name__)
        self._told(self._clock.monotonic() - self._looked)

    def _complain(self, reason: str) -> None:
        now = self._clock.monotonic()
        since = now - self._looked
        if since >= STALE and (self._said is None or now - self._said >= _AGAIN):
            self._said = now
            _log.error(
                "the keys could not be read for %.0f s, the ones known before go on, revoked ones among them: %s",
                since,
                reason,
            )

"""Keeps those who know documents as the store has them: a change reaches them within seconds, whoever made it.

While the store cannot be read, what was known goes on, because calls go on; how long that lasts is told, and said
loudly. What has an end reaches it all the same.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from forehearth.core.clock import Clock
from forehearth.core.document import Document, StoreFailed
from forehearth.ports.documents import DocumentStore

INTERVAL = 1.0
"""Seconds between two looks."""
SPREAD_SECONDS = 1.5 * INTERVAL
"""After so long, everybody has had time to look."""
STALE = 5.0
"""Seconds without a look after which it is said loudly: what was taken away may still be good here."""
_AGAIN = 60.0

_log = logging.getLogger("forehearth.documents")

Learn = Callable[[Sequence[Document]], None]
"""Is told every document of a kind, of all places, whenever one of them changed."""


class Watch:
    """Looks whether documents of some kinds changed, and tells who has to know.

    `followed` has who learns which kind, in the order in which they are looked at. `what` is what they are called in
    the log; `told` is given the seconds since the last look that worked.
    """

    def __init__(
        self,
        store: DocumentStore,
        followed: Mapping[str, Learn],
        clock: Clock,
        *,
        what: str,
        told: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._followed = followed
        self._clock = clock
        self._what = what
        self._told = told
        self._versions: dict[str, int] = {}
        self._looked = clock.monotonic()
        self._said: float | None = None

    async def refresh(self) -> None:
        """Look now. Raises `StoreFailed`."""
        for kind, learn in self._followed.items():
            version = await self._store.version(kind)
            if version != self._versions.get(kind):
                learn(await self._store.of_all_places(kind))
                self._versions[kind] = version
        self._looked = self._clock.monotonic()
        if self._said is not None:
            self._said = None
            _log.warning("%s are read again", self._what)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._look()
            await sleep(INTERVAL)

    async def spread(self, sleep: Callable[[float], Awaitable[None]], *, others: bool) -> None:
        """Return when a change made just now is known here, and where there are other processes, to them as well."""
        await self._look()
        if others:
            await sleep(SPREAD_SECONDS)

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
                "%s could not be read for %.0f s, those known before go on, revoked ones among them: %s",
                self._what,
                since,
                reason,
            )

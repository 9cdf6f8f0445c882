"""The audit log: who did what to which thing, allowed or not. Records are added, and removed only when they are old.

Whoever has something to record does not wait for the store. Records wait here instead, up to a bound, while the store
is slow or away; beyond it they are lost, which is counted and said loudly.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import msgspec

from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.identity.key_text import masked
from forehearth.ports.audit import AuditStore

KEPT_DAYS = 90.0
MOST_WAITING = 10_000
"""Records that wait for the store."""
TOGETHER = 500
"""Records that are written at once."""
PRUNE_SECONDS = 3_600.0
LAST_SECONDS = 5.0
"""How long the end waits for the last records to be written."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0
_DAY = 86_400.0
_LONGEST_TEXT = 512

_log = logging.getLogger("forehearth.audit")

Sleep = Callable[[float], Awaitable[None]]


class Audit:
    """The log, while it is written: an async context manager, which writes what waits before it ends."""

    def __init__(
        self,
        store: AuditStore,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
        kept_days: float = KEPT_DAYS,
        last_seconds: float = LAST_SECONDS,
        lost: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._kept_days = kept_days
        self._last_seconds = last_seconds
        self._told_lost = lost
        self._waiting: deque[AuditRecord] = deque()
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._tasks: list[asyncio.Task[None]] = []
        self.lost = 0
        """Records that were not kept, since the beginning."""

    @property
    def waiting(self) -> int:
        """Records that are not written yet."""
        return len(self._waiting)

    def record(self, record: AuditRecord) -> None:
        """Add a record. What it says is shortened, and has no control characters and no keys in it."""
        if len(self._waiting) >= MOST_WAITING:
            self._lose(1, "too many wait for the store")
            return
        self._waiting.append(_tidy(record))
        self._empty.clear()
        self._news.set()

    async def flush(self, seconds: float = LAST_SECONDS) -> bool:
        """Wait until all that was recorded is written; whether it is, when that time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        return self._empty.is_set()

    async def page(self, query: AuditQuery) -> list[AuditRecord]:
        """Records, newest first. Raises `StoreFailed`."""
        return await self._store.page(query)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._prune())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        written = await self.flush(self._last_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        if not written:
            self._lose(len(self._waiting), "the store could not be written until the end")
            self._waiting.clear()

    async def _write(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await self._news.wait()
            done = await self._keep([self._waiting[index] for index in range(min(TOGETHER, len(self._waiting)))])
            for _ in range(done):
                self._waiting.popleft()
            if not self._waiting:
                self._news.clear()
                self._empty.set()
            if done:
                pause = _FIRST_PAUSE
            else:
                await self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _keep(self, batch: Sequence[AuditRecord]) -> int:
        """Write them; how many are done with. The others have to wait for the store."""
        try:
            await self._store.append(batch)
        except StoreFailed as error:
            _log.error("%d audit records wait: %s", len(self._waiting), error)
            return 0
        except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
            if len(batch) == 1:
                self._lose(1, f"the store does not take one ({type(error).__name__})")
                return 1
        else:
            return len(batch)
        return await self._keep_each(batch)

    async def _keep_each(self, batch: Sequence[AuditRecord]) -> int:
        """The same, one at a time, so that one which cannot be written is in nobody's way."""
        for done, each in enumerate(batch):
            if not await self._keep([each]):
                return done
        return len(batch)

    async def _prune(self) -> None:
        while True:
            try:
                gone = await self._store.prune(self._clock.unix() - self._kept_days * _DAY)
            except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
                _log.warning("old audit records could not be removed: %s", type(error).__name__)
            else:
                if gone:
                    _log.info("%d audit records older than %g days are removed", gone, self._kept_days)
            await self._sleep(PRUNE_SECONDS)

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        self._told_lost(count)
        if self.lost == count or self.lost % 1_000 < count:
            _log.error("audit records are lost, %d until now: %s", self.lost, why)


def _tidy(record: AuditRecord) -> AuditRecord:
    texts = {
        name: "".join(letter if letter.isprintable() else "?" for letter in masked(value)[:_LONGEST_TEXT])
        for name in record.__struct_fields__
        if isinstance(value := getattr(record, name), str)
    }
    return msgspec.structs.replace(record, **texts)

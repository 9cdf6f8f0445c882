"""Takes what stands in journals to the ledger, in batches, and forgets what is kept there.

A record is known by its call: the ledger keeps the first one of an id, so that whatever is folded again after a death
in the middle is there once. A segment is removed when all of it is kept and on the disk. The journal of a worker that
is gone is folded by another one; what was under way there is booked as it was reserved, and flagged.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from forehearth.accounting import segments
from forehearth.accounting.journal import Journal, remove, segment_name, taken_over
from forehearth.accounting.journal import segments as segments_of
from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.ledger import Ending, Intent, LedgerRecord, Outcome, Outcomes, outcome_of
from forehearth.ports.ledger import LedgerStore
from forehearth.ports.ledger_meter import LedgerMeter

FOLD_SECONDS = 0.5
"""How long a record waits in the journal, about."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0

_log = logging.getLogger("forehearth.ledger")
_decoder = msgspec.json.Decoder(Intent | Outcomes | LedgerRecord)
_ending_in = msgspec.json.Decoder(Ending).decode
_INTENT = b'["intent"'

Sleep = Callable[[float], Awaitable[object]]
Booked = Callable[[Intent], LedgerRecord]
"""The record of a call that was under way when its worker ended."""


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """What folding goes from and to."""

    root: Path
    """Where the journals are."""
    store: LedgerStore
    booked: Booked
    meter: LedgerMeter
    clock: Clock

    async def take_over(self, mine: Path | None = None) -> None:
        """Fold the journals whose workers are gone, and remove them. Raises `StoreFailed` or `OSError`."""
        with taken_over(self.root, mine) as folders:
            for folder in folders:
                await self._take_over(folder)

    async def add(self, found: "_Found", under_way: dict[str, Intent] | None = None) -> None:
        """Keep the outcomes of these; in `under_way` are then the intents that have none."""
        if under_way is not None:
            under_way.update((each.id, each) for each in found.intents)
            for outcome in found.outcomes:
                under_way.pop(outcome.id, None)
        if found.outcomes:
            await self._keep(found.outcomes)

    async def _keep(self, outcomes: Sequence[Outcome]) -> None:
        """Keep them; one that the store does not take at all is in no other one's way."""
        try:
            await self.store.add(outcomes)
        except StoreFailed:
            raise
        except Exception as error:  # noqa: BLE001 - a border: what is wrong with a record must not end folding
            if len(outcomes) > 1:
                for each in outcomes:
                    await self._keep([each])
                return
            _log.error("the record of call %s cannot be kept: %s", outcomes[0].id, type(error).__name__)
            self.meter.unwritten("lost")
            return
        for ending, count in Counter(bytes(each.ending) for each in outcomes).items():
            self.meter.folded(_ending_in(ending).flag, count)

    async def _take_over(self, folder: Path) -> None:
        under_way: dict[str, Intent] = {}
        for path in segments_of(folder):
            start, end = -1, 0
            while end > start:
                start = end
                found = await asyncio.to_thread(_read, path, start, over=True)
                await self.add(found, under_way)
                end = found.end
        if under_way:
            await self._keep([outcome_of(self.booked(each)) for each in under_way.values()])
            _log.warning("%d calls were under way when their worker ended: booked as reserved", len(under_way))
        await self.forget(remove, folder)

    async def forget(self, remove_it: Callable[[Path], None], path: Path) -> None:
        """Remove a segment or a journal of which all is folded, once that is on the disk. Raises as `take_over`."""
        await self.store.flush()
        await asyncio.to_thread(remove_it, path)


class Folding:
    """What folds one worker's journal as it grows, and those that others left behind."""

    def __init__(self, journal: Journal, fold: Fold) -> None:
        self._journal = journal
        self._fold = fold
        self._segment = 1
        self._offset = 0
        self._turn = asyncio.Lock()

    async def run(self, sleep: Sleep) -> None:
        """First what others left behind, then again and again what is new."""
        clock = self._fold.clock
        well, pause, others = clock.monotonic(), _FIRST_PAUSE, True
        while True:
            try:
                if others:
                    await self._fold.take_over(self._journal.folder)
                    others = False
                await self.fold()
            except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
                words = str(error) if isinstance(error, StoreFailed | OSError) else type(error).__name__
                _log.error("calls wait in the journal: %s", words)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                well, pause = clock.monotonic(), FOLD_SECONDS
            self._fold.meter.behind(clock.monotonic() - well)
            await sleep(pause)

    async def fold(self) -> None:
        """Take everything that is written until now to the ledger. Raises `StoreFailed` or `OSError`."""
        self._journal.pay()
        async with self._turn:
            while await self._fold_some():
                pass

    async def finish(self) -> None:
        """Fold what is there, and remove the journal where nothing is left of it. It is closed by then."""
        await self.fold()
        if not self._journal.under_way and not self._journal.owed:
            await self._fold.forget(remove, self._journal.folder)

    async def _fold_some(self) -> bool:
        """Whether there is more."""
        over = self._segment < self._journal.segment
        if not over and self._offset >= self._journal.size:
            return False
        path = self._journal.folder / segment_name(self._segment)
        found = await asyncio.to_thread(_read, path, self._offset, over=over, but=_INTENT)
        if found.end > self._offset:
            await self._fold.add(found)
            self._offset = found.end
            return True
        if over:
            await self._fold.forget(Path.unlink, path)
            self._segment, self._offset = self._segment + 1, 0
        return over


class _Found(NamedTuple):
    """What is in a part of a segment, each in its order."""

    intents: list[Intent]
    outcomes: list[Outcome]
    end: int
    """Where the next ones are looked for."""


def _read(path: Path, start: int, *, over: bool, but: bytes | None = None) -> _Found:
    """The records of a part of a segment, in a thread; see `segments.read`."""
    batch = segments.read(path, start, over=over, but=but)
    found = _Found([], [], batch.end)
    damaged = batch.damaged
    for payload in batch.payloads:
        try:
            record = _decoder.decode(payload)
        except msgspec.DecodeError:
            damaged += 1
            continue
        if isinstance(record, Outcomes):
            found.outcomes.extend(record.calls)
        elif isinstance(record, Intent):
            found.intents.append(record)
        else:
            found.outcomes.append(outcome_of(record))
    if damaged:
        _log.error("%d records of the journal %s cannot be read and are passed over", damaged, path)
    return found

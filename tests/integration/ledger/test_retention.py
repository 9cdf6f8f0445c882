"""What a server does with its ledger by itself: it forgets how calls came about, then the calls; and how it stops."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from forehearth.accounting.folding import Folding
from forehearth.accounting.journal import taken_over
from forehearth.core.errors import NotFound
from forehearth.core.ledger import NOTHING
from forehearth.core.ledger_settings import LedgerSettings
from forehearth.server.ledger import FILE, FOLDER, PRUNE_SECONDS, opened_ledger
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from forehearth.telemetry.cells import Cells
from forehearth.telemetry.metrics import Metrics
from forehearth.testing.clock import VirtualClock
from tests.unit.accounting.books import outcomes, record

DAY = 86_400.0
PATIENCE = 20.0


async def written(folder: Path, at: float) -> None:
    database = open_database(folder / FILE, schema="ledger")
    await SqliteLedger(database).add(outcomes(record("call", at=at)))
    await database.aclose()


def context_of(folder: Path, **settings: Any) -> Any:
    return SimpleNamespace(
        settings=SimpleNamespace(ledger=LedgerSettings(**settings)),
        data=SimpleNamespace(path=folder),
        index=0,
        metrics=Metrics(Cells()),
    )


async def test_while_a_worker_folds_its_own_journal_for_the_last_time_no_other_does(tmp_path: Path, monkeypatch):
    """Both would count its calls."""
    finish, left = Folding.finish, []

    async def watched(folding: Folding) -> None:
        with taken_over(tmp_path / FOLDER) as folders:
            left.append(list(folders))
        await finish(folding)

    monkeypatch.setattr(Folding, "finish", watched)
    clock = VirtualClock()
    async with opened_ledger(context_of(tmp_path), clock, clock.sleep):
        pass
    assert left == [[]]
    assert list((tmp_path / FOLDER).iterdir()) == []


async def test_explanations_and_calls_are_kept_for_as_long_as_is_configured(tmp_path: Path):
    clock = VirtualClock()
    made = clock.monotonic()
    await written(tmp_path, clock.unix())
    context = context_of(tmp_path, kept_days=4, explained_days=2)

    async def state(office: Any) -> str:
        try:
            found = await office.record("here", "call")
        except NotFound:
            return "gone"
        return "forgotten how" if found.detail == NOTHING else "explained"

    async def becomes(office: Any, wanted: str) -> None:
        """Folding and pruning go through threads, which the clock does not see."""
        async with asyncio.timeout(PATIENCE):
            while await state(office) != wanted:
                await clock.advance(1)

    async with opened_ledger(context, clock, clock.sleep) as ledger:
        office = ledger.office
        await becomes(office, "explained")
        for days, wanted in ((2, "forgotten how"), (4, "gone")):
            before = await state(office)
            # In one step: the loops would wake for each second.
            clock._monotonic = made + days * DAY - 2 * PRUNE_SECONDS
            await clock.advance(1)
            assert await state(office) == before
            await clock.advance(4 * PRUNE_SECONDS)
            await becomes(office, wanted)

"""`kill -9` at any moment of writing, rotating, folding and taking over: no call is lost, and none is there twice."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from forehearth.core.ledger import LedgerRecord
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from tests.conftest import ROOT
from tests.integration.ledger.mortal import UNDER_WAY, fold_of
from tests.unit.accounting.books import everything

DEATHS = 30
"""In the long tier it is 500."""


async def test_after_many_deaths_every_call_is_in_the_ledger_once(tmp_path: Path):
    await die(tmp_path, DEATHS)


ENOUGH_TO_COUNT_ON_CHANCE = 200
"""Where a worker is when it dies is chance: of so many deaths, each kind has its share on any machine."""


async def die(folder: Path, deaths: int) -> None:
    """Have so many workers killed in a folder, and see what is in the ledger then."""
    mortal = [sys.executable, "-m", "tests.integration.ledger.mortal", str(folder), str(deaths), "7"]
    done = await asyncio.to_thread(subprocess.run, mortal, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
    died = json.loads(done.stdout)
    if deaths >= ENOUGH_TO_COUNT_ON_CHANCE:
        assert died["taking_over"] > deaths / 20, "hardly a worker died while it took over from another"
        assert died["removed"] > deaths, "hardly a worker lived to see its own segments folded"

    database = open_database(folder / "ledger.db", schema="ledger")
    store = SqliteLedger(database)
    await fold_of(folder, store).take_over()
    found = {each.id: each for each in await everything(store)}
    await database.aclose()
    assert list((folder / "journal").iterdir()) == []

    before, began, ended = (_lines(folder / name) for name in ("before", "began", "ended"))
    assert len(ended) > 20 * deaths
    assert began <= found.keys() <= before
    assert {found[each].flag for each in ended} == {""}
    flagged = {name for name, each in found.items() if each.flag == "crashed"}
    assert len(flagged) <= UNDER_WAY * deaths
    assert flagged.isdisjoint(ended)
    _assert_figures(found, flagged)


def _assert_figures(found: dict[str, LedgerRecord], flagged: set[str]) -> None:
    """A settled call has its own tokens, a flagged one what was reserved for it."""
    for name, each in found.items():
        assert (each.prompt, each.completion) == ((300, 1_000) if name in flagged else (12, 30)), name


def _lines(path: Path) -> set[str]:
    lines = path.read_text().splitlines()
    assert len(lines) == len(set(lines))
    return set(lines)

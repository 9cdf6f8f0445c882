"""Each row lands once: through deaths at any moment, and with two runs at once. `make soak` has many more of them."""

import shutil
from pathlib import Path

from forehearth.testing.upstream import Upstream
from tests.integration.enrichment.jobs import job, landed, respond, run, tickets
from tests.integration.enrichment.killing import CONCURRENCY, at_once, killed, require_once


async def test_rows_land_once_through_deaths(tmp_path: Path) -> None:
    figures = await killed(tmp_path, rows=200, kills=1, seed=3)
    require_once(figures)
    assert figures.kills == 1
    # What was under way, and what was not yet kept.
    assert figures.asked - figures.prompts <= figures.kills * (CONCURRENCY + 2 * 32)


async def test_two_runs_at_once_land_each_row_once(tmp_path: Path) -> None:
    require_once(await at_once(tmp_path, rows=200, seed=4))


async def test_what_died_between_the_two_tables_is_made_good(tmp_path: Path) -> None:
    tickets(tmp_path, 120, bad=(5, 110, 111))
    async with Upstream(respond=respond) as host:
        path = job(tmp_path, host)
        await run(path)
        # As if the run had died after the last chunk's commit and before its rows were put aside.
        shutil.rmtree(tmp_path / "out__quarantine")
        host._respond = None  # the host would now answer the rows that failed
        await run(path)
    assert landed(tmp_path, "out__quarantine").column("id").to_pylist() == [110, 111]
    assert landed(tmp_path).num_rows == 117

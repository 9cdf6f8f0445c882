"""Runs of enrichment killed over and over, and two at once: `tests/integration/enrichment/test_once.py`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.enrichment.killing import CONCURRENCY, Figures, at_once, killed, require_once
from tests.soak.length import part

KILLS = 24
ROWS = 40_000


def told(figures: Figures, record_property: Callable[[str, object], None]) -> None:
    for name, value in {
        "rows": figures.rows,
        "killed at work": figures.kills,
        "landed, each once": figures.landed.total(),
        "put aside, each once": figures.aside.total(),
        "prompts paid again": f"{figures.asked - figures.prompts} ({figures.repaid:.2%})",
    }.items():
        record_property(name, value)
        print(f"{name}: {value}")  # noqa: T201 - the figures are what the test is for


@pytest.mark.parametrize("members", [{}, {"mode": "merge", "key": ["id"]}], ids=["append", "merge"])
async def test_rows_land_once_through_many_deaths(
    tmp_path: Path, members: dict[str, object], record_property: Callable[[str, object], None]
) -> None:
    kills = part(KILLS, least=20)
    figures = await killed(tmp_path, ROWS, kills, 11, **members)
    told(figures, record_property)
    require_once(figures)
    assert figures.kills >= kills * 0.9
    assert figures.repaid <= 0.01 + kills * CONCURRENCY / ROWS


async def test_two_runs_at_once_land_each_row_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    figures = await at_once(tmp_path, part(10_000, least=2_000), 12)
    told(figures, record_property)
    require_once(figures)

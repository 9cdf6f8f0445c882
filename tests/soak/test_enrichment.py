"""Runs of enrichment killed over and over, and two at once: `tests/integration/enrichment/test_once.py`.

They are those of tables, of a topic, and into storages that are not this machine's.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.enrichment.killing import CONCURRENCY, Figures, at_once, killed, require_once
from tests.integration.enrichment.storages import onelake, s3
from tests.integration.enrichment.topics import Brokers
from tests.soak.length import part

KILLS = 24
ROWS = 40_000
STORED = 20_000
"""Rows into a storage, each commit of which is some ten calls."""
STORAGES = {"s3": s3, "onelake": onelake}
Storage = Callable[[Path], AbstractContextManager[dict[str, Any]]]
AT_ONCE = 0.25
"""The share of prompts that two runs at once may pay twice: one of them lets the other go first."""


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
    figures = await at_once(tmp_path, part(40_000, least=20_000), 12)
    told(figures, record_property)
    require_once(figures)
    assert figures.repaid <= AT_ONCE


async def test_messages_land_once_through_many_deaths(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    kills, topic = part(KILLS, least=20), Brokers()
    topic.put(range(ROWS))
    figures = await killed(tmp_path, ROWS, kills, 13, source=topic.source())
    told(figures, record_property)
    require_once(figures)
    assert figures.kills >= kills * 0.9
    assert figures.repaid <= 0.01 + kills * CONCURRENCY / ROWS


async def test_two_followers_at_once_land_each_message_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    rows, topic = part(40_000, least=20_000), Brokers()
    topic.put(range(rows))
    figures = await at_once(tmp_path, rows, 14, source=topic.source())
    told(figures, record_property)
    require_once(figures)
    assert figures.repaid <= AT_ONCE


@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
async def test_rows_land_once_in_a_storage(
    tmp_path: Path, storage: Storage, record_property: Callable[[str, object], None]
) -> None:
    for name in ("killed", "at-once"):
        (tmp_path / name).mkdir()
    kills = part(KILLS, least=20)
    with storage(tmp_path) as sink:
        figures = await killed(tmp_path / "killed", STORED, kills, 15, sink=sink)
        told(figures, record_property)
        require_once(figures)
        assert figures.kills >= kills * 0.9
        assert figures.repaid <= 0.01 + kills * CONCURRENCY / STORED
        other = sink | {"path": f"{sink['path']}-of-two"}
        figures = await at_once(tmp_path / "at-once", part(12_000, least=1_000), 16, sink=other)
        told(figures, record_property)
        require_once(figures)

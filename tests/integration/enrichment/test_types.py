"""Values as they were: what columns of every type are in the sink, and which are refused before anybody is asked."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import DeltaTable

from forehearth.core.errors import Misconfigured
from forehearth.testing.upstream import Upstream
from tests.integration.enrichment.jobs import job, landed, respond, run

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
async def host() -> AsyncIterator[Upstream]:
    async with Upstream(respond=respond) as upstream:
        yield upstream


def parquet_of(folder: Path, **columns: Any) -> dict[str, str]:
    """A file with a row, with these columns besides those of each job; and how a job names it."""
    table = pa.table({"id": [1], "text": ["good"], **columns})
    pyarrow.parquet.write_table(table, folder / "rows.parquet")
    return {"format": "parquet", "path": "rows.parquet"}


async def test_times_of_csv_land_as_they_are_written(tmp_path: Path, host: Upstream) -> None:
    (tmp_path / "tickets.csv").write_text(
        "id,text,opened,zoned,exact,at\n"
        "1,good,2026-11-27 12:00:00,2026-11-27T12:00:00Z,2026-11-27 12:00:00.5,10:30:00\n"
    )
    done = await run(job(tmp_path, host))
    assert done.status == "completed", done.reason
    row = landed(tmp_path).to_pylist()[0]
    bare = NOON.replace(tzinfo=None)
    assert (row["opened"], row["zoned"], row["at"]) == (bare, NOON, "10:30:00")
    assert row["exact"] == bare + timedelta(seconds=0.5)


KINDS = [
    (pa.array([2**64 - 1], pa.uint64()), Decimal(2**64 - 1)),
    (pa.array([255], pa.uint8()), 255),
    (pa.array([2**16 - 1], pa.uint16()), 2**16 - 1),
    (pa.array([2**32 - 1], pa.uint32()), 2**32 - 1),
    (pa.array([np.float16(0.5)], pa.float16()), 0.5),
    (pa.array([1795780800_000000001], pa.timestamp("ns")), datetime(2026, 11, 27, 12)),  # noqa: DTZ001 - it has none
    (pa.array([NOON.astimezone(ZoneInfo("Europe/Berlin"))], pa.timestamp("us", tz="Europe/Berlin")), NOON),
    (pa.array([NOON], pa.timestamp("ns", tz="UTC")), NOON),
    (pa.array([[NOON]], pa.list_(pa.timestamp("ms", tz="+02:00"))), [NOON]),
    (pa.array([{"at": time(1, 2, 3), "n": None}], pa.struct([("at", pa.time64("us")), ("n", pa.null())])),
     {"at": "01:02:03.000000", "n": None}),
    (pa.array([[("a", 2**32 - 1)]], pa.map_(pa.string(), pa.uint32())), [("a", 2**32 - 1)]),
    (pa.array(["a"]).dictionary_encode(), "a"),
    (pa.array([Decimal("0.10")]), Decimal("0.10")),
    (pa.array([date(2026, 11, 27)], pa.date64()), date(2026, 11, 27)),
    (pa.array([-(2**63)]), -(2**63)),
    (pa.array([None], pa.float64()), None),
    (pa.array([b"\xff\x00"], pa.large_binary()), b"\xff\x00"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value"), KINDS, ids=[str(column.type) for column, _ in KINDS])
async def test_a_value_is_the_same_in_a_delta_table(tmp_path: Path, host: Upstream, column: Any, value: Any) -> None:
    done = await run(job(tmp_path, host, source=parquet_of(tmp_path, kept=column)))
    assert done.status == "completed", done.reason
    assert landed(tmp_path)["kept"].to_pylist() == [value]


@pytest.mark.parametrize("number", [2**64, -(10**38) + 1])
async def test_a_whole_number_of_json_lines_keeps_all_its_digits(tmp_path: Path, host: Upstream, number: int) -> None:
    (tmp_path / "rows.jsonl").write_text(f'{{"id": 1, "text": "good", "kept": {number}}}\n')
    done = await run(job(tmp_path, host, source={"format": "jsonl", "path": "rows.jsonl"}, prompt="{kept}"))
    assert done.status == "completed", done.reason
    assert landed(tmp_path)["kept"].to_pylist() == [number]
    assert landed(tmp_path)["word"].to_pylist() == [str(number)]


async def test_one_with_more_digits_than_a_delta_table_has_lands_in_parquet_alone(
    tmp_path: Path, host: Upstream
) -> None:
    (tmp_path / "rows.jsonl").write_text(f'{{"text": "good", "kept": {10**38}}}\n')
    source = {"format": "jsonl", "path": "rows.jsonl"}
    with pytest.raises(Misconfigured, match=r"no type for the column 'kept', .* or write format: parquet"):
        await run(job(tmp_path, host, source=source))
    assert not host.requests
    done = await run(job(tmp_path, host, source=source, sink={"format": "parquet", "path": "out"}))
    assert done.status == "completed", done.reason
    assert pyarrow.parquet.read_table(tmp_path / "out")["kept"].to_pylist() == [Decimal(10**38)]


async def test_what_is_no_number_stays_none_and_is_no_gap(tmp_path: Path, host: Upstream) -> None:
    await run(job(tmp_path, host, source=parquet_of(tmp_path, kept=pa.array([float("nan")]))))
    kept = landed(tmp_path)["kept"]
    assert kept.null_count == 0
    assert np.isnan(kept[0].as_py())


@pytest.mark.parametrize(
    "column", [pa.array([timedelta(1)]), pa.array([[Decimal(10) ** 50]], pa.list_(pa.decimal256(60)))]
)
async def test_what_a_delta_table_cannot_have_is_refused_before_anybody_is_asked(
    tmp_path: Path, host: Upstream, column: Any
) -> None:
    with pytest.raises(Misconfigured, match="a Delta table has no type for the column 'kept'"):
        await run(job(tmp_path, host, source=parquet_of(tmp_path, kept=column)))
    assert not host.requests
    assert not (tmp_path / "out").exists()


async def test_names_that_a_delta_table_holds_to_be_the_same_are_refused(tmp_path: Path, host: Upstream) -> None:
    (tmp_path / "tickets.csv").write_text("id,text,Id\n1,good,2\n")
    with pytest.raises(Misconfigured, match="'id' and 'Id'"):
        await run(job(tmp_path, host))
    assert not host.requests


async def test_a_table_of_another_time_keeps_its_types(tmp_path: Path, host: Upstream) -> None:
    source = parquet_of(tmp_path, kept=pa.array([7], pa.uint64()))
    await run(job(tmp_path, host, source=source))
    (tmp_path / "rows.parquet").unlink()
    await run(job(tmp_path, host, source=parquet_of(tmp_path, kept=pa.array([8], pa.int64()))))
    assert sorted(DeltaTable(tmp_path / "out").to_pyarrow_table()["kept"].to_pylist()) == [7, 8]


@pytest.mark.parametrize("on_error", ["quarantine", "keep"])
async def test_a_source_with_columns_of_the_quarantine_is_refused_where_they_would_meet(
    tmp_path: Path, host: Upstream, on_error: str
) -> None:
    source = parquet_of(tmp_path, _run_id=pa.array(["of before"]))
    path = job(tmp_path, host, source=source, on_error=on_error, columns=["model"])
    if on_error == "keep":
        assert (await run(path)).status == "completed"
        assert landed(tmp_path)["_run_id"].to_pylist() == ["of before"]
        return
    with pytest.raises(Misconfigured, match="has a column '_run_id', which the quarantine needs"):
        await run(path)
    assert not host.requests

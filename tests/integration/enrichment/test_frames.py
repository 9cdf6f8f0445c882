"""Enrichment from Python: frames of several libraries, within a notebook's loop and without one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from forehearth import enrich
from forehearth.config.problems import ConfigError
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.budget import LimitReached
from tests.integration.enrichment.jobs import SCHEMA, landed

HOST = {
    "provider": "scripted",
    "rules": [
        {"when": {"contains": "bad"}, "status": 400, "error": {"code": "odd"}},
        {"json": {"length": 3, "word": "abc"}},
    ],
}
QUESTION = {"prompt": "{text}", "schema": SCHEMA, "deployment": {"name": "m", "backend": HOST}}
ROWS = {"id": [1, 2, 3], "text": ["one", None, "bad"]}

FRAMES = {
    "pyarrow": pa.table(ROWS),
    "batch": pa.RecordBatch.from_pydict(ROWS),
    "reader": pa.table(ROWS).to_reader(),
    "polars": pl.DataFrame(ROWS),
}


@pytest.fixture(params=FRAMES)
def frame(request: pytest.FixtureRequest) -> Iterator[object]:
    return FRAMES[request.param]


def test_a_frame_gets_columns(frame: object) -> None:
    found = enrich.table(frame, **QUESTION, columns=["model"], chunk_rows=2)
    assert found.schema.names == ["id", "text", "length", "word", "_model", "_error"]
    assert found.column("length").to_pylist() == [3, None, None]
    assert [each and each["code"] for each in found.column("_error").to_pylist()] == [None, None, "odd"]


def test_a_limit_in_money_holds_for_a_frame() -> None:
    prices = {"input": "1000000", "output": "1000000", "per": 1_000}
    with pytest.raises(LimitReached, match="usd"):
        enrich.table(FRAMES["pyarrow"], **QUESTION, prices=prices, limits={"usd": "1"})


async def test_within_a_loop_that_runs_already(tmp_path: Path) -> None:
    assert asyncio.get_running_loop()
    assert enrich.table(FRAMES["polars"], **QUESTION).num_rows == 3


def test_a_job_of_a_frame_lands_once(tmp_path: Path) -> None:
    sink = {"format": "delta", "path": "out"}
    job = enrich.job("triage", pl.DataFrame(ROWS), folder=tmp_path, **QUESTION, sink=sink)
    assert enrich.plan(job, sample=0).prompts == 2
    first = enrich.run(job)
    assert (first.status, first.done, first.failed) == ("completed", 3, 1)
    again = enrich.run(enrich.job("triage", pl.DataFrame(ROWS), folder=tmp_path, **QUESTION, sink=sink))
    assert (again.id, landed(tmp_path).num_rows) == (first.id, 2)


def test_what_is_wrong_is_told_by_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="promt: unknown key 'promt'"):
        enrich.job("triage", pl.DataFrame(ROWS), folder=tmp_path, promt="x", **QUESTION)
    with pytest.raises(Misconfigured, match="a list is no frame of Arrow"):
        enrich.table([1, 2], **QUESTION)
    with pytest.raises(Misconfigured, match="no column 'text'"):
        enrich.table(pa.table({"id": [1]}), **QUESTION)

"""Functions in job files, against a host that answers by script: what lands, in which columns, what it costs."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import DeltaTable

from forehearth import enrich
from forehearth.cli.main import run as command
from forehearth.core.errors import Misconfigured
from forehearth.enrich.following import Follower
from forehearth.enrichment import report
from forehearth.transport.scripted.embedding import direction
from tests.integration.enrichment.jobs import job, landed, run

TEXTS = ["A lamp for 12.50", "nothing", "A lamp for 12.50", None, "filtered words"]
EMBED = {"name": "embed", "column": "text"}


def host(**answer: Any) -> dict[str, Any]:
    """Who is asked: about lamps it gives this answer, about anything else its members without values."""
    filtered = {"when": {"contains": "filtered"}, "status": 400, "error": {"code": "content_filter"}}
    rules = [filtered, {"when": {"contains": "lamp"}, "json": answer}, {"json": dict.fromkeys(answer)}]
    return {"name": "m", "backend": {"provider": "scripted", "dimensions": 4, "rules": rules}}


def wanted(folder: Path, function: dict[str, Any], **members: Any) -> Path:
    """A job with a function."""
    pyarrow.parquet.write_table(pa.table({"id": list(range(len(TEXTS))), "text": TEXTS}), folder / "in.parquet")
    source = {"format": "parquet", "path": "in.parquet"}
    chosen = {"source": source, "deployment": host(), "columns": [], "chunk_rows": 2} | members
    return job(folder, prompt=None, schema=None, function=function, **chosen)


def vector(text: str) -> list[float]:
    """What the host makes of a text."""
    return list(struct.unpack("<4f", direction(text, 4)))


@pytest.mark.parametrize("output", [None, "vector"])
async def test_vectors_land_as_lists_of_singles(tmp_path: Path, output: str | None) -> None:
    path = wanted(tmp_path, EMBED, output=output, columns=["model", "usage"])
    ended = await run(path)
    assert (ended.status, ended.done, ended.failed, ended.errors) == ("completed", 5, 1, {"content_filter": 1})
    assert (ended.spent.requests, ended.spent.completion_tokens) == (3, 0)
    table, name = landed(tmp_path), output or "embedding"
    assert table.schema.field(name).type == pa.list_(pa.field("element", pa.float32()))
    assert table.column("id").to_pylist() == [0, 1, 2, 3]
    assert table.column(name).to_pylist() == [vector(TEXTS[0]), vector("nothing"), vector(TEXTS[0]), None]
    assert table.column("_usage")[0].as_py()["prompt_tokens"] > 0
    assert (await run(path)).id == ended.id
    failed = DeltaTable(str(tmp_path / "out__quarantine")).to_pyarrow_table()
    assert failed.column("id").to_pylist() == [4]
    rows = await enrich.work.landed(enrich.load(path), ended)
    assert "A lamp for 12.50" in report.page(ended, rows)


async def test_vectors_land_in_parquet_too(tmp_path: Path) -> None:
    await run(wanted(tmp_path, EMBED, sink={"format": "parquet", "path": "out"}))
    found = pl.read_parquet(tmp_path / "out" / "*.parquet").sort("id")
    assert found.schema["embedding"] == pl.List(pl.Float32)
    assert found["embedding"].to_list()[:2] == [vector(TEXTS[0]), vector("nothing")]


async def test_what_vectors_cost_is_planned_and_held_to(tmp_path: Path) -> None:
    path = wanted(tmp_path, EMBED, prices={"input": 1}, limits={"usd": 5})
    file = enrich.load(path)
    folder = enrich.state_folder(file, None)
    blind = await enrich.foresee(file, folder, sample=0)
    assert (blind.rows, blind.empty, blind.prompts, blind.requests) == (5, 1, 3, 3)
    assert (blind.completion_tokens.low, blind.completion_tokens.high) == (0, 0)
    seen = await enrich.foresee(file, folder, sample=1)
    assert (seen.sampled, seen.completion_tokens.high, len(seen.results)) == (1, 0, 1)
    assert seen.cost is not None
    ended = await run(path)
    assert ended.spent.cost > 0
    assert ended.spent.requests == 3
    again = await run(wanted(tmp_path, EMBED, limits={"tokens": 5}, sink={"format": "delta", "path": "b"}, name="b"))
    assert (again.status, again.limit) == ("incomplete", "tokens")


FUNCTIONS: list[tuple[dict[str, Any], dict[str, Any], dict[str, list[Any]]]] = [
    (
        {"name": "classify", "labels": ["light", "chair"]},
        {"category": "light"},
        {"category": ["light", None, "light", None]},
    ),
    ({"name": "analyze_sentiment"}, {"sentiment": "mixed"}, {"sentiment": ["mixed", None, "mixed", None]}),
    (
        {"name": "extract", "labels": ["kind", {"label": "price", "type": "number", "max_items": 1}]},
        {"kind": ["lamp"], "price": 12.5},
        {"kind": [["lamp"], None, ["lamp"], None], "price": [12.5, None, 12.5, None]},
    ),
]


@pytest.mark.parametrize(("function", "answer", "lands"), FUNCTIONS, ids=[each[0]["name"] for each in FUNCTIONS])
async def test_answers_land_in_columns_of_their_types(
    tmp_path: Path, function: dict[str, Any], answer: dict[str, Any], lands: dict[str, list[Any]]
) -> None:
    deployment = host(**answer)
    if "kind" in answer:
        deployment["backend"]["rules"][-1] = {"json": {"kind": [], "price": None}}
    ended = await run(wanted(tmp_path, function | {"column": "text"}, deployment=deployment))
    assert (ended.status, ended.failed, ended.errors) == ("completed", 1, {"content_filter": 1})
    table = landed(tmp_path)
    assert table.schema.names == ["id", "text", *lands]
    assert {name: table.column(name).to_pylist() for name in lands} == lands


async def test_lineage_says_of_which_column_a_vector_is(tmp_path: Path) -> None:
    await run(wanted(tmp_path, EMBED, lineage={"path": "events.jsonl"}, private=["text"]))
    event = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    fields = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert [each["field"] for each in fields["embedding"]["inputFields"]] == ["text"]
    assert {"name": "embedding", "type": "list<item: float>"} in event["outputs"][0]["facets"]["schema"]["fields"]


async def test_vectors_of_what_comes_in(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = {"format": "csv", "path": "in"}
    file = enrich.load(wanted(tmp_path, EMBED, source=source))
    for day in range(2):
        incoming = tmp_path / "in" / f"{day}.csv"
        incoming.write_text(f"id,text\n{day},a lamp of day {day}\n")
        os.utime(incoming, (1_700_000_000 + day, 1_700_000_000 + day))
        assert await Follower(file, enrich.state_folder(file, None)).follow(None) is None
    assert landed(tmp_path).column("embedding").to_pylist() == [vector(f"a lamp of day {day}") for day in range(2)]


def test_functions_from_python(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": TEXTS})
    found = enrich.table(frame, function=EMBED, deployment=host(), columns=[])
    assert found.schema.names == ["text", "embedding", "_error"]
    assert found.column("embedding").to_pylist() == [vector(TEXTS[0]), vector("nothing"), vector(TEXTS[0]), None, None]
    deployment = host(category="light")
    topics = {"name": "classify", "column": "text", "labels": ["light"]}
    sink = {"format": "delta", "path": "topics"}
    made = enrich.job("t", frame, folder=tmp_path, function=topics, output="topic", deployment=deployment, sink=sink)
    assert enrich.plan(made, sample=0).prompts == 3
    assert enrich.run(made).done == 5
    assert pl.read_delta(str(tmp_path / "topics"))["topic"].to_list() == ["light", None, "light", None]


def test_columns_that_are_not_there_or_are_there_already(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"function\.column: the source has no column 'texts'; it has id, text"):
        enrich.run(wanted(tmp_path, EMBED | {"column": "texts"}))
    with pytest.raises(Misconfigured, match="the source has a column 'id' already: name the answer's otherwise"):
        enrich.run(wanted(tmp_path, EMBED, output="id"))


def test_the_commands_show_vectors_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(wanted(tmp_path, EMBED))
    assert command(["enrich", "plan", path, "--sample", "2"]) == 0
    shown = capsys.readouterr().out
    assert "EMBEDDING" in shown
    assert max(map(len, shown.splitlines())) < 200
    assert command(["enrich", "plan", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["embedding"] is not None
    assert command(["enrich", "run", path]) == 0
    assert "rows      5 of 5 landed, 1 of them failed" in capsys.readouterr().out

"""Whole runs of jobs: a table in, a table out, and what they leave behind."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet
import pytest
from deltalake import DeltaTable, write_deltalake

from forehearth import enrich
from forehearth.cli.main import run as command
from forehearth.cli.output import Exit
from forehearth.core.errors import Misconfigured
from forehearth.core.money import UNIT
from forehearth.enrichment import job_state
from forehearth.enrichment.run_record import Run
from forehearth.enrichment.sink import SinkFailed
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM, ForehearthServer
from tests.integration.enrichment.jobs import job, landed, respond, run, tickets
from tests.postgres_server import PostgresServer

CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: refund}
        json: {length: 6, word: refund}
      - when: {contains: bad}
        status: 400
        error: {code: content_filter, message: The prompt was filtered.}
      - json: {length: 1, word: other}
deployments:
  chat: {backends: [{backend: script}]}
"""


@pytest.fixture
async def host() -> AsyncIterator[Upstream]:
    async with Upstream(respond=respond) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth) -> Iterator[ForehearthServer]:
    return start_module_forehearth(CONFIG)


def test_a_job_asks_the_server_that_runs_here(server: ForehearthServer, tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text(
        'id,text\n1,a refund please\n2,"hello, you"\n3,bad words\n4,a refund please\n'
    )
    path = job(tmp_path, prices={"input": 1, "output": 2})
    environment = {"XDG_DATA_HOME": str(server.data_dir.parent), "HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [PROGRAM, "enrich", "run", path, "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["status"], found["done"], found["failed"], found["reused"]) == ("completed", 4, 1, 1)
    assert found["spent"]["requests"] == 3
    assert float(found["spent"]["usd"]) > 0
    rows = landed(tmp_path)
    assert rows.column("word").to_pylist() == ["refund", "other", "refund"]
    assert rows.column("_source_version")[0].as_py().startswith("sha256:")
    failed = landed(tmp_path, "out__quarantine")
    assert failed.select(["id", "_error_code"]).to_pylist() == [{"id": 3, "_error_code": "content_filter"}]


async def test_files_of_parquet_are_written_once(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 250, bad=(3, 249))
    path = job(tmp_path, host, sink={"format": "parquet", "path": "out"})
    first = await run(path)
    files = sorted((tmp_path / "out").iterdir())
    assert [each.name for each in files] == [f"part-{first.fingerprint}-{number:08}.parquet" for number in (1, 2, 3)]
    assert pyarrow.parquet.read_table(tmp_path / "out").num_rows == 248
    files[2].unlink()
    aside = sorted((tmp_path / "out__quarantine").iterdir())
    aside[1].unlink()
    assert (await run(path)).done == 250
    assert sorted((tmp_path / "out").iterdir()) == files
    assert pyarrow.parquet.read_table(tmp_path / "out__quarantine").column("id").to_pylist() == [3, 249]
    assert len(host.requests) == 251  # the row that has no answer was asked again


async def test_each_chunk_is_a_commit_and_nothing_lands_twice(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 450, bad=(7, 130), distinct=400)
    path = job(tmp_path, host)
    first = await run(path)
    assert (first.status, first.done, first.failed, first.chunks) == ("completed", 450, 2, 5)
    assert len(host.requests) == 401
    assert landed(tmp_path).column("id").to_pylist() == [n for n in range(450) if n not in (7, 130)]
    commits = DeltaTable(str(tmp_path / "out")).history()
    assert [each.get("forehearth.chunk") for each in commits] == ["5", "4", "3", "2", "1", None]
    assert {each.get("forehearth.run") for each in commits[:-1]} == {first.id}
    again = await run(path)
    assert (again.id, again.done, again.chunks, len(host.requests)) == (first.id, 450, 5, 401)
    assert landed(tmp_path).num_rows == 448


async def test_other_results_are_another_run_over_the_same_answers(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 20)
    first = await run(job(tmp_path, host))
    second = await run(job(tmp_path, host, columns=["model"], sink={"format": "delta", "path": "other"}))
    assert first.fingerprint != second.fingerprint
    assert (len(host.requests), second.reused) == (20, 20)
    await run(job(tmp_path, host, prompt="Again: {text}", sink={"format": "delta", "path": "third"}))
    assert len(host.requests) == 40


async def test_merge_replaces_rows_of_the_same_key(tmp_path: Path, host: Upstream) -> None:
    (tmp_path / "tickets.csv").write_text("id,text\n1,one\n2,two\n2,two again\n")
    path = job(tmp_path, host, mode="merge", key=["id"])
    await run(path)
    (tmp_path / "tickets.csv").write_text("id,text\n2,second\n3,third\n")
    await run(path)
    assert landed(tmp_path).column("text").to_pylist() == ["one", "second", "third"]
    assert len(host.requests) == 5


async def test_failed_rows_may_land_with_their_reason(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 3, bad=(1,))
    await run(job(tmp_path, host, on_error="keep"))
    errors = landed(tmp_path).column("_error").to_pylist()
    assert [each and each["code"] for each in errors] == [None, "content_filter", None]
    assert not (tmp_path / "out__quarantine").exists()


async def test_where_no_row_has_an_answer_the_run_has_failed(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 3, bad=(0, 1, 2))
    path = str(job(tmp_path, host))
    process = await asyncio.create_subprocess_exec(str(PROGRAM), "enrich", "run", path, stderr=asyncio.subprocess.PIPE)
    told = (await process.communicate())[1].decode()
    assert process.returncode == 1
    assert "no row has an answer: content_filter" in told
    assert f"{tmp_path / 'out__quarantine'}; to ask them again: forehearth enrich run {path} --retry-failed" in told


async def test_another_host_is_another_job_with_answers_of_its_own(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 3)
    first = await run(job(tmp_path, host))
    async with Upstream(respond=respond) as other:
        second = await run(job(tmp_path, other))
        assert (second.fingerprint != first.fingerprint, len(other.requests)) == (True, 3)
    typed = {"format": "csv", "path": "tickets.csv", "types": {"id": "string"}}
    third = await run(job(tmp_path, host, source=typed, sink={"format": "delta", "path": "typed"}))
    assert (third.fingerprint != first.fingerprint, third.reused, len(host.requests)) == (True, 3, 3)


async def test_or_stop_the_run(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 250, bad=(120,))
    ended = await run(job(tmp_path, host, on_error="fail"))
    assert ended.status == "failed"
    assert ended.reason.startswith("row 121 has no answer")
    assert landed(tmp_path).num_rows == 100


async def test_nothing_more_is_asked_once_a_row_has_ended_the_run(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 400, bad=(1,))
    host._respond = lambda seen: Answer(**{**_members(respond(seen)), "delay": 0.02})
    ended = await run(job(tmp_path, host, on_error="fail", concurrency=8))
    assert (ended.status, ended.done) == ("failed", 0)
    assert len(host.requests) < 200  # the first chunk, and the calls of the second that were begun until it failed
    ended = await run(job(tmp_path, host, on_error="keep", concurrency=8))
    assert ended.status == "completed"
    assert len(host.requests) == 401


async def test_a_limit_ends_the_run_as_incomplete_and_it_can_go_on(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 250)
    ended = await run(job(tmp_path, host, limits={"requests": 130}))
    assert (ended.status, ended.limit, ended.done) == ("incomplete", "requests", 100)
    assert len(host.requests) == ended.spent.requests == 130
    went_on = await run(job(tmp_path, host, limits={"requests": 1_000}))
    assert (went_on.id, went_on.status, went_on.spent.requests) == (ended.id, "completed", 250)
    assert len(host.requests) == 250
    assert landed(tmp_path).column("id").to_pylist() == list(range(250))


async def test_a_run_is_cancelled_by_another_process(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 2_000)
    host._respond = lambda seen: Answer(**{**_members(respond(seen)), "delay": 0.05})
    path = job(tmp_path, host, concurrency=4)
    working = asyncio.create_task(run(path))
    await host.until(lambda: len(host.requests) > 10)
    with pytest.raises(Misconfigured, match="runs this job already"):
        await run(path)
    assert await asyncio.to_thread(command, ["enrich", "cancel", str(path)]) == 0
    ended = await working
    assert ended.status == "cancelled"
    assert ended.done < 2_000


def _members(answer: Answer) -> dict[str, object]:
    return {name: getattr(answer, name) for name in answer.__struct_fields__}


SOURCES = {
    "jsonl": lambda table, path: path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist())),
    "parquet": pyarrow.parquet.write_table,
    "csv": lambda table, path: pl.from_arrow(table).write_csv(path),
}


@pytest.mark.parametrize("ending", SOURCES)
async def test_files_of_a_folder_are_read_in_their_order(tmp_path: Path, host: Upstream, ending: str) -> None:
    table = tickets(tmp_path, 30)
    (tmp_path / "in").mkdir()
    for part, name in enumerate("abc"):
        SOURCES[ending](table.slice(part * 10, 10), tmp_path / "in" / f"{name}.{ending}")
    path = job(tmp_path, host, source={"format": ending, "path": "in"}, chunk_rows=12)
    ended = await run(path)
    assert (ended.status, ended.chunks, ended.rows) == ("completed", 3, 30)
    assert landed(tmp_path).column("id").to_pylist() == list(range(30))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
async def test_a_column_in_which_nothing_stands_yet_is_text(tmp_path: Path, host: Upstream, ending: str) -> None:
    rows = {
        "csv": "id,text,note\n1,a,\n2,b,\n",
        "jsonl": '{"id": 1, "text": "a", "note": null}\n{"id": 2, "text": "b"}\n',
    }
    (tmp_path / f"t.{ending}").write_text(rows[ending])
    ended = await run(job(tmp_path, host, source={"format": ending, "path": f"t.{ending}"}))
    assert (ended.status, ended.done) == ("completed", 2)
    assert landed(tmp_path).schema.field("note").type == pa.string()


async def test_a_delta_table_is_read_at_its_version(tmp_path: Path, host: Upstream) -> None:
    table = tickets(tmp_path, 30)
    for part in range(3):
        write_deltalake(str(tmp_path / "in"), table.slice(part * 10, 10), mode="append")
    ended = await run(job(tmp_path, host, source={"format": "delta", "path": "in", "version": 1}, chunk_rows=8))
    assert (ended.done, ended.rows) == (20, 20)
    assert ended.source_version.endswith("@1")
    assert landed(tmp_path).column("id").to_pylist() == list(range(20))


async def test_columns_that_a_delta_table_is_parted_by_are_there(tmp_path: Path, host: Upstream) -> None:
    table = tickets(tmp_path, 30).append_column("part", pa.array([str(n % 3) for n in range(30)]))
    write_deltalake(str(tmp_path / "in"), table, partition_by=["part"])
    await run(job(tmp_path, host, source={"format": "delta", "path": "in"}, prompt="{part} {text}"))
    assert landed(tmp_path).column("word").to_pylist() == [str(n % 3) for n in range(30)]


async def test_a_query_is_asked_once_for_a_run(
    tmp_path: Path, host: Upstream, postgres: PostgresServer, monkeypatch
) -> None:
    url = postgres.create_database("enriched")
    rows = "n AS id, 'word ' || n AS text, now() AS at, 1.5::float8 AS f FROM generate_series(0, 249) n"
    postgres.sql("enriched", f"CREATE TABLE t AS SELECT {rows}")
    monkeypatch.setenv("TICKETS", url)
    source = {"format": "postgresql", "url": "${TICKETS}", "query": "SELECT * FROM t ORDER BY id"}
    stopped = await run(job(tmp_path, host, source=source, limits={"requests": 120}))
    postgres.sql("enriched", "DELETE FROM t WHERE id > 5")
    assert (stopped.status, stopped.rows) == ("incomplete", 250)
    ended = await run(job(tmp_path, host, source=source))
    assert (ended.id, ended.done) == (stopped.id, 250)
    assert landed(tmp_path).column("id").to_pylist() == list(range(250))
    assert landed(tmp_path).column("at")[0].as_py() <= datetime.now(UTC)


async def test_what_is_kept_of_a_query_is_not_that_of_another_database(
    tmp_path: Path, host: Upstream, postgres: PostgresServer, monkeypatch
) -> None:
    for name in ("one", "other"):
        monkeypatch.setenv(name.upper(), postgres.create_database(name))
        rows = f"n AS id, '{name} ' || n AS text FROM generate_series(1, 3) n"
        postgres.sql(name, f"CREATE TABLE t AS SELECT {rows}")
    source = {"format": "postgresql", "query": "SELECT * FROM t ORDER BY id"}
    stopped = await run(job(tmp_path, host, source=source | {"url": "${ONE}"}, limits={"requests": 1}))
    assert stopped.status == "incomplete"
    await run(job(tmp_path, host, source=source | {"url": "${OTHER}"}))
    assert landed(tmp_path)["text"].to_pylist() == ["other 1", "other 2", "other 3"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"prompt": "{txt}"}, "no column 'txt'; it has id, text"),
        ({"key": ["ident"]}, "no column 'ident'"),
        ({"source": {"format": "csv", "path": "none.csv"}}, "none.csv is not there"),
        ({"source": {"format": "delta", "path": "none"}}, "no Delta table at .*/none; a relative path"),
        ({"source": {"format": "delta", "path": "."}}, "no Delta table"),
        ({"source": {"format": "parquet", "path": "tickets.csv"}}, "tickets.csv cannot be read"),
        ({"source": {"format": "jsonl", "path": "tickets.csv"}}, "tickets.csv cannot be read"),
        ({"schema": None, "output": "text"}, "'text' already"),
        ({"price_as": "openai/no-such-model"}, "no 'no-such-model'"),
    ],
)
async def test_what_cannot_be_run_is_refused_before_anything_is_asked(
    tmp_path: Path, host: Upstream, members: dict[str, object], says: str
) -> None:
    tickets(tmp_path, 2)
    with pytest.raises(Misconfigured, match=says):
        await run(job(tmp_path, host, **members))
    assert host.requests == []


async def test_a_run_does_not_go_on_while_its_failed_rows_are_asked_again(tmp_path: Path) -> None:
    tickets(tmp_path, 250, bad=(5, 6, 220))
    async with Upstream(respond=respond) as host:
        assert (await run(job(tmp_path, host, limits={"requests": 150}))).status == "incomplete"
        assert (await run(job(tmp_path, host, limits={"requests": 1}), deed="retry")).status == "incomplete"
        with pytest.raises(Misconfigured, match="--retry-failed"):
            await run(job(tmp_path, host))
        assert (await run(job(tmp_path, host), deed="retry")).status == "completed"
        assert (await run(job(tmp_path, host))).status == "completed"
        assert landed(tmp_path, "out__quarantine")["id"].to_pylist() == [5, 6, 220]
    async with Upstream(
        respond=lambda seen: respond(msgspec.structs.replace(seen, body=seen.body.replace(b"bad", b"was")))
    ) as host:
        assert (await run(job(tmp_path, host), deed="retry")).status == "completed"
    assert landed(tmp_path)["id"].to_pylist() == list(range(250))
    assert landed(tmp_path, "out__quarantine").num_rows == 0


async def test_a_source_that_cannot_be_read_to_its_end_says_so_in_the_run(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 150)
    with (tmp_path / "tickets.csv").open("a") as file:
        file.writelines(f"{n},good\n" for n in range(200_000))
        file.write("one,two,three\n")
    path = job(tmp_path, host, prompt="good", chunk_rows=1_000)
    with pytest.raises(Misconfigured, match=r"tickets\.csv cannot be read") as raised:
        await run(path)
    assert (await last(path)).reason == str(raised.value)


async def test_files_of_a_delta_source_that_are_gone_are_told(tmp_path: Path, host: Upstream) -> None:
    write_deltalake(tmp_path / "in", tickets(tmp_path, 10))
    next((tmp_path / "in").glob("*.parquet")).unlink()
    path = job(tmp_path, host, source={"format": "delta", "path": "in"})
    with pytest.raises(Misconfigured, match=r"source: .* in cannot be read") as raised:
        await run(path)
    assert (await last(path)).reason == str(raised.value)


async def test_a_run_that_is_cancelled_from_outside_is_interrupted(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 150)
    path = job(tmp_path, host)
    begun = asyncio.Event()
    running = asyncio.create_task(run(path, show=lambda _: begun.set()))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await last(path)).status == "interrupted"


async def last(path: Path) -> Run:
    """The last run of a job, as its state has it."""
    async with job_state.opened(enrich.state_folder(enrich.load(path), None)) as state:
        found = await state.last_run()
    assert found is not None
    return found


async def test_text_in_another_encoding_is_refused_before_it_is_paid_for(tmp_path: Path, host: Upstream) -> None:
    (tmp_path / "tickets.csv").write_bytes("id,text\n1,Grüß dich\n".encode("latin-1"))
    with pytest.raises(Misconfigured, match="the column 'text' is not UTF-8"):
        await run(job(tmp_path, host))
    assert host.requests == []


async def test_a_wrong_key_ends_the_run_and_shows_what_the_host_says(tmp_path: Path) -> None:
    tickets(tmp_path, 2)
    denied = Answer(status=401, body=b'{"error": {"message": "Wrong key."}}')
    async with Upstream(respond=lambda _: denied) as upstream:
        ended = await run(job(tmp_path, upstream))
    assert (ended.status, ended.reason) == ("failed", "the host answers with 401: Wrong key.")


async def test_a_table_with_other_columns_is_not_written_to(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 2)
    write_deltalake(str(tmp_path / "out"), pa.table({"id": [1]}))
    ended = await run(job(tmp_path, host))
    assert ended.status == "failed"
    assert "has no column 'text'" in ended.reason


def _with_another_type(folder: Path) -> None:
    write_deltalake(folder / "out", pa.table({"id": [1], "text": ["a"], "length": [[1]], "word": ["a"]}))


def _with_a_column_that_is_never_empty(folder: Path) -> None:
    nullable = [("id", pa.int64()), ("text", pa.string()), ("length", pa.int64()), ("word", pa.string())]
    fields = [*(pa.field(*each) for each in nullable), pa.field("owner", pa.string(), nullable=False)]
    DeltaTable.create(folder / "out", schema=pa.schema(fields))


def _with_another_quarantine(folder: Path) -> None:
    write_deltalake(folder / "out__quarantine", pa.table({"id": [1]}))


def _with_a_file_in_the_way(folder: Path) -> None:
    (folder / "out__quarantine").touch()


UNWRITABLE = [
    (lambda _: None, {"sink": {"format": "delta", "path": "/proc/forehearth/out"}}, "cannot be written: No such file"),
    (lambda _: None, {"sink": {"format": "parquet", "path": "/proc/forehearth/out"}}, "cannot be written"),
    (_with_another_type, {"columns": []}, "cannot be written: Unsupported cast"),
    (_with_a_column_that_is_never_empty, {"columns": []}, "must have a value in its column 'owner'"),
    (_with_another_quarantine, {}, "out__quarantine is there and has no column 'text'"),
    (_with_a_file_in_the_way, {"sink": {"format": "delta", "path": "out"}}, "out__quarantine cannot be"),
    (_with_a_file_in_the_way, {"sink": {"format": "parquet", "path": "out"}}, "out__quarantine cannot be"),
]


@pytest.mark.parametrize(("before", "members", "says"), UNWRITABLE)
async def test_a_sink_that_cannot_be_written_is_told_before_anything_is_asked(
    tmp_path: Path, host: Upstream, before: Callable[[Path], None], members: dict[str, object], says: str
) -> None:
    tickets(tmp_path, 2)
    before(tmp_path)
    path = job(tmp_path, host, **members)
    there = _tables(tmp_path)
    ended = await run(path)
    assert ended.status == "failed"
    assert says in ended.reason
    with pytest.raises(SinkFailed, match=says):
        await enrich.foresee(enrich.load(path), enrich.state_folder(enrich.load(path), None))
    assert host.requests == []
    assert _tables(tmp_path) == there


def _tables(folder: Path) -> list[Path]:
    return sorted(each for name in ("out", "out__quarantine") for each in (folder / name).rglob("*"))


async def test_what_has_landed_whole_is_complete_though_its_sink_cannot_be_written_any_more(
    tmp_path: Path, host: Upstream
) -> None:
    tickets(tmp_path, 2)
    assert (await run(job(tmp_path, host))).status == "completed"
    _with_a_file_in_the_way(tmp_path)
    assert (await run(job(tmp_path, host))).status == "completed"


def test_where_no_server_is_the_remedy_is_told(tmp_path: Path) -> None:
    file = enrich.load(job(tmp_path))
    (tmp_path / "tickets.csv").write_text("id,text\n1,a\n")
    with pytest.raises(Misconfigured, match="set FOREHEARTH_URL"):
        asyncio.run(enrich.carry_on(file, enrich.state_folder(file, None), environ={"HOME": str(tmp_path)}))


def _without(seen: Seen, but: bytes) -> Seen:
    """What was asked, without what the host takes offence at."""
    return seen if but in seen.body else msgspec.structs.replace(seen, body=seen.body.replace(b"bad", b"good"))


async def test_rows_that_failed_are_asked_again(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 250, bad=(5, 110, 111, 240))
    path = job(tmp_path, host)
    first = await run(path)
    # The host has come to its senses, but for one row.
    host._respond = lambda seen: respond(_without(seen, b"bad 111"))
    again = await run(path, deed="retry")
    assert (again.status, again.done, again.failed) == ("completed", 4, 1)
    assert again.id != first.id
    assert landed(tmp_path).column("id").to_pylist() == [n for n in range(250) if n != 111]
    left = landed(tmp_path, "out__quarantine").select(["id", "_run_id"]).to_pylist()
    assert left == [{"id": 111, "_run_id": again.id}]
    host._respond = lambda seen: respond(_without(seen, b"nothing"))
    await run(path, deed="retry")
    assert landed(tmp_path).column("id").to_pylist() == list(range(250))
    assert landed(tmp_path, "out__quarantine").num_rows == 0
    with pytest.raises(Misconfigured, match="all were answered since"):
        await run(path, deed="retry")
    assert (await run(path)).id == first.id
    assert landed(tmp_path).num_rows == 250


@pytest.mark.parametrize("is_planned", [True, False])
@pytest.mark.parametrize("deed", ["status", "report", "cancel"])
def test_a_job_that_never_ran_is_no_wrong_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], deed: str, *, is_planned: bool
) -> None:
    tickets(tmp_path, 2)
    path = job(tmp_path)
    if is_planned:
        enrich.plan(path, sample=0)
    assert command(["enrich", deed, str(path)]) == Exit.FAILED
    said = capsys.readouterr().err
    assert "the job has not been run yet" in said
    assert f"forehearth enrich run {path}" in said


async def test_the_report_of_a_run_is_a_page_by_itself(
    tmp_path: Path, host: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tickets.csv").write_text("id,text\n1,<script>alert(1)</script> & more\n2,bad\n")
    path = job(tmp_path, host, prices={"input": 1, "output": 2})
    ended = await run(path)
    assert (sum(ended.latency), ended.errors) == (2, {"content_filter": 1})
    assert await asyncio.to_thread(command, ["enrich", "report", str(path), "--html", str(tmp_path / "r.html")]) == 0
    words = capsys.readouterr().out
    assert "content_filter  1" in words
    assert "written to" in words
    page = (tmp_path / "r.html").read_text()
    ET.fromstring(page.partition("<body>")[2].rpartition("</body>")[0].join(("<b>", "</b>")))  # noqa: S314 - our own page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "http" not in page.partition("<body>")[2]
    assert f"{ended.spent.cost / UNIT:f}".rstrip("0") in page

"""What comes in is enriched as it comes: files of a folder, versions of a Delta table; each row once."""

import asyncio
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest
from deltalake import DeltaTable, write_deltalake

from forehearth import enrich
from forehearth.core.errors import Misconfigured
from forehearth.enrich.following import Follower
from forehearth.enrichment.run_record import Run
from forehearth.testing.upstream import Upstream
from tests.forehearth_server import PROGRAM
from tests.integration.enrichment.jobs import job, landed, respond, rows_of

FEED = {"delta.enableChangeDataFeed": "true"}


@pytest.fixture
async def host() -> AsyncIterator[Upstream]:
    async with Upstream(respond=respond) as upstream:
        yield upstream


def put(folder: Path, name: str, ids: range, *, age: float = 60.0) -> None:
    """A file of such rows, written so long ago."""
    folder.mkdir(exist_ok=True)
    pyarrow.csv.write_csv(rows_of(ids), folder / name)
    then = time.time() - age
    os.utime(folder / name, (then, then))


async def once(path: Path) -> tuple[list[str], Run | None]:
    """What landed when the source was looked at once."""
    names: list[str] = []
    file = enrich.load(path)
    follower = Follower(file, enrich.state_folder(file, None), landed=lambda name, _: names.append(name))
    return names, await follower.follow(None)


async def test_each_file_lands_once(tmp_path: Path, host: Upstream) -> None:
    path = job(tmp_path, host, source={"format": "csv", "path": "in"})
    (tmp_path / "in").mkdir()
    assert await once(path) == ([], None)
    put(tmp_path / "in", "b.csv", range(150), age=90)
    put(tmp_path / "in", "a.csv", range(150, 160))
    put(tmp_path / "in", "_being_written.csv", range(900, 901))
    put(tmp_path / "in", "new.csv", range(160, 170), age=0)
    (tmp_path / "in" / "empty.csv").touch()
    os.utime(tmp_path / "in" / "empty.csv", (1, 1))
    assert await once(path) == (["b.csv", "a.csv"], None)
    assert landed(tmp_path).column("id").to_pylist() == list(range(160))
    put(tmp_path / "in", "new.csv", range(160, 170))
    assert await once(path) == (["new.csv"], None)
    assert await once(path) == ([], None)
    assert landed(tmp_path).column("id").to_pylist() == list(range(170))


async def test_another_sink_has_nothing_yet(tmp_path: Path, host: Upstream) -> None:
    put(tmp_path / "in", "a.csv", range(150))
    source = {"format": "csv", "path": "in"}
    await once(job(tmp_path, host, source=source))
    elsewhere = job(tmp_path, host, source=source, sink={"format": "delta", "path": "elsewhere"})
    assert (await once(elsewhere))[0] == ["a.csv"]
    assert (await once(elsewhere))[0] == []
    shutil.rmtree(tmp_path / "elsewhere")
    assert (await once(elsewhere))[0] == ["a.csv"]
    assert landed(tmp_path, "elsewhere").column("id").to_pylist() == list(range(150))
    parquet = job(tmp_path, host, source=source, sink={"format": "parquet", "path": "files"})
    assert [(await once(parquet))[0] for _ in range(2)] == [["a.csv"], []]
    # What was answered is not paid for again.
    assert len(host.requests) == 150


async def test_a_file_that_is_gone_is_told_and_left_out(tmp_path: Path, host: Upstream) -> None:
    for number, name in enumerate(("a.csv", "b.csv", "c.csv")):
        put(tmp_path / "in", name, range(number * 10, number * 10 + 10), age=90 - number)
    file = enrich.load(job(tmp_path, host, source={"format": "csv", "path": "in"}))
    names: list[str] = []
    gone: list[str] = []

    def landing(name: str, _: Run) -> None:
        names.append(name)
        (tmp_path / "in" / "b.csv").unlink(missing_ok=True)

    folder = enrich.state_folder(file, None)
    follower = Follower(file, folder, landed=landing, gone=gone.append)
    assert await follower.follow(None) is None
    assert (names, gone) == (["a.csv", "c.csv"], ["b.csv"])
    assert landed(tmp_path).column("id").to_pylist() == [*range(10), *range(20, 30)]


async def test_a_limit_ends_it_and_it_goes_on(tmp_path: Path, host: Upstream) -> None:
    put(tmp_path / "in", "a.csv", range(250))
    source = {"format": "csv", "path": "in"}
    names, ended = await once(job(tmp_path, host, source=source, limits={"requests": 120}))
    assert (names, ended and ended.status) == ([], "incomplete")
    assert (await once(job(tmp_path, host, source=source)))[0] == ["a.csv"]
    assert landed(tmp_path).column("id").to_pylist() == list(range(250))
    assert len(host.requests) == 250


async def test_new_and_changed_rows_of_a_delta_table(tmp_path: Path, host: Upstream) -> None:
    source, path = (
        str(tmp_path / "in"),
        job(tmp_path, host, source={"format": "delta", "path": "in"}, mode="merge", key=["id"]),
    )
    write_deltalake(source, rows_of(range(120)), configuration=FEED)
    write_deltalake(source, rows_of(range(120, 130)), mode="append")
    assert await once(path) == (["version 0", "version 1"], None)
    change = pa.table({"id": [5, 130], "text": ["good five", "good new"]})
    merging = DeltaTable(source).merge(change, "t.id = s.id", source_alias="s", target_alias="t")
    merging.when_matched_update_all().when_not_matched_insert_all().execute()
    DeltaTable(source).delete("id = 7")
    assert await once(path) == (["version 2", "version 3"], None)
    found = landed(tmp_path)
    assert found.column("id").to_pylist() == list(range(131))
    assert found.column("text")[5].as_py() == "good five"
    assert len(host.requests) == 132
    assert await once(path) == ([], None)
    assert list((tmp_path / ".forehearth" / "job").glob("changes-*")) == []


async def test_a_table_without_a_feed_is_refused_with_the_remedy(tmp_path: Path, host: Upstream) -> None:
    write_deltalake(str(tmp_path / "in"), rows_of(range(2)))
    with pytest.raises(Misconfigured, match="enableChangeDataFeed"):
        await once(job(tmp_path, host, source={"format": "delta", "path": "in"}))


async def test_the_command_is_killed_goes_on_and_ends_at_a_signal(tmp_path: Path, host: Upstream) -> None:
    for number in range(4):
        put(tmp_path / "in", f"{number}.csv", range(number * 100, number * 100 + 100), age=60 - number)
    path = job(tmp_path, host, source={"format": "csv", "path": "in"}, chunk_rows=40)
    command = (str(PROGRAM), "enrich", "follow", str(path), "--every", "0.2")
    first = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    await host.until(lambda: len(host.requests) > 150, 60)
    first.kill()
    await first.wait()
    second = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    put(tmp_path / "in", "late.csv", range(400, 410), age=2)
    await host.until(lambda: any(b"good 409" in seen.body for seen in host.requests), 60)
    assert second.stdout is not None
    async with asyncio.timeout(60):
        while not (await second.stdout.readline()).startswith(b"late.csv: 10 rows landed"):
            pass
    second.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(second.wait(), 60) == 0
    assert Counter(landed(tmp_path).column("id").to_pylist()) == Counter(range(410))


async def test_changes_that_were_kept_of_one_table_are_not_those_of_another(tmp_path: Path, host: Upstream) -> None:
    for name, ids in (("one", range(3)), ("other", range(10, 13))):
        write_deltalake(tmp_path / name, rows_of(ids), configuration=FEED)
    one = job(tmp_path, host, source={"format": "delta", "path": "one"}, limits={"requests": 1}, chunk_rows=1)
    _, ended = await once(one)
    assert ended is not None
    assert ended.status == "incomplete"
    other = job(tmp_path, host, source={"format": "delta", "path": "other"}, sink={"format": "delta", "path": "beside"})
    assert await once(other) == (["version 0"], None)
    assert landed(tmp_path, "beside")["id"].to_pylist() == [10, 11, 12]

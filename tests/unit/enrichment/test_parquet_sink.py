"""A folder of Parquet files: what a disk or the library refuses is told as a failure of the sink."""

from pathlib import Path

import pyarrow as pa
import pytest

from forehearth.enrichment.sink import Chunk, SinkFailed
from forehearth.enrichment.sinks.parquet import ParquetFolder

SCHEMA = pa.schema([("id", pa.int64())])


def chunk(number: int, rows: pa.RecordBatch | None = None) -> Chunk:
    rows = pa.RecordBatch.from_pydict({"id": [number]}) if rows is None else rows
    return Chunk(number=number, rows=rows, note={"forehearth.run": "r"}, marks={"0": number})


def test_each_chunk_is_written_once_and_says_where_it_is(tmp_path: Path) -> None:
    sink = ParquetFolder(tmp_path / "out", application="a", schema=SCHEMA)
    assert (sink.landed(), sink.identity(), sink.some(5)) == (0, "", [])
    assert sink.write(chunk(1))
    assert not sink.write(chunk(1))
    assert sink.write(chunk(2))
    assert (sink.landed(), sink.marks(["0", "1"]), sink.some(5)) == (2, {"0": 2}, [{"id": 2}])
    assert sink.note(1)["forehearth.run"] == "r"
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_columns_that_no_file_has_are_told_and_leave_nothing(tmp_path: Path) -> None:
    sink = ParquetFolder(tmp_path / "out", application="a", schema=SCHEMA)
    rows = pa.RecordBatch.from_arrays([pa.array([(1, 2, 3)], pa.month_day_nano_interval())], names=["x"])
    with pytest.raises(SinkFailed, match="cannot be written"):
        sink.write(chunk(1, rows))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_broken_is_told(tmp_path: Path) -> None:
    sink = ParquetFolder(tmp_path / "out", application="a", schema=SCHEMA)
    sink.write(chunk(1))
    next((tmp_path / "out").iterdir()).write_bytes(b"no file of Parquet")
    for look in (lambda: sink.note(1), lambda: sink.marks(["0"]), lambda: sink.some(1)):
        with pytest.raises(SinkFailed, match="cannot be read"):
            look()


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SinkFailed, match="out is no folder"):
        ParquetFolder(tmp_path / "out", application="a", schema=SCHEMA).landed()


@pytest.mark.parametrize("made", [True, False])
def test_where_it_can_be_written_to_nothing_is_left_by_the_look(tmp_path: Path, *, made: bool) -> None:
    folder = tmp_path / "a" / "out"
    if made:
        folder.mkdir(parents=True)
    ParquetFolder(folder, application="a", schema=SCHEMA).require_writable()
    assert list(tmp_path.rglob("*")) == ([tmp_path / "a", folder] if made else [])


def test_a_place_where_nobody_makes_files_is_told_before_there_are_rows(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for folder in (Path("/proc/forehearth/out"), tmp_path / "a" / "out"):
        with pytest.raises(SinkFailed, match=f"{folder} cannot be written"):
            ParquetFolder(folder, application="a", schema=SCHEMA).require_writable()


def test_columns_that_no_file_has_are_told_before_there_are_rows(tmp_path: Path) -> None:
    schema = pa.schema([("x", pa.month_day_nano_interval())])
    with pytest.raises(SinkFailed, match="cannot be written"):
        ParquetFolder(tmp_path, application="a", schema=schema).require_writable()
    assert list(tmp_path.iterdir()) == []

"""A Delta table over many commits: it is loaded anew from checkpoints, and each chunk still lands once."""

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from forehearth.core.errors import Misconfigured
from forehearth.enrichment.sink import Chunk, SinkFailed
from forehearth.enrichment.sinks.delta import DeltaTableSink

SCHEMA = pa.schema([("id", pa.int64())])


def chunk(number, **marks):
    return Chunk(number=number, rows=pa.table({"id": [number]}, schema=SCHEMA), note={}, marks=marks)


def opened(folder):
    sink = DeltaTableSink(str(folder), SCHEMA, application="a", key=(), options=None)
    return sink, sink.landed()


def test_what_is_kept_of_commits_is_let_go_and_each_chunk_lands_once(tmp_path):
    folder = tmp_path / "out"
    sink, landed = opened(folder)
    assert landed == 0
    for number in range(1, 46):
        assert sink.write(chunk(number, place=number * 10))
        assert sink.marks(["place"]) == {"place": number * 10}
    assert not sink.write(chunk(45))
    again, landed = opened(folder)
    assert landed == 45
    assert not again.write(chunk(44))
    assert DeltaTable(folder).to_pyarrow_table().sort_by("id")["id"].to_pylist() == list(range(1, 46))
    assert len(list((folder / "_delta_log").glob("*.checkpoint.parquet"))) == 2


def test_what_a_storage_says_is_one_line_without_colours_and_names(tmp_path):
    options = {
        "aws_access_key_id": "name",
        "aws_secret_access_key": "word",
        "aws_endpoint_url": "http://user:word@127.0.0.1:9",
        "aws_allow_http": "true",
        "max_retries": "0",
    }
    with pytest.raises(SinkFailed) as failed:
        DeltaTableSink("s3://bucket/out", SCHEMA, application="a", key=(), options=options).landed()
    words = str(failed.value)
    assert words.startswith("sink: the table s3://bucket/out cannot be read: ")
    assert "127.0.0.1:9/bucket" in words
    assert "word" not in words
    assert words.isprintable()


def merging(folder, name, *values):
    """A table with rows of these keys and numbers, merged in two chunks of which the second has other numbers."""
    schema = pa.schema([(name, pa.string()), ("n", pa.int64())])
    sink = DeltaTableSink(str(folder), schema, application="a", key=(name,), options=None)
    for number in (1, 2):
        rows = pa.table([pa.array(values, pa.string()), [each + number * 10 for each in range(len(values))]], schema)
        sink.write(Chunk(number=number, rows=rows, note={}))
    return sorted(DeltaTable(folder).to_pyarrow_table().to_pylist(), key=lambda each: each["n"])


def test_of_rows_with_one_key_the_last_stays_and_rows_without_a_key_are_added(tmp_path):
    kept = [(each["key"], each["n"]) for each in merging(tmp_path / "out", "key", "a", None, "a", None)]
    assert kept == [(None, 11), (None, 13), (None, 21), ("a", 22), (None, 23)]


@pytest.mark.parametrize("name", ["a.b", 'a"b', "a'b", "a b", "ünï", "", "__at", "select"])
def test_a_key_may_be_called_anything(tmp_path, name):
    assert merging(tmp_path / "out", name, "x", "y", "x") == [{name: "y", "n": 21}, {name: "x", "n": 22}]


def test_a_name_that_the_library_cannot_merge_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="the column 'a`b' cannot be merged"):
        DeltaTableSink(str(tmp_path), pa.schema([("a`b", pa.int64())]), application="a", key=("a`b",), options=None)

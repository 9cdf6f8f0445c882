"""A Delta table over many commits: it is loaded anew from checkpoints, and each chunk still lands once."""

import pyarrow as pa
from deltalake import DeltaTable

from forehearth.enrichment.sink import Chunk
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

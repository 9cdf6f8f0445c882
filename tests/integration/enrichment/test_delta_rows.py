"""Rows of Delta tables: all of them, as the library reads them, and no thread but the asking one touches them."""

import datetime as dt
import threading

import deltalake
import pyarrow as pa
from deltalake.fs import DeltaStorageHandler

from forehearth.enrichment.delta_rows import batches

DAY = dt.datetime(2026, 11, 28, 1, tzinfo=dt.UTC)


def some(first: int, **others: list) -> pa.Table:
    numbers = range(first, first + 3)
    return pa.table({"number": list(numbers), "text": [f"row {each}" for each in numbers], **others})


def by_number(table: pa.Table) -> list:
    return table.sort_by("number").to_pylist()


def test_columns_of_partitions_and_those_that_were_added_are_there(tmp_path):
    where = str(tmp_path / "table")
    parts = {"partition_by": ["kind", "day"], "mode": "append"}
    days = [DAY.date(), DAY.date(), None]
    deltalake.write_deltalake(where, some(0, kind=["a", "b", None], day=days), **parts)
    more = {"deep": [{"x": 1}, None, {"x": 3}], "at": [DAY, DAY, None]}
    deltalake.write_deltalake(where, some(3, kind=["a", "a é/=", ""], day=days, **more), schema_mode="merge", **parts)
    table = deltalake.DeltaTable(where)
    found = pa.Table.from_batches(batches(table))
    expected = table.to_pyarrow_table()
    assert found.schema == expected.schema
    assert found.num_rows == 6
    assert by_number(found) == by_number(expected)


def test_the_order_is_the_same_each_time(tmp_path):
    where = str(tmp_path / "table")
    for first in range(0, 30, 3):
        deltalake.write_deltalake(where, some(first), mode="append")
    once, again = ([each.to_pylist() for each in batches(deltalake.DeltaTable(where))] for _ in range(2))
    assert once == again


def test_a_table_without_rows_has_no_batches(tmp_path):
    deltalake.DeltaTable.create(str(tmp_path / "table"), schema=some(0).schema)
    assert list(batches(deltalake.DeltaTable(str(tmp_path / "table")))) == []


def test_no_other_thread_reads(tmp_path, monkeypatch):
    """One that still reads when the process ends has it end by a signal."""
    where, readers = str(tmp_path / "table"), set()
    opened = DeltaStorageHandler.open_input_file

    class Watched:
        def __init__(self, file: pa.PythonFile) -> None:
            self._file = file

        def __getattr__(self, name: str) -> object:
            readers.add(threading.get_ident())
            return getattr(self._file, name)

    monkeypatch.setattr(
        DeltaStorageHandler, "open_input_file", lambda self, path: pa.PythonFile(Watched(opened(self, path)))
    )
    deltalake.write_deltalake(where, some(0))
    deltalake.write_deltalake(where, some(3), mode="append")
    assert sum(each.num_rows for each in batches(deltalake.DeltaTable(where))) == 6
    assert readers == {threading.get_ident()}

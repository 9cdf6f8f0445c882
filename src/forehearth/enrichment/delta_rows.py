"""The rows of a Delta table, read by the thread that asks for them and by no other.

The library's dataset would have Arrow's own threads read, which call back into Python. One of them may do that when
the process is about to end, and then it ends by a signal, whatever its status was.
"""

import importlib
from collections.abc import Iterator
from typing import Any

from forehearth.enrichment.arrow import pa, parquet

ROWS = 8_192
"""Of a batch, at the most."""


def batches(table: Any) -> Iterator[Any]:
    """All rows, file by file, in an order of their own: one version of a table always gives the same."""
    values_of = importlib.import_module("pyarrow.dataset").get_partition_keys  # only Delta needs it
    dataset = table.to_pyarrow_dataset()  # which says no to a table that it cannot read as it is meant
    for fragment in sorted(dataset.get_fragments(), key=lambda each: str(each.path)):
        values = values_of(fragment.partition_expression)
        with dataset.filesystem.open_input_file(fragment.path) as file:
            for batch in parquet.ParquetFile(file, pre_buffer=False).iter_batches(ROWS, use_threads=False):
                yield _as(dataset.schema, batch, values)


def _as(schema: Any, batch: Any, values: dict[str, Any]) -> Any:
    """A file's rows with all columns of the table: those of its partition, and those that were added after it."""
    columns = [
        batch.column(each.name).cast(each.type)
        if each.name in batch.schema.names
        else pa.repeat(pa.scalar(values.get(each.name), each.type), batch.num_rows)
        for each in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)

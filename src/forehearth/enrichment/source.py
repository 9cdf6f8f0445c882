"""What every source of rows is: a schema, a version that pins it, and the same rows in the same order each time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import msgspec

from forehearth.enrichment.arrow import pa

KEPT: Final = "source.parquet"
"""The file with the rows of a source that would say something else the next time, in the folder of the job's state."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """An opened source."""

    schema: Any
    version: str
    """What tells its rows from those of another time."""
    read: Callable[[], Iterator[Any]]
    """Its record batches from the first on, of any size. It blocks."""
    rows: int | None = None
    """How many there are, where that is known without reading them."""


def chunks(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """The same rows in batches of so many, the last one perhaps of fewer."""
    held: list[Any] = []
    size = 0
    for batch in batches:
        start = 0
        while batch.num_rows - start >= rows - size:
            held.append(batch.slice(start, rows - size))
            start += rows - size
            yield _one(held)
            held, size = [], 0
        if start < batch.num_rows:
            held.append(batch.slice(start))
            size += batch.num_rows - start
    if held:
        yield _one(held)


async def read_chunks(source: Source, rows: int) -> AsyncIterator[Any]:
    """The chunks of a source, read in a thread."""
    reading = chunks(source.read(), rows)
    while (batch := await asyncio.to_thread(next, reading, None)) is not None:
        yield batch


def _one(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]

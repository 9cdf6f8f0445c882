"""What every source of rows is: a schema, a version that pins it, and the same rows in the same order each time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
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
    aside: tuple[str, ...] = ()
    """Columns that are for the quarantine alone."""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that land together, as a chunk of this number."""

    number: int
    rows: Any
    """A `RecordBatch`."""
    marks: Mapping[str, int] = {}
    """Where a stream was read to, written down with the chunk. Without them, a number means the same rows each time."""
    malformed: Mapping[int, str] = {}
    """Rows that could not be read, by their places, and why."""
    note: Mapping[str, str] = {}
    """What is told of the chunk beside it."""
    done: int | None = None
    """Rows of a stream with these and all before them; None where they are counted."""
    behind: int = 0
    """Messages of a stream that were there and not yet taken."""


Pieces = Callable[[Any, int], AsyncGenerator[Piece | None, None]]
"""From a sink, and the highest number that has landed in it, to the pieces; those that landed may be among them.

None among them means that there is nothing more for now: whatever is under way may land.
"""


class SourceFailed(Exception):
    """A source cannot be read any more. The message says why; what landed before stays."""


def pieces_of(source: Source, size: int) -> Pieces:
    """The chunks of a source that has an end, numbered from the first row on."""

    async def pieces(_sink: Any, _landed: int) -> AsyncGenerator[Piece | None, None]:
        number = 0
        async for batch in read_chunks(source, size):
            number += 1
            yield Piece(number=number, rows=batch)

    return pieces


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

"""Bodies that are put by: the same in memory and in a folder, of which nothing is left."""

import asyncio
import errno
import os
import select
from pathlib import Path
from typing import Any

import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.errors import StorageFull
from forehearth.ports.spool import Spool
from forehearth.stores.memory_spool import MemorySpool
from forehearth.stores.spool_directory import PIECE, SpoolDirectory, SpooledFile


@pytest.fixture(params=["memory", "folder"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    return MemorySpool() if request.param == "memory" else SpoolDirectory(tmp_path / "run")


async def test_they_are_read_as_often_and_from_where_it_is_wanted(spool: Spool) -> None:
    body = bytes(range(256)) * 3_000
    spooled = await spool.begin()
    for at in range(0, len(body), 100_000):
        await spooled.write(body[at : at + 100_000])
    assert spooled.size == len(body)
    for start, end in ((0, len(body)), (0, len(body)), (5, 5), (700_001, 700_003), (len(body), len(body))):
        pieces = [piece async for piece in spooled.pieces(start, end)]
        assert b"".join(pieces) == body[start:end]
        assert max(map(len, pieces), default=0) <= PIECE
    spooled.close()


async def test_when_its_call_is_over_it_is_gone(spool: Spool) -> None:
    spooled = await spool.begin()
    await spooled.write(b"x")
    spooled.close()
    spooled.close()
    with pytest.raises(StoreFailed, match="gone"):
        [piece async for piece in spooled.pieces(0, 1)]
    with pytest.raises(StoreFailed, match="gone"):
        await spooled.write(b"y")


async def test_more_than_there_is_cannot_be_read(spool: Spool) -> None:
    spooled = await spool.begin()
    await spooled.write(b"x")
    with pytest.raises(StoreFailed, match="not as long"):
        [piece async for piece in spooled.pieces(0, 2)]
    spooled.close()


async def test_two_read_at_once(spool: Spool) -> None:
    spooled = await spool.begin()
    await spooled.write(b"ab" * 300_000)

    async def whole() -> bytes:
        return b"".join([piece async for piece in spooled.pieces(0, spooled.size)])

    assert await asyncio.gather(whole(), whole()) == [b"ab" * 300_000] * 2
    spooled.close()


async def test_nothing_of_them_has_a_name(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path / "run")
    spooled = await directory.begin()
    await spooled.write(b"x" * 1_000)
    assert list((tmp_path / "run").iterdir()) == []
    spooled.close()
    directory.close()


@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, StorageFull), (errno.EIO, StoreFailed)])
async def test_a_disk_that_is_full_or_broken(tmp_path: Path, number: int, error: type[Exception]) -> None:
    class Broken:
        def fileno(self) -> int:
            raise OSError(number, "as the test asked")

    directory = SpoolDirectory(tmp_path)
    broken: Any = Broken()
    spooled = SpooledFile(directory._threads, broken)
    with pytest.raises(error):
        await spooled.write(b"x")
    directory.close()


async def test_what_a_thread_writes_to_is_closed_when_it_has_written(tmp_path: Path) -> None:
    """A number of a file that is closed is given to the next one, and the thread would write into that."""
    directory = SpoolDirectory(tmp_path)
    reader, writer = os.pipe()
    file = os.fdopen(writer, "wb", buffering=0)
    spooled = SpooledFile(directory._threads, file)
    body = b"x" * (1 << 20)  # more than a pipe holds: the thread waits within its write
    with os.fdopen(reader, "rb") as read:
        writing = asyncio.create_task(spooled.write(body))
        await asyncio.to_thread(select.select, [read], [], [])
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        spooled.close()
        assert not file.closed
        with pytest.raises(StoreFailed, match="gone"):
            await spooled.write(b"y")
        assert await asyncio.to_thread(read.read) == body  # to its end: it is closed then
    assert file.closed
    directory.close()

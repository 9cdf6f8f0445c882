"""Bytes that are kept: in memory and in a directory alike; then what only a directory can show."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forehearth.core.blob import Blob, BlobMissing
from forehearth.core.document import StoreFailed
from forehearth.core.errors import StorageFull
from forehearth.stores import blob_directory
from forehearth.stores.blob_directory import YOUNG_SECONDS, BlobDirectory
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.testing.clock import VirtualClock

LATER = 4_000_000_000.0
"""Unix seconds at which all that tests link is old."""
AnyBlobs = BlobDirectory | MemoryBlobs


class Late(VirtualClock):
    """A clock that says what it is told, and at first a time at which nothing is young any more."""

    now = LATER

    def unix(self) -> float:
        return self.now


@pytest.fixture
def directory(tmp_path: Path) -> BlobDirectory:
    return BlobDirectory(tmp_path / "blobs", Late())


@pytest.fixture(params=["memory", "directory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AnyBlobs:
    return MemoryBlobs() if request.param == "memory" else BlobDirectory(tmp_path / "blobs", Late())


async def keep(blobs: AnyBlobs, name: str, *pieces: bytes) -> Blob:
    draft = await blobs.draft()
    try:
        for piece in pieces:
            await draft.write(piece)
        assert draft.size == sum(map(len, pieces))
        return await draft.keep(name)
    finally:
        await draft.discard()
        await draft.discard()


async def read(blobs: AnyBlobs, blob: Blob) -> bytes:
    stream = await blobs.read(blob)
    try:
        return b"".join([piece async for piece in stream])
    finally:
        await stream.aclose()
        await stream.aclose()


async def nothing(_: str) -> bool:
    return False


async def everything(_: str) -> bool:
    return True


async def test_what_was_kept_is_read_again(blobs: AnyBlobs) -> None:
    blob = await keep(blobs, "a.1", b"hello ", b"", b"world")
    assert blob.size == 11
    assert blob.digest == "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
    assert await read(blobs, blob) == b"hello world"
    empty = await keep(blobs, "a.2")
    assert await read(blobs, empty) == b""


async def test_what_was_deleted_is_gone_and_others_with_the_same_bytes_stay(blobs: AnyBlobs) -> None:
    one, two = await keep(blobs, "one", b"same"), await keep(blobs, "two", b"same")
    await blobs.delete(one)
    await blobs.delete(one)
    with pytest.raises(BlobMissing):
        await blobs.read(one)
    assert await read(blobs, two) == b"same"


async def test_a_sweep_leaves_what_is_wanted(blobs: AnyBlobs) -> None:
    kept = [await keep(blobs, name, name.encode()) for name in ("one", "two", "three")]

    async def wanted(name: str) -> bool:
        return name == "two"

    assert await blobs.sweep(wanted) == 2
    assert await read(blobs, kept[1]) == b"two"
    with pytest.raises(BlobMissing):
        await blobs.read(kept[0])


# ---- a directory


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def found(folder: Path) -> Path:
    return next(folder.rglob("name"))


async def test_the_same_bytes_are_there_once(directory: BlobDirectory, tmp_path: Path) -> None:
    blobs = [await keep(directory, f"n{number}", b"same" * 1000) for number in range(3)]
    assert len({(tmp_path / each).stat().st_ino for each in files(tmp_path)}) == 1
    for blob in blobs:
        await directory.delete(blob)
    assert files(tmp_path) == []


async def test_a_draft_that_was_not_kept_leaves_nothing(directory: BlobDirectory, tmp_path: Path) -> None:
    draft = await directory.draft()
    await draft.write(b"x")
    assert len(files(tmp_path)) == 1
    await draft.discard()
    assert files(tmp_path) == []


async def test_a_living_draft_outlives_a_sweep_and_a_dead_one_does_not(
    directory: BlobDirectory, tmp_path: Path
) -> None:
    draft = await directory.draft()
    await draft.write(b"x")
    (tmp_path / "blobs" / "drafts" / "of-a-dead-process").write_bytes(b"y")
    assert await BlobDirectory(tmp_path / "blobs", Late()).sweep(nothing) == 1
    blob = await draft.keep("name")
    await draft.discard()
    assert await read(directory, blob) == b"x"


async def test_what_is_young_outlives_a_sweep(tmp_path: Path) -> None:
    clock = Late()
    directory = BlobDirectory(tmp_path / "blobs", clock)
    blob = await keep(directory, "name", b"x")
    linked = found(tmp_path).stat().st_ctime
    clock.now = linked + YOUNG_SECONDS
    assert await directory.sweep(nothing) == 0
    assert await read(directory, blob) == b"x"
    clock.now += 1
    assert await directory.sweep(everything) == 0
    assert await directory.sweep(nothing) == 1
    assert files(tmp_path) == []


@pytest.mark.parametrize("fault", [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
async def test_where_links_cannot_be_made_each_has_its_own(
    directory: BlobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    def link(*_: Any) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(blob_directory.os, "link", link)
    blobs = [await keep(directory, name, b"same") for name in ("one", "two")]
    await directory.delete(blobs[0])
    assert await read(directory, blobs[1]) == b"same"
    await directory.delete(blobs[1])
    assert files(tmp_path) == []


async def test_shared_bytes_that_go_while_they_are_linked_to_are_not_missed(
    directory: BlobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await keep(directory, "first", b"same")
    link = os.link

    def between(source: Any, target: Any) -> None:
        if "bytes" in Path(source).parts:  # the other worker deletes the last name in this very moment
            Path(source).unlink()
        link(source, target)

    monkeypatch.setattr(blob_directory.os, "link", between)
    second = await keep(directory, "second", b"same")
    await directory.delete(first)
    assert await read(directory, second) == b"same"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a\0", "a" * 256, "ä"])
async def test_what_is_no_name_is_no_path(directory: BlobDirectory, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        await keep(directory, name, b"x")
    with pytest.raises(ValueError, match="not the name"):
        await directory.read(Blob(name=name, digest="0" * 64, size=1))
    with pytest.raises(ValueError, match="not a digest"):
        await directory.delete(Blob(name="a", digest="../../x", size=1))
    assert files(tmp_path) == []


async def test_a_link_to_somewhere_else_is_not_followed(directory: BlobDirectory, tmp_path: Path) -> None:
    blob = await keep(directory, "name", b"x")
    path = found(tmp_path)
    path.unlink()
    (tmp_path / "secret").write_bytes(b"s")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(StoreFailed):
        await directory.read(blob)


async def test_bytes_of_another_length_are_not_given_back(directory: BlobDirectory, tmp_path: Path) -> None:
    blob = await keep(directory, "name", b"xyz")
    found(tmp_path).write_bytes(b"x")
    with pytest.raises(StoreFailed):
        await directory.read(blob)


@pytest.mark.parametrize("call", ["write", "fsync", "open"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, StoreFailed)]
)
async def test_a_disk_that_is_full_or_ill_is_told_and_leaves_nothing(
    directory: BlobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, error: Any
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(blob_directory.os, call, fail)
    with pytest.raises(error):
        await keep(directory, "name", b"x")
    monkeypatch.undo()
    assert files(tmp_path) == []


def held(monkeypatch: pytest.MonkeyPatch, call: str) -> tuple[threading.Event, threading.Event]:
    """A system call that begins and does not return before it is let."""
    began, may = threading.Event(), threading.Event()
    real: Callable[..., Any] = getattr(os, call)

    def wait(*args: Any) -> Any:
        began.set()
        assert may.wait(10)
        return real(*args)

    monkeypatch.setattr(blob_directory.os, call, wait)
    return began, may


async def test_who_is_cancelled_in_a_write_leaves_nothing(
    directory: BlobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may = held(monkeypatch, "write")
    task = asyncio.create_task(keep(directory, "name", b"x"))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()  # the thread writes still
    may.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(tmp_path) == []


async def test_who_is_cancelled_in_a_read_closes_after_it(
    directory: BlobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await keep(directory, "name", b"x")
    stream = await directory.read(blob)
    began, may = held(monkeypatch, "read")
    task = asyncio.ensure_future(stream.__anext__())
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stream.aclose()
    os.fstat(stream._file)  # open as long as the thread reads
    may.set()
    while True:
        await asyncio.sleep(0.001)
        try:
            os.fstat(stream._file)
        except OSError:
            break

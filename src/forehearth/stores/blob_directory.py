"""Bytes in a directory: every name has a link to them, and all who have the same bytes link to the same ones.

    drafts/…           what arrives; locked by the process that writes it, so that a dead one's is known
    names/ab/NAME      one link a blob
    bytes/cd/SHA256    one link to all bytes, by which the next blob with the same ones finds them

A name is linked to bytes of its own before it is linked to shared ones, and stays when the link in `bytes/` goes. So
nobody has to be asked whether bytes are still needed: the file system counts the links, and removes them with the last.
Where links cannot be made, every name has bytes of its own. What is kept was written to the disk before it is named.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, ParamSpec, Self, TypeVar

from forehearth.core.blob import Blob, BlobMissing
from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.ports.blobs import Wanted
from forehearth.stores.disk import explained

PIECE: Final = 256 * 1024
"""Bytes that are read at a time."""
YOUNG_SECONDS: Final = 3_600.0
"""For so long what nobody speaks of is left alone."""
_THREADS: Final = 4
_FOLDER: Final = 0o700
_FILE: Final = 0o600
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")

_P = ParamSpec("_P")
_T = TypeVar("_T")


class BlobDirectory:
    """`Blobs` and a `BlobSweep` in one folder, which several processes may share."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """The folder is made where it is not there. Raises `OSError`."""
        self._folders = _Folders(folder)
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")

    def close(self) -> None:
        """End its threads. What they do now they do to the end."""
        self._threads.shutdown(wait=False)

    async def draft(self) -> "_Draft":
        """See `ports.blobs`."""
        return _Draft(self._threads, await self._in_thread(_DraftFile, self._folders))

    async def read(self, blob: Blob) -> "_Reading":
        """See `ports.blobs`."""
        return _Reading(self._threads, await self._in_thread(_opened, self._folders.name(blob.name), blob.size))

    async def delete(self, blob: Blob) -> None:
        """See `ports.blobs`."""
        await self._in_thread(self._folders.remove, blob)

    async def sweep(self, wanted: Wanted) -> int:
        """See `ports.blobs`."""
        before = self._clock.unix() - YOUNG_SECONDS
        gone = await self._in_thread(self._folders.remove_dead_drafts)
        for shard in await self._in_thread(self._folders.shards):
            for name in await self._in_thread(self._folders.older_names, shard, before):
                if not await wanted(name):
                    await self._in_thread(self._folders.name(name).unlink, missing_ok=True)
                    gone += 1
        await self._in_thread(self._folders.remove_unlinked, before)
        return gone

    async def _in_thread(self, do: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await _run(self._threads, lambda: do(*args, **kwargs))


class _Folders:
    """Where what is. Everything blocks."""

    def __init__(self, folder: Path) -> None:
        self._drafts, self._names, self._bytes = (folder / each for each in ("drafts", "names", "bytes"))
        for each in (folder, self._drafts, self._names, self._bytes):
            each.mkdir(mode=_FOLDER, exist_ok=True)

    def name(self, name: str) -> Path:
        """Where a name links to its bytes. Raises `ValueError` for what is none."""
        if _NAME.fullmatch(name) is None:
            raise ValueError("not the name of a blob")
        return self._names / hashlib.sha256(name.encode()).hexdigest()[:2] / name

    def shared(self, digest: str) -> Path:
        """Where bytes are found by what they are. Raises `ValueError` for what is no digest."""
        if _DIGEST.fullmatch(digest) is None:
            raise ValueError("not a digest")
        return self._bytes / digest[:2] / digest

    def new_draft(self) -> Path:
        """A path that nobody has."""
        return self._drafts / secrets.token_hex(16)

    def share(self, own: Path, blob: Blob) -> None:
        """Link `own` to the bytes that others have already, or let others find its own."""
        shared = self.shared(blob.digest)
        try:
            _make(shared.parent)
            os.link(own, shared)
        except FileExistsError:
            self._take_shared(own, shared, blob.size)
        except OSError:
            return  # no links here, no room for one, or too many: it has its own, and they are on the disk

    def _take_shared(self, own: Path, shared: Path, size: int) -> None:
        spare = self.new_draft()
        try:
            if shared.stat().st_size == size:
                os.link(shared, spare)
                spare.rename(own)
        except OSError:
            pass  # gone meanwhile, or too many links: it has its own bytes, and they are on the disk
        finally:
            spare.unlink(missing_ok=True)

    def remove(self, blob: Blob) -> None:
        """Remove a name, and the bytes with the last one that has them."""
        self.name(blob.name).unlink(missing_ok=True)
        self._remove_unlinked(self.shared(blob.digest))

    def _remove_unlinked(self, shared: Path) -> None:
        # Who links to it between the two calls has the bytes all the same; only the next one does not find them.
        with contextlib.suppress(FileNotFoundError):
            if shared.stat().st_nlink == 1:
                shared.unlink()

    def remove_dead_drafts(self) -> int:
        """Remove what processes left that are no more; how many there were."""
        return sum(map(_remove_dead, _entries(self._drafts)))

    def shards(self) -> list[Path]:
        """The folders of the names."""
        return list(_entries(self._names))

    def older_names(self, shard: Path, before: float) -> list[str]:
        """The names of one folder that were linked before that time, in Unix seconds."""
        return [each.name for each in _entries(shard) if _changed(each) < before]

    def remove_unlinked(self, before: float) -> None:
        """Remove bytes that no name has."""
        for shard in _entries(self._bytes):
            for each in _entries(shard):
                if _changed(each) < before:
                    self._remove_unlinked(each)


class _DraftFile:
    """A draft on the disk. Everything blocks."""

    def __init__(self, folders: _Folders) -> None:
        self._folders = folders
        self._path = folders.new_draft()
        self._hash = hashlib.sha256()
        self.size = 0
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(self._file).st_nlink:  # a sweep came between the two
            os.close(self._file)
            raise StoreFailed("a file could not be begun")

    def write(self, piece: bytes) -> None:
        """Write all of it."""
        left = memoryview(piece)
        while left:
            left = left[os.write(self._file, left) :]
        self._hash.update(piece)
        self.size += len(piece)

    def keep(self, name: str) -> Blob:
        """See `ports.blobs`."""
        blob = Blob(name=name, digest=self._hash.hexdigest(), size=self.size)
        own = self._folders.name(name)
        os.fsync(self._file)
        _make(own.parent)
        self._path.rename(own)
        self._folders.share(own, blob)
        _sync_folder(own.parent)
        return blob

    def drop(self) -> None:
        """Remove it, where it was not kept."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


class _Draft:
    """A `Draft`."""

    def __init__(self, threads: ThreadPoolExecutor, file: _DraftFile) -> None:
        self._threads = threads
        self._file = file
        self._doing: asyncio.Future[Any] | None = None
        self._over: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        """See `ports.blobs`."""
        return self._file.size

    async def write(self, piece: bytes) -> None:
        """See `ports.blobs`."""
        await self._do(lambda: self._file.write(piece))

    async def keep(self, name: str) -> Blob:
        """See `ports.blobs`."""
        return await self._do(lambda: self._file.keep(name))

    async def discard(self) -> None:
        """See `ports.blobs`."""
        if self._over is None:
            self._over = asyncio.get_running_loop().create_task(self._drop())
        await asyncio.shield(self._over)

    async def _do(self, do: Callable[[], _T]) -> _T:
        doing = asyncio.get_running_loop().run_in_executor(self._threads, do)
        self._doing = doing
        with _explained():
            return await asyncio.shield(doing)

    async def _drop(self) -> None:
        """Only after what a thread does to it: who was cancelled is gone, the thread is not."""
        if self._doing is not None:
            await asyncio.wait([self._doing])
        await _run(self._threads, self._file.drop)


class _Reading:
    """A `Stream` of what is in a file."""

    def __init__(self, threads: ThreadPoolExecutor, file: int) -> None:
        self._threads = threads
        self._file = file
        self._doing: asyncio.Future[bytes] | None = None
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._closed:
            raise StopAsyncIteration
        self._doing = asyncio.get_running_loop().run_in_executor(self._threads, os.read, self._file, PIECE)
        with _explained():
            piece = await asyncio.shield(self._doing)
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """See `core.exchange.Stream`. A thread that reads now reads to the end first."""
        if self._closed:
            return
        self._closed = True
        if self._doing is None or self._doing.done():
            os.close(self._file)
        else:
            self._doing.add_done_callback(lambda _: os.close(self._file))


def _opened(path: Path, size: int) -> int:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BlobMissing from None
    if os.fstat(file).st_size != size:
        os.close(file)
        raise StoreFailed("the bytes of a file are not those that were kept")
    return file


def _remove_dead(draft: Path) -> bool:
    try:
        file = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def _entries(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as found:
        names = [each.name for each in found]
    return (folder / name for name in names)


def _changed(path: Path) -> float:
    """When it was linked last, in Unix seconds; infinity where it is gone."""
    try:
        return path.stat(follow_symlinks=False).st_ctime
    except FileNotFoundError:
        return float("inf")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=_FOLDER)
    except FileExistsError:
        return
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


async def _run(threads: ThreadPoolExecutor, do: Callable[[], _T]) -> _T:
    with _explained():
        return await asyncio.get_running_loop().run_in_executor(threads, do)


def _explained() -> contextlib.AbstractContextManager[None]:
    return explained(
        no_room="There is no room left on the server's disk to keep files.", failed="files cannot be kept or read"
    )

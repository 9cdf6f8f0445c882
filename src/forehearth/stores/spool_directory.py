"""Bodies of calls in files without a name, in one folder: nothing of them outlives the process.

Everything that blocks is done in threads.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from forehearth.core.document import StoreFailed
from forehearth.stores.disk import explained

PIECE: Final = 256 * 1024
"""Bytes that are read at a time."""
_THREADS: Final = 4
_FOLDER: Final = 0o700

_T = TypeVar("_T")


class SpoolDirectory:
    """A `Spool` in a folder, which several processes may share."""

    def __init__(self, folder: Path) -> None:
        """The folder is made where it is not there. Raises `OSError`."""
        folder.mkdir(mode=_FOLDER, exist_ok=True)
        self._folder = folder
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="spool")

    def close(self) -> None:
        """End its threads. What they do now they do to the end."""
        self._threads.shutdown(wait=False)

    async def begin(self) -> "SpooledFile":
        """See `ports.spool`."""
        file = await _run(self._threads, lambda: tempfile.TemporaryFile(dir=self._folder, buffering=0))  # noqa: SIM115 - closed with its call
        return SpooledFile(self._threads, file)


class SpooledFile:
    """A `Spooled`."""

    def __init__(self, threads: ThreadPoolExecutor, file: IO[bytes]) -> None:
        self._threads = threads
        self._file = file
        self._under_way: set[asyncio.Future[Any]] = set()
        self._over = False
        self.size = 0

    async def write(self, piece: bytes) -> None:
        """See `ports.spool`."""
        await self._do(lambda: self._write(piece))
        self.size += len(piece)

    async def pieces(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """See `ports.spool`."""
        while start < end:
            piece = await self._do(partial(self._read, start, min(PIECE, end - start)))
            if not piece:
                raise StoreFailed("a body that was put by is not as long as it was")
            start += len(piece)
            yield piece

    def close(self) -> None:
        """See `ports.spool`. A thread that is at it ends that first: the next file may get this one's number."""
        self._over = True
        if not self._under_way:
            self._file.close()

    async def _do(self, do: Callable[[], _T]) -> _T:
        if self._over:
            raise StoreFailed("the body that was put by is gone")
        doing = asyncio.get_running_loop().run_in_executor(self._threads, do)
        self._under_way.add(doing)
        doing.add_done_callback(self._done)
        with _explained():
            return await asyncio.shield(doing)

    def _done(self, doing: asyncio.Future[Any]) -> None:
        self._under_way.discard(doing)
        if not doing.cancelled():
            doing.exception()  # whoever was to be told may be gone
        if self._over:
            self.close()

    def _write(self, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            left = left[os.write(self._file.fileno(), left) :]

    def _read(self, at: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, at)


async def _run(threads: ThreadPoolExecutor, do: Callable[[], _T]) -> _T:
    with _explained():
        return await asyncio.get_running_loop().run_in_executor(threads, do)


def _explained() -> contextlib.AbstractContextManager[None]:
    return explained(
        no_room="There is no room left on the server's disk for what is uploaded.",
        failed="what is uploaded cannot be put by",
    )

"""A worker's journal: what calls are about to do and what became of them, appended to its own files before all else.

    journal/0-1764150000123456789/lock      held as long as the worker lives
    journal/0-1764150000123456789/000001    a segment, in the form that `segments` has

A record is one `write` without waiting for the disk, so it survives whatever becomes of the process: the intent of a
call, or what became of some calls together. Once a second a thread has what was written brought to the disk: a power
loss takes a second of it at the most. Folding takes the records from the segments to the ledger. A segment begins with
the intents of the calls that were under way then, so those before it are needed no more as soon as they are folded.
"""

import contextlib
import fcntl
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from errno import ENOSPC
from pathlib import Path
from typing import Self

from forehearth.accounting.segments import line

SEGMENT_BYTES = 16 * 1024 * 1024
SYNC_SECONDS = 1.0
MOST_OWED = 10_000
"""Calls whose outcomes wait for room on the disk."""
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_LOCK = "lock"
_NAME = re.compile(r"[0-9]+-[0-9]+")
"""How journals are named. Nothing else under their root is touched, whatever it is."""

_log = logging.getLogger("forehearth.ledger")


class Unwritable(Exception):
    """The journal takes no record now: the disk is full, or worse."""


class Journal:
    """The journal of one worker, to be closed by it. Nothing here but `sync` may be called from another thread."""

    def __init__(
        self,
        folder: Path,
        lock: int,
        *,
        segment_bytes: int,
        write: Callable[[int, bytes], int],
        lost: Callable[[int], None],
    ) -> None:
        self.folder = folder
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._write = write
        self._lost = lost
        self._open: dict[str, bytes] = {}
        self._owed: deque[tuple[Sequence[str], bytes]] = deque()
        """What became of some calls, and which ones; not written yet."""
        self._torn = False
        self._refused = False
        """Whether the disk did not take what was written last."""
        self._segment = 1
        self._file = _created(folder / segment_name(1))
        self._size = 0
        self._rotates_at = segment_bytes
        self._written: deque[int] = deque()
        """Files of segments that are written to no more, to be brought to the disk and closed."""
        self._synced = (0, 0)
        """The segment and its size when it was last brought to the disk."""
        self._folder_segment = 0
        """The newest segment whose name is on the disk."""
        self._closing = threading.Event()
        self._syncing = threading.Thread(target=self._sync_again_and_again, name="forehearth-journal", daemon=True)
        self._syncing.start()

    @classmethod
    def create(
        cls,
        root: Path,
        name: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        write: Callable[[int, bytes], int] = os.write,
        lost: Callable[[int], None] = lambda _: None,
    ) -> Self:
        """Begin one, in a folder of that `name` under `root`. Raises `OSError`.

        `lost` is told of how many calls the outcome could not be kept at all.
        """
        root.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        folder = root / name
        with _alone(root):  # whoever looks for journals that nobody holds finds it locked
            folder.mkdir(mode=_PRIVATE_FOLDER)
            lock = _created(folder / _LOCK)
            fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(folder, lock, segment_bytes=segment_bytes, write=write, lost=lost)

    @property
    def segment(self) -> int:
        """The number of the segment that is written to."""
        return self._segment

    @property
    def size(self) -> int:
        """Bytes of that segment."""
        return self._size

    @property
    def under_way(self) -> int:
        """Calls with an intent and no outcome."""
        return len(self._open)

    @property
    def owed(self) -> int:
        """Calls whose outcomes wait to be written."""
        return sum(len(calls) for calls, _ in self._owed)

    def begin(self, call: str, payload: bytes) -> None:
        """Write down what a call is about to do. Raises `Unwritable`: then it is not written."""
        text = line(payload)
        if (self._owed and not self.pay()) or not self._append(text):
            raise Unwritable
        self._open[call] = text

    def end(self, calls: Sequence[str], payload: bytes) -> None:
        """Write down what became of some calls. Where there is no room, that is done as soon as there is."""
        self._owed.append((calls, line(payload)))
        if not self.pay() and self.owed > MOST_OWED:
            calls, _ = self._owed.popleft()
            self._lost(len(calls))

    def pay(self) -> bool:
        """Write the outcomes that wait; whether none waits any more.

        Those that the disk took in part are written again: of two records of a call the ledger keeps the first.
        """
        owed = self._owed
        while owed:
            calls, text = owed[0]
            if not self._append(text):
                return False
            owed.popleft()
            for call in calls:
                self._open.pop(call, None)
        return True

    def sync(self) -> None:
        """Bring what was written to the disk. Raises `OSError`."""
        reached = (self._segment, self._size)
        if reached == self._synced:
            return
        if self._folder_segment != reached[0]:
            _sync_folder(self.folder)
            self._folder_segment = reached[0]
        os.fdatasync(self._file)
        while self._written:
            os.fdatasync(self._written[0])
            os.close(self._written.popleft())
        self._synced = reached

    def close(self, *, held: bool = False) -> None:
        """Bring everything to the disk and let go; `held`, nobody else gets it before `let_go`.

        What is under way stays in the files.
        """
        if self._closing.is_set():
            return
        self.pay()
        self._closing.set()
        self._syncing.join()
        with contextlib.suppress(OSError):
            self.sync()
        for file in (*self._written, self._file):
            os.close(file)
        self._file = -1  # a call that ends after this writes nowhere, whoever has that number then
        if not held:
            self.let_go()

    def let_go(self) -> None:
        """Let others fold what is left of it."""
        os.close(self._lock)

    def _append(self, text: bytes) -> bool:
        """Whether the disk took all of it."""
        if self._size >= self._rotates_at:
            self._rotate()
        if self._torn:
            text = b"\n" + text  # what is left of the record before is a line of its own, which is no record
        try:
            written = self._write(self._file, text)
        except OSError as error:
            self._complain(error.strerror or "the system refused")
            return False
        self._size += written
        self._torn = written < len(text)
        if self._torn:
            self._complain("there was room for a part of it")
            return False
        self._refused = False
        return True

    def _complain(self, why: str) -> None:
        if not self._refused:
            _log.error("the journal cannot be written: %s", why)
        self._refused = True

    def _rotate(self) -> None:
        """Go on in a new segment, which begins with what is under way."""
        under_way = b"".join(self._open.values())
        try:
            file = self._new_segment(self.folder / segment_name(self._segment + 1), under_way)
        except OSError as error:
            _log.warning("the journal goes on in its segment, although that is full: %s", error.strerror or error)
            self._rotates_at = self._size + self._segment_bytes // 8
            return
        self._written.append(self._file)
        self._file, self._size = file, len(under_way)
        self._rotates_at = max(self._segment_bytes, 2 * len(under_way))
        self._torn = False
        self._segment += 1

    def _new_segment(self, path: Path, content: bytes) -> int:
        file = _created(path)
        try:
            written = self._write(file, content) if content else 0
        except OSError:
            written = -1
        if written == len(content):
            return file
        os.close(file)
        path.unlink()
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    def _sync_again_and_again(self) -> None:
        while not self._closing.wait(SYNC_SECONDS):
            try:
                self.sync()
            except OSError as error:
                _log.error("the journal cannot be brought to the disk: %s", error.strerror)


@contextlib.contextmanager
def taken_over(root: Path, mine: Path | None = None) -> Iterator[list[Path]]:
    """The folders of journals whose workers are gone, held against others meanwhile. `mine` is not one of them."""
    with contextlib.ExitStack() as stack:
        folders: list[Path] = []
        if root.is_dir():
            with _alone(root):
                folders = [each for each in sorted(root.iterdir()) if each != mine and _is_left(each, stack)]
        yield folders


def _is_left(folder: Path, held: contextlib.ExitStack) -> bool:
    """Whether it is a journal that nobody holds; then it is `held` from now on."""
    if not _NAME.fullmatch(folder.name):
        return False
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except NotADirectoryError:
        return False
    except FileNotFoundError:
        # None is being made now: this is what is left of one whose worker died while it made or removed it.
        with contextlib.suppress(OSError):
            folder.rmdir()
        return False
    held.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return bool(os.fstat(lock).st_nlink)  # else somebody was quicker, and has done with it


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """While no other process makes a journal there or looks for those that nobody holds."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def segments(folder: Path) -> list[Path]:
    """A journal's segments, the oldest first."""
    return sorted(each for each in folder.iterdir() if each.name.isdigit())


def remove(folder: Path) -> None:
    """Remove a journal that is folded, the oldest segment first, its lock last: interrupted, it can be done again."""
    for each in segments(folder):
        each.unlink()
    (folder / _LOCK).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):  # without its lock, whoever comes by removes it
        folder.rmdir()


def segment_name(number: int) -> str:
    """The name of a segment's file."""
    return f"{number:06d}"


def new_name(worker: int, nanoseconds: int) -> str:
    """The name of the journal of a worker that begins now."""
    return f"{worker}-{nanoseconds}"


def _created(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, _PRIVATE_FILE)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

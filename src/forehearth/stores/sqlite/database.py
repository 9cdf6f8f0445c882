"""One SQLite file: closures that run in its threads, and what they wrote committed before they are answered.

Writers wait in one queue. The thread takes all who wait into one transaction, each in a savepoint of its own, so that
one that fails undoes nothing of the others, and answers them after the commit: many share one write to the disk. All
transactions begin as writers (`BEGIN IMMEDIATE`), because one that reads first and then writes is refused at once when
another process wrote in between.
"""

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar, cast

import apsw

from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.stores.queries import migrations, missing

OLDEST = 3_051_003
"""Releases before 3.51.3 may corrupt their write-ahead log."""
TOGETHER = 256
"""Closures that share one transaction, at most."""
BUSY_MS = 10_000
AGAIN_SECONDS = 0.005
"""Between tries for a lock that SQLite does not wait for."""

Result = TypeVar("Result")
Work = Callable[[apsw.Connection], Result]
_Job = tuple[Work[Any], "Future[Any]"]


class Database:
    """An open file. Made by `open_database`, and to be closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = _Thread("forehearth-writes", path, _commit_together)
        self._reading = _Thread("forehearth-reads", path, _run_each)

    async def write(self, work: Work[Result]) -> Result:
        """Run `work` in a transaction; return what it returned, once that is committed. Raises `StoreFailed`.

        Cancelled, it may be carried out all the same.
        """
        return await self._writing.run(work)

    async def read(self, work: Work[Result]) -> Result:
        """Run `work`, which only reads. Raises `StoreFailed`."""
        return await self._reading.run(work)

    async def flush(self) -> None:
        """Bring what is committed to the disk, by whichever process it was. Raises `StoreFailed`.

        What SQLite has moved from the write-ahead log into the file it has brought to the disk itself.
        """
        try:
            await asyncio.to_thread(_sync, self._path.with_name(f"{self._path.name}-wal"))
        except OSError as error:
            raise StoreFailed(f"the store cannot be brought to the disk: {error.strerror}") from error

    async def aclose(self) -> None:
        """Finish what waits, and close."""
        for thread in (self._writing, self._reading):
            await asyncio.to_thread(thread.close)


def open_database(path: Path, *, schema: str = "sqlite", version: int = apsw.SQLITE_VERSION_NUMBER) -> Database:
    """Open the file, made if it is not there, and bring it to the newest `schema`, by its folder of migrations.

    What was written there survives the end of the process; once it is flushed, a power loss, too.

    Raises `Misconfigured` when it cannot be used, or was written by a newer server.
    """
    if version < OLDEST:
        raise Misconfigured(
            f"the SQLite of this installation ({version}) may corrupt its files: install apsw 3.54 or newer"
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = _connect(path)
        try:
            _migrate(connection, schema)
        finally:
            connection.close()
    except (OSError, apsw.Error) as error:
        raise Misconfigured(f"the store {path} cannot be used: {error}") from error
    return Database(path)


def _sync(log: Path) -> None:
    """A write-ahead log, and its name. There is none where all of it is in the file."""
    for path in (log, log.parent):
        with contextlib.suppress(FileNotFoundError):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(file)
            finally:
                os.close(file)


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_MS)
    _write_ahead(connection)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def _write_ahead(connection: apsw.Connection) -> None:
    """Have the file write ahead. SQLite does not wait for a lock here: two that open a new file have to try again."""
    patience = time.monotonic() + BUSY_MS / 1_000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except apsw.BusyError:
            if time.monotonic() > patience:
                raise
            time.sleep(AGAIN_SECONDS)
        else:
            return


def _migrate(connection: apsw.Connection, schema: str) -> None:
    """Apply what is missing, all or nothing. Whoever comes second finds it done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        _apply_missing(connection, schema)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _apply_missing(connection: apsw.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, digest TEXT NOT NULL)")
    rows = connection.execute("SELECT number, digest FROM migrations").fetchall()
    applied = {cast("int", number): cast("str", digest) for number, digest in rows}
    for each in missing(migrations(schema), applied):
        connection.execute(each.sql)
        connection.execute("INSERT INTO migrations VALUES (?, ?)", (each.number, each.digest))


class _Thread:
    """A thread with a connection of its own, which takes jobs from a queue."""

    def __init__(
        self,
        name: str,
        path: Path,
        carry_out: Callable[[apsw.Connection, list[_Job]], None],
    ) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._path = path
        self._carry_out = carry_out
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Work[Result]) -> Result:
        done: Future[Result] = Future()
        self._jobs.put((work, done))
        try:
            return await asyncio.wrap_future(done)
        except apsw.Error as error:
            raise StoreFailed(f"the store refused: {type(error).__name__}") from error

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        connection = _connect(self._path)
        try:
            more = True
            while more:
                jobs, more = self._take()
                if jobs:
                    self._carry_out(connection, jobs)
        finally:
            connection.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """All who wait, and whether there will be more."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == TOGETHER or self._jobs.empty():
                return jobs, True
            job = self._jobs.get()
        return jobs, False


def _run_each(connection: apsw.Connection, jobs: list[_Job]) -> None:
    for work, done in jobs:
        if done.set_running_or_notify_cancel():
            _settle(done, connection, work)


def _settle(done: "Future[Any]", connection: apsw.Connection, work: Work[Any]) -> None:
    try:
        done.set_result(work(connection))
    except Exception as error:  # noqa: BLE001 - a border: it is raised where it is waited for
        done.set_exception(error)


def _commit_together(connection: apsw.Connection, jobs: list[_Job]) -> None:
    jobs = [job for job in jobs if job[1].set_running_or_notify_cancel()]
    try:
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_apart(connection, work) for work, _ in jobs]
        connection.execute("COMMIT")
    except apsw.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for _, done in jobs:
            done.set_exception(error)
        return
    for (_, done), (result, failure) in zip(jobs, outcomes, strict=True):
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)


def _apart(connection: apsw.Connection, work: Work[Any]) -> tuple[Any, Exception | None]:
    """Run one closure so that its failure undoes its own writes alone. Errors of the disk end all."""
    connection.execute("SAVEPOINT one")
    try:
        result = work(connection)
    except (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.ReadOnlyError):
        raise
    except Exception as error:  # noqa: BLE001 - a border: it is raised where it is waited for
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return None, error
    connection.execute("RELEASE one")
    return result, None

"""What a job keeps on disk: `.forehearth/JOB/` beside its file, locked while a run works on it.

state.sqlite   the runs, and every answer that was paid for
lock           held by the process that works on the job; the system lets go of it however that ends
source.parquet what a query answered, while a run over it is not complete
"""

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.enrichment.answers import Answer
from forehearth.enrichment.run_record import Run
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.enrichment import SqliteEnrichment

CANCEL: Final = "cancel"
FOLDER: Final = ".forehearth"
_answer = msgspec.msgpack.Decoder(Answer)
_run = msgspec.json.Decoder(Run)


class Leased(Misconfigured):
    """Another process works on the job."""


class NotRunYet(Misconfigured):
    """The job has no run that could be looked at."""


class JobState:
    """An open state. It is also the cache of answers of whoever runs the job."""

    def __init__(self, store: SqliteEnrichment, folder: Path) -> None:
        self._store = store
        self.folder = folder
        self.run: Run | None = None
        """The run that answers belong to: written down with them, so that what was spent is not forgotten."""

    async def find(self, prompts: Sequence[bytes]) -> Mapping[bytes, Answer]:
        """See `answers.AnswerCache`."""
        found = await self._store.answers(prompts) if prompts else {}
        return {prompt: _answer.decode(answer) for prompt, answer in found.items()}

    async def keep(self, answers: Mapping[bytes, Answer]) -> None:
        """See `answers.AnswerCache`."""
        if answers:
            encoded = {prompt: msgspec.msgpack.encode(answer) for prompt, answer in answers.items()}
            await self._store.keep(encoded, self._written())

    async def note(self, run: Run) -> None:
        """Write down how a run is."""
        self.run = run
        await self._store.keep({}, self._written())

    async def last_run(self, fingerprint: str | None = None) -> Run | None:
        """The run that was begun last, of a fingerprint or of all."""
        found = await self._store.last_run(fingerprint)
        return None if found is None else _run.decode(found)

    async def ask_cancel(self, run: Run) -> None:
        """Ask whoever works on a run to end it."""
        await self._store.wish(run.id, CANCEL)

    async def cancel_asked(self, run: Run) -> bool:
        """Whether somebody did."""
        return await self._store.wished(run.id) == CANCEL

    async def forget_cancel(self, run: Run) -> None:
        """It was heard, or the run was begun again since."""
        await self._store.grant(run.id)

    @contextlib.contextmanager
    def lease(self) -> Iterator[None]:
        """Work on the job alone. Raises `Leased` where another process does."""
        path = self.folder / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor, path)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            yield
        finally:
            os.close(descriptor)

    def is_leased(self) -> bool:
        """Whether a process works on the job now."""
        try:
            with self.lease():
                return False
        except Leased:
            return True

    def _written(self) -> tuple[str, str, str] | None:
        if self.run is None:
            return None
        return self.run.id, self.run.fingerprint, msgspec.json.encode(self.run).decode()


@contextlib.asynccontextmanager
async def opened(folder: Path, *, is_new: bool = True) -> AsyncIterator[JobState]:
    """The state in a folder. Raises `Misconfigured` where it cannot be used.

    Where it is not there, and is not to be made, that is a `NotRunYet`.
    """
    path = folder / "state.sqlite"
    if not is_new and not path.exists():
        raise NotRunYet(f"the job has not been run yet: there is nothing in {folder}")
    make(folder)
    database = open_database(path, schema="enrichment")
    try:
        yield JobState(SqliteEnrichment(database), folder)
    finally:
        await database.aclose()


def make(folder: Path) -> None:
    """Make the folder, and have it left out of what is committed to Git, as it holds rows and answers."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = folder.parent / ".gitignore"
        if folder.parent.name == FOLDER and not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be made: {error.strerror}; choose another with --state") from error


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Leased(
            f"process {_holder(path)} runs this job already: wait for it, or end it with 'forehearth enrich cancel'"
        ) from error


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii").strip() or "?"
    return "?"

"""A run: chunks of rows in, their answers beside them out, each chunk landed once and in order.

The commit of a chunk in the sink is the one decision about it: which of its rows failed stands in the commit itself.
What goes to the quarantine follows from that, so it can be made good by whoever comes next, and no row is in both.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.enrichment_settings import OnError
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa, pc
from forehearth.enrichment.asking import Asker, RunStopped
from forehearth.enrichment.budget import LimitReached
from forehearth.enrichment.columns import ERROR, marked
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.failed_rows import OF_FAILURES
from forehearth.enrichment.job_state import JobState
from forehearth.enrichment.run_record import Run, Status
from forehearth.enrichment.sink import Chunk, Sink, SinkFailed, require_writable
from forehearth.enrichment.source import Piece, Pieces, SourceFailed

_AHEAD: Final = 2
"""Chunks that are worked on at the same time, so that calls do not wait for a commit."""
_LOOK_EVERY: Final = 0.5
"""Seconds between looks at whether the run is to be cancelled, and between writing down how it is."""
_OTHERS_TURN: Final = 30.0
"""Seconds without a chunk of another run after which that one is held to be dead."""
FAILED: Final = "forehearth.failed"
"""The member of a commit's note with the rows that failed: their place in the chunk, code and message."""

Failures = list[tuple[int, str, str]]
Working = deque[tuple[Piece, "asyncio.Task[Any]"]]
"""Pieces that are worked on, the next to land first."""


class Stopped(Exception):
    """Somebody wants the run to end."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"the run was {status}")
        self.status = status


class RowFailed(Exception):
    """A row has no answer, and the job wants to stop then."""


class Plumbing(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is made of."""

    pieces: Pieces
    aside: tuple[str, ...] = ()
    """Columns that are for the quarantine alone."""
    enricher: Enricher
    asker: Asker
    sink: Sink
    quarantine: Sink
    state: JobState
    clock: Clock
    chunk_rows: int
    on_error: OnError
    note: dict[str, str]
    finish: Callable[[], None] = lambda: None
    """What is done when all rows have landed, before the run is complete; perhaps more than once."""


class Runner:
    """Carries a run on from where it is. `show` is told whenever something changed."""

    def __init__(self, run: Run, plumbing: Plumbing, show: Callable[[Run], None] = lambda _: None) -> None:
        self.run = run
        """The run, as it is now."""
        self._reused_before = run.reused
        plumbing.asker.latency = run.latency  # the classes go on counting where they were
        self._of = plumbing
        self._gives_way = False
        self._writable = False
        self._show = show

    def stop(self, status: Status) -> None:
        """End soon: what is under way is waited for, and kept."""
        self._of.asker.stop(Stopped(status))

    async def go(self) -> Run:
        """Work until there is nothing left, or a reason to stop. The run says which.

        Raises `Misconfigured` where the source cannot be read any more, and errors that nobody foresaw.
        """
        watching = asyncio.create_task(self._watch())
        try:
            await self._work()
            await asyncio.to_thread(self._of.finish)
            self.run.rows = self.run.done
            self._ended("completed")
        except LimitReached as limit:
            self.run.limit = limit.limit
            self._ended("incomplete", f"{limit}")
        except Stopped as stopped:
            self._ended(stopped.status, f"{stopped}")
        except (RunStopped, RowFailed, SinkFailed, SourceFailed) as error:
            self._ended("failed", f"{error}")
        except asyncio.CancelledError:
            self._ended("interrupted", "the run was cancelled from outside")
            raise
        except Misconfigured as error:
            self._ended("failed", f"{error}")
            raise
        except BaseException:
            self._ended("failed", "an error that nobody foresaw")
            raise
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await self._of.state.note(self.run)
            self._show(self.run)
        return self.run

    def _ended(self, status: Status, reason: str = "") -> None:
        self.run.status, self.run.reason = status, reason
        self.run.ended = self.run.updated = self._of.clock.unix()

    async def _work(self) -> None:
        """Land piece after piece. Where others landed other rows under a number of ours, begin where they are."""
        while not await self._landed_all():
            pass

    async def _landed_all(self) -> bool:
        """Whether all pieces have landed; else another run took the number of one for rows of its own."""
        working: Working = deque()
        try:
            return await self._landed_each(working)
        except Exception as error:
            self._of.asker.stop(error)
            raise
        finally:
            # Their calls are under way and paid for: let them come to their end, and their answers be kept.
            await asyncio.gather(*(task for _, task in working), return_exceptions=True)

    async def _landed_each(self, working: Working) -> bool:
        """The same. What is worked on when it ends is among the `working`."""
        of = self._of
        landed = await asyncio.to_thread(of.sink.landed)
        self.run.done = 0
        async with contextlib.aclosing(of.pieces(of.sink, landed)) as pieces:
            async for piece in pieces:
                of.asker.heed()
                if piece is not None and piece.number > landed:
                    landed = await self._others_first(piece.number, landed)
                if piece is not None and piece.number <= landed:
                    if piece.marks:
                        return False
                    await self._had_landed(piece, last=piece.number == landed)
                elif piece is not None:
                    await self._require_writable()
                    working.append((piece, asyncio.create_task(self._enriched(piece))))
                while working and (piece is None or len(working) >= _AHEAD):
                    if not await self._land(*working.popleft()):
                        return False
        while working:
            if not await self._land(*working.popleft()):
                return False
        return True

    async def _others_first(self, number: int, landed: int) -> int:
        """Where another run lands the same job's chunks, let it: nothing need be paid twice. What has landed then."""
        since = self._of.clock.monotonic()
        while self._gives_way and number > landed:
            await asyncio.sleep(_LOOK_EVERY)
            self._of.asker.heed()
            found = await asyncio.to_thread(self._of.sink.landed)
            now = self._of.clock.monotonic()
            if found > landed:
                landed, since = found, now
            elif now - since > _OTHERS_TURN:
                self._gives_way = False
        return landed

    def _met_another(self) -> None:
        warning = "another run lands the rows of this job, too: this one lets it go first"
        if warning not in self.run.warnings:
            self.run.warnings.append(warning)

    async def _require_writable(self) -> None:
        """See once, before anything is paid, that rows and failed rows can land. Raises `SinkFailed`."""
        if self._writable:
            return
        await asyncio.to_thread(require_writable, self._of.sink, self._of.quarantine, self._of.on_error)
        self._writable = True

    async def _enriched(self, piece: Piece) -> Any:
        return marked(await self._of.enricher.enrich(piece.rows), piece.malformed)

    async def _had_landed(self, piece: Piece, *, last: bool) -> None:
        """Count rows of an earlier time; of the last chunk the rows that failed may not be in the quarantine yet."""
        self._count(piece)
        if last:
            await asyncio.to_thread(self._put_aside, piece, None)

    def _count(self, piece: Piece) -> None:
        self.run.done = self.run.done + piece.rows.num_rows if piece.done is None else piece.done
        if piece.done is not None:
            self.run.rows = piece.done + piece.behind

    async def _land(self, piece: Piece, enriching: "asyncio.Task[Any]") -> bool:
        """Land a piece; False where another run took its number for other rows."""
        rows = await enriching
        failures = _failures(rows)
        if failures and self._of.on_error == "fail":
            at, code, message = failures[0]
            raise RowFailed(f"row {self.run.done + at + 1} has no answer, and on_error is fail: {code}: {message}")
        apart = self._of.on_error == "quarantine"
        kept = rows if self._of.on_error == "keep" else _good(rows, self._of.aside)
        note = {**self._of.note, **piece.note}
        if apart and failures:
            note[FAILED] = msgspec.json.encode(failures).decode()
        chunk = Chunk(number=piece.number, rows=kept, note=note, marks=piece.marks)
        landed = await asyncio.to_thread(self._of.sink.write, chunk)
        self._gives_way = not landed
        if not landed:
            self._met_another()
            if piece.marks:
                return False
        if apart:
            await asyncio.to_thread(self._put_aside, piece, failures if landed else None)
        self._count(piece)
        self.run.failed += len(failures)
        for _, code, _ in failures:
            self.run.errors[code] = self.run.errors.get(code, 0) + 1
        self.run.chunks += landed
        self._tell()
        await self._of.state.note(self.run)
        return True

    def _put_aside(self, piece: Piece, failures: Failures | None) -> None:
        """Put a chunk's failed rows into the quarantine; those that its commit names, where another run made that."""
        if self._of.on_error != "quarantine":
            return
        if failures is None:
            text = self._of.sink.note(piece.number).get(FAILED, "[]")
            failures = msgspec.json.decode(text, type=Failures)
        if failures and piece.rows.num_rows:
            rows = _aside(piece.rows, failures, self.run)
            self._of.quarantine.write(Chunk(number=piece.number, rows=rows, note=self._of.note))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if await self._of.state.cancel_asked(self.run):
                await self._of.state.forget_cancel(self.run)
                self.stop("cancelled")
            self._tell()
            await self._of.state.note(self.run)

    def _tell(self) -> None:
        self.run.reused = self._reused_before + self._of.enricher.reused
        self.run.updated = self._of.clock.unix()
        self.run.mark()
        self._show(self.run)


def quarantine_schema(schema: Any) -> Any:
    """The columns of the table of failed rows: the source's own, then why."""
    return pa.schema([*schema, *(pa.field(name, pa.string()) for name in OF_FAILURES)])


def _failures(rows: Any) -> Failures:
    errors = rows.column(ERROR)
    if errors.null_count == len(errors):
        return []
    found = enumerate(errors.to_pylist())
    return [(at, each["code"], each["message"]) for at, each in found if each is not None]


def _good(rows: Any, aside: tuple[str, ...]) -> Any:
    """The rows without an error, and without the columns for those that have one."""
    good = rows.filter(pc.is_null(rows.column(ERROR)))
    return good.drop_columns([ERROR, *aside])


def _aside(batch: Any, failures: Failures, run: Run) -> Any:
    rows = batch.take(pa.array([at for at, _, _ in failures]))
    codes = pa.array([code for _, code, _ in failures], type=pa.string())
    messages = pa.array([message for _, _, message in failures], type=pa.string())
    ids = pa.array([run.id] * len(failures), type=pa.string())
    return pa.RecordBatch.from_arrays([*rows.columns, codes, messages, ids], schema=quarantine_schema(batch.schema))

"""A run: chunks of rows in, their answers beside them out, each chunk landed once and in order.

The commit of a chunk in the sink is the one decision about it: which of its rows failed stands in the commit itself.
What goes to the quarantine follows from that, so it can be made good by whoever comes next, and no row is in both.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.enrichment_settings import OnError
from forehearth.enrichment.arrow import pa, pc
from forehearth.enrichment.asking import Asker, RunStopped
from forehearth.enrichment.budget import LimitReached
from forehearth.enrichment.columns import ERROR
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.failed_rows import OF_FAILURES
from forehearth.enrichment.job_state import JobState
from forehearth.enrichment.run_record import Run, Status
from forehearth.enrichment.sink import Chunk, Sink, SinkFailed
from forehearth.enrichment.source import Source, read_chunks

_AHEAD: Final = 2
"""Chunks that are worked on at the same time, so that calls do not wait for a commit."""
_LOOK_EVERY: Final = 0.5
"""Seconds between looks at whether the run is to be cancelled, and between writing down how it is."""
FAILED: Final = "forehearth.failed"
"""The member of a commit's note with the rows that failed: their place in the chunk, code and message."""

Failures = list[tuple[int, str, str]]


class Stopped(Exception):
    """Somebody wants the run to end."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"the run was {status}")
        self.status = status


class RowFailed(Exception):
    """A row has no answer, and the job wants to stop then."""


class Plumbing(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is made of."""

    source: Source
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
        self._show = show

    def stop(self, status: Status) -> None:
        """End soon: what is under way is waited for, and kept."""
        self._of.asker.stop(Stopped(status))

    async def go(self) -> Run:
        """Work until there is nothing left, or a reason to stop. The run says which; unforeseen errors are raised."""
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
        except (RunStopped, RowFailed, SinkFailed) as error:
            self._ended("failed", f"{error}")
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
        of = self._of
        landed = await asyncio.to_thread(of.sink.landed)
        self.run.done = 0
        working: deque[tuple[int, Any, asyncio.Task[Any]]] = deque()
        try:
            async for number, batch in self._numbered():
                if number <= landed:
                    await self._had_landed(number, batch, last=number == landed)
                    continue
                working.append((number, batch, asyncio.create_task(of.enricher.enrich(batch))))
                if len(working) >= _AHEAD:
                    await self._land(*working.popleft())
            while working:
                await self._land(*working.popleft())
        finally:
            # Their calls are under way and paid for: let them come to their end, and their answers be kept.
            await asyncio.gather(*(task for _, _, task in working), return_exceptions=True)

    async def _numbered(self) -> AsyncIterator[tuple[int, Any]]:
        number = 0
        async for batch in read_chunks(self._of.source, self._of.chunk_rows):
            number += 1
            yield number, batch

    async def _had_landed(self, number: int, batch: Any, *, last: bool) -> None:
        """Count rows of an earlier time; of the last chunk the rows that failed may not be in the quarantine yet."""
        self.run.done += batch.num_rows
        if last:
            await asyncio.to_thread(self._put_aside, number, batch, None)

    async def _land(self, number: int, batch: Any, enriching: "asyncio.Task[Any]") -> None:
        rows = await enriching
        failures = _failures(rows)
        if failures and self._of.on_error == "fail":
            at, code, message = failures[0]
            row = (number - 1) * self._of.chunk_rows + at + 1
            raise RowFailed(f"row {row} has no answer, and on_error is fail: {code}: {message}")
        apart = self._of.on_error == "quarantine"
        kept = rows if self._of.on_error == "keep" else _good(rows)
        note = dict(self._of.note)
        if apart and failures:
            note[FAILED] = msgspec.json.encode(failures).decode()
        chunk = Chunk(number=number, rows=kept, note=note)
        landed = await asyncio.to_thread(self._of.sink.write, chunk)
        if apart:
            await asyncio.to_thread(self._put_aside, number, batch, failures if landed else None)
        self.run.done += batch.num_rows
        self.run.failed += len(failures)
        for _, code, _ in failures:
            self.run.errors[code] = self.run.errors.get(code, 0) + 1
        self.run.chunks += landed
        self._tell()
        await self._of.state.note(self.run)

    def _put_aside(self, number: int, batch: Any, failures: Failures | None) -> None:
        """Put a chunk's failed rows into the quarantine; those that its commit names, where another run made that."""
        if self._of.on_error != "quarantine":
            return
        if failures is None:
            text = self._of.sink.note(number).get(FAILED, "[]")
            failures = msgspec.json.decode(text, type=Failures)
        if failures:
            rows = _aside(batch, failures, self.run)
            self._of.quarantine.write(Chunk(number=number, rows=rows, note=self._of.note))

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


def _good(rows: Any) -> Any:
    """The rows without an error, and without the column for it."""
    good = rows.filter(pc.is_null(rows.column(ERROR)))
    return good.drop_columns([ERROR])


def _aside(batch: Any, failures: Failures, run: Run) -> Any:
    rows = batch.take(pa.array([at for at, _, _ in failures]))
    codes = pa.array([code for _, code, _ in failures], type=pa.string())
    messages = pa.array([message for _, _, message in failures], type=pa.string())
    ids = pa.array([run.id] * len(failures), type=pa.string())
    return pa.RecordBatch.from_arrays([*rows.columns, codes, messages, ids], schema=quarantine_schema(batch.schema))

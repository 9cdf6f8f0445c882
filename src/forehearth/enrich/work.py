"""What is done with jobs: they are read, planned, and run to their end. The command line does it by these, too."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

import uvloop

from forehearth.core.errors import Misconfigured
from forehearth.enrich import hosts
from forehearth.enrich.composing import (
    Prepared,
    Show,
    asker_of,
    begin,
    label_of,
    lineage_of,
    prepare,
    record_of,
    runner_of,
    sinks_of,
)
from forehearth.enrich.telling import tell
from forehearth.enrichment import job_file, job_state, lineage, tables
from forehearth.enrichment import plan as planning
from forehearth.enrichment import report as reporting
from forehearth.enrichment.arrow import pa
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.failed_rows import FailedRows, failed_rows
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.job_state import JobState
from forehearth.enrichment.lineage import Told
from forehearth.enrichment.plan import Plan
from forehearth.enrichment.run_record import Run
from forehearth.enrichment.runner import Runner
from forehearth.enrichment.sink import require_writable
from forehearth.enrichment.source import KEPT, read_chunks

Deed = Literal["run", "resume", "retry"]
Ready = Callable[[Runner], None]
Result = TypeVar("Result")


def load(path: Path, environ: Mapping[str, str] = os.environ) -> JobFile:
    """The job in a file. Raises `ConfigError`."""
    return job_file.read(path, providers=hosts.HOSTS, environ=environ)


def state_folder(file: JobFile, state: Path | None) -> Path:
    """Where a job's state is: in `state`, or in `.forehearth` beside its file."""
    return (state if state is not None else file.folder / job_state.FOLDER) / file.name


def run(job: str | Path | JobFile, state: str | Path | None = None, show: Show = lambda _: None) -> Run:
    """Run a job, or a job file, to its end, or go on with it. The answer says how it ended.

    Raises `ConfigError` for a file that is wrong, and `Misconfigured` for tables or a host that cannot be used.
    """
    file, folder = _found(job, state)
    return to_the_end(carry_on(file, folder, show=show))


def plan(job: str | Path | JobFile, state: str | Path | None = None, *, sample: int = planning.SAMPLE) -> Plan:
    """What a run of a job would do and cost: see `foresee`."""
    file, folder = _found(job, state)
    return to_the_end(foresee(file, folder, sample=sample))


def to_the_end(work: Coroutine[Any, Any, Result]) -> Result:
    """What comes of it, with a loop of its own: in a notebook, which has one already, in a thread of its own.

    Interrupting the notebook's cell cancels it there.
    """
    cancels: list[Callable[[], object]] = []

    async def cancellable() -> Result:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            cancels.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await work

    def alone() -> Result:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(cancellable())

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return alone()
    with ThreadPoolExecutor(max_workers=1) as threads:
        working = threads.submit(alone)
        try:
            return working.result()
        except KeyboardInterrupt:
            for cancel in cancels:
                cancel()
            raise


async def carry_on(
    file: JobFile,
    folder: Path,
    *,
    show: Show = lambda _: None,
    ready: Ready = lambda _: None,
    environ: Mapping[str, str] = os.environ,
    deed: Deed = "run",
) -> Run:
    """Run a job to its end from where it is. `ready` is told when it begins, so that it can be stopped.

    To `resume` a job of which nothing is left undone is refused; to `retry` is to ask the rows in the quarantine again,
    which leave it. Raises as `run` does.
    """
    async with job_state.opened(folder) as state:
        with state.lease():
            failed = await _failed(file, state) if deed == "retry" else None
            prepared = await asyncio.to_thread(prepare, file, folder, failed)
            record = await record_of(prepared, state)
            if deed != "retry" and record.status != "completed":
                await require_no_retry(record, state)
            begin(record, only_resume=deed == "resume")
            async with hosts.opened(file.job.deployment, environ) as host:
                runner = runner_of(prepared, record, state, host, show)
                ready(runner)
                ended = await attempt(prepared, runner, state)
            if ended.status == "completed":
                (folder / KEPT).unlink(missing_ok=True)
            return ended


async def require_no_retry(run: Run, state: JobState) -> None:
    """See that rows of a run are not being asked again: at the end of that they leave the quarantine, by its id.

    Raises `Misconfigured`.
    """
    last = await state.last_run()
    if last is None or last.retried is None or last.status == "completed":
        return
    if run.started <= last.started:
        raise Misconfigured(
            "failed rows of this run are being asked again: let that come to its end first, with --retry-failed"
        )


async def attempt(prepared: Prepared, runner: Runner, state: JobState) -> Run:
    """Run it to its end, or to a reason to stop, and say so to whom the job wants to be told."""
    await state.forget_cancel(runner.run)
    await state.note(runner.run)
    events = lineage_of(prepared)
    await _tell(prepared.file, events, runner.run)
    ended = await runner.go()
    await _tell(prepared.file, events, ended)
    await state.note(ended)
    return ended


async def _tell(file: JobFile, told: Told | None, run: Run) -> None:
    """Tell how a run is, where the job wants that. That nobody hears it is noted."""
    if told is None or file.job.lineage is None:
        return
    problem = await tell(file.job.lineage, file.folder, lineage.event(told, run, time.time()))
    if problem:
        run.warnings.append(problem)


async def report(file: JobFile, folder: Path, path: Path | None) -> tuple[Run, Path]:
    """Write the report of a job's last run as HTML, to `path` or into the job's state; return the run and where it is.

    Raises `NotRunYet` where it has not been run, `SinkFailed` where what landed cannot be read.
    """
    async with job_state.opened(folder, is_new=False) as state:
        run = await state.last_run()
    if run is None:
        raise job_state.NotRunYet("the job has not been run yet: there is nothing to report")
    rows = await landed(file, run)
    where = path or folder / f"report-{run.id}.html"
    await asyncio.to_thread(where.write_text, reporting.page(run, rows), encoding="utf-8")
    return run, where


async def landed(file: JobFile, run: Run) -> Sequence[Mapping[str, Any]]:
    """Some of the rows that landed, without private columns. Raises `SinkFailed` where they cannot be read."""
    sink, _ = tables.sinks_of(file, pa.schema([]), pa.schema([]), run.fingerprint)
    rows = await asyncio.to_thread(sink.some, reporting.ROWS)
    return [{name: value for name, value in row.items() if name not in file.job.private} for row in rows]


async def _failed(file: JobFile, state: JobState) -> FailedRows:
    """The rows to ask again: those of a retry that is not at its end, or those that are in the quarantine now."""
    last = await state.last_run()
    version = last.retried if last is not None and last.status != "completed" else None
    return await asyncio.to_thread(failed_rows, file, version)


async def foresee(
    file: JobFile, folder: Path, *, sample: int = planning.SAMPLE, environ: Mapping[str, str] = os.environ
) -> Plan:
    """What a run of a job would do and cost from where it is. A sample of prompts is asked, and paid, for that.

    It counts in the job's limits, and its answers are kept for the run. With a `sample` of 0 nothing is asked.
    Raises as `run` does; `RunStopped` and `LimitReached` where the sample cannot be asked, `SinkFailed` where its rows
    could not land.
    """
    async with job_state.opened(folder) as state:
        with state.lease():
            prepared = await asyncio.to_thread(prepare, file, folder)
            record = await record_of(prepared, state)
            sink, quarantine = sinks_of(prepared)
            landed = await asyncio.to_thread(sink.landed) * file.job.chunk_rows
            batches = read_chunks(prepared.source, file.job.chunk_rows)
            counts = await planning.count(prepared.question, batches, state, landed=landed, sample=sample)
            sampled = planning.Sampled()
            if counts.sample:
                await asyncio.to_thread(require_writable, sink, quarantine, file.job.on_error)
                async with hosts.opened(file.job.deployment, environ) as host:
                    state.run = record
                    asker = asker_of(prepared, record, host)
                    enricher = Enricher(prepared.question, asker, state, label_of(prepared, record))
                    try:
                        sampled = await planning.ask(
                            prepared.question, counts, enricher, state, hidden=file.job.private
                        )
                    finally:
                        await state.note(record)
            return planning.planned(
                prepared.question,
                counts,
                sampled,
                planning.Told(
                    job=record.job,
                    fingerprint=record.fingerprint,
                    source_version=record.source_version,
                    limits=file.job.limits,
                    spent=record.spent,
                    tariff=prepared.tariff,
                ),
            )


def _found(job: str | Path | JobFile, state: str | Path | None) -> tuple[JobFile, Path]:
    file = job if isinstance(job, JobFile) else load(Path(job))
    return file, state_folder(file, None if state is None else Path(state))

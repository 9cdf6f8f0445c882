"""What the commands of `forehearth enrich` do, with the libraries of tables at hand."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from forehearth import enrich
from forehearth.cli.output import CommandFailed, Exit
from forehearth.enrich import work
from forehearth.enrich.following import Follower
from forehearth.enrich.work import Deed, to_the_end
from forehearth.enrichment import job_state
from forehearth.enrichment.asking import RunStopped
from forehearth.enrichment.budget import LimitReached
from forehearth.enrichment.plan import SAMPLE, Plan
from forehearth.enrichment.run_record import Run
from forehearth.enrichment.runner import Runner
from forehearth.enrichment.sink import SinkFailed


def carry_on(job: Path, state: Path | None, show: Callable[[Run], None], deed: Deed) -> Run:
    """Run a job, or go on with it. Ctrl-C and SIGTERM end it in good order; once more, at once."""
    file = enrich.load(job)
    folder = enrich.state_folder(file, state)

    async def work() -> Run:
        return await enrich.carry_on(file, folder, show=show, ready=_heed_signals, deed=deed)

    return to_the_end(work())


def follow(
    job: Path,
    state: Path | None,
    every: float | None,
    show: Callable[[Run], None],
    landed: Callable[[str, Run], None],
    gone: Callable[[str], None],
) -> Run | None:
    """Follow a job's source until somebody ends it; the answer is a run that came to no good end."""
    file = enrich.load(job)
    follower = Follower(file, enrich.state_folder(file, state), show=show, landed=landed, gone=gone)

    async def work() -> Run | None:
        _heed(follower.stop)
        return await follower.follow(every)

    return to_the_end(work())


def plan(job: Path, state: Path | None, sample: int | None) -> Plan:
    """What a run of a job would do and cost."""
    file = enrich.load(job)
    asking = enrich.foresee(file, enrich.state_folder(file, state), sample=SAMPLE if sample is None else sample)
    try:
        return to_the_end(asking)
    except LimitReached as limit:
        remedy = f"Raise limits.{limit.limit} in {job}, or ask nothing: --no-sample."
        raise CommandFailed(f"there is no room for the sample: {limit}", remedy, Exit.INCOMPLETE) from limit
    except (RunStopped, SinkFailed) as error:
        raise CommandFailed(f"the job cannot be planned: {error}") from error


def report(job: Path, state: Path | None, path: Path | None) -> tuple[Run, Path]:
    """Write the report of a job's last run."""
    file = enrich.load(job)
    try:
        with _run_before(job):
            return to_the_end(work.report(file, enrich.state_folder(file, state), path))
    except SinkFailed as error:
        raise CommandFailed(f"what landed cannot be read: {error}") from error


def look(job: Path, state: Path | None) -> tuple[Run, bool]:
    """The last run of a job, and whether a process works on it."""

    async def work() -> tuple[Run, bool]:
        async with job_state.opened(_folder(job, state), is_new=False) as opened:
            return await _last(opened), opened.is_leased()

    with _run_before(job):
        return asyncio.run(work())


def cancel(job: Path, state: Path | None) -> Run:
    """Ask the process that works on a job to end it."""

    async def work() -> Run:
        async with job_state.opened(_folder(job, state), is_new=False) as opened:
            found = await _last(opened)
            if not opened.is_leased():
                raise CommandFailed("no process works on this job", f"It is {found.status}: nothing is to be ended.")
            await opened.ask_cancel(found)
            return found

    with _run_before(job):
        return asyncio.run(work())


@contextlib.contextmanager
def _run_before(job: Path) -> Iterator[None]:
    """See that what is done needs a run, and say how to have one."""
    try:
        yield
    except job_state.NotRunYet as error:
        raise CommandFailed("the job has not been run yet", f"forehearth enrich run {job}") from error


async def _last(state: job_state.JobState) -> Run:
    found = await state.last_run()
    if found is None:
        raise job_state.NotRunYet("the job has not been run yet")
    return found


def _folder(job: Path, state: Path | None) -> Path:
    return enrich.state_folder(enrich.load(job, os.environ), state)


def _heed_signals(runner: Runner) -> None:
    _heed(lambda: runner.stop("interrupted"))


def _heed(stop: Callable[[], None]) -> None:
    """Stop at the first Ctrl-C or SIGTERM; the second one ends the process."""
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)

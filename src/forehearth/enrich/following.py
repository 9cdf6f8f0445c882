"""Follows a source: what comes in is enriched as it comes, each file or version by a run of its own."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from forehearth.enrich import hosts
from forehearth.enrich.composing import Show, begin, fingerprint_of, prepare_of, record_of, runner_of
from forehearth.enrich.work import attempt
from forehearth.enrichment import job_state, spec
from forehearth.enrichment.arrivals import Arrival, arrivals, forget_changes
from forehearth.enrichment.asking import Host
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.job_state import JobState
from forehearth.enrichment.run_record import Run
from forehearth.enrichment.runner import Runner

Landed = Callable[[str, Run], None]
"""Told of each file or version that has landed: its name, and its run."""


class Follower:
    """Follows one job's source. `show` is told of what is under way, `landed` of what has landed."""

    def __init__(
        self, file: JobFile, folder: Path, *, show: Show = lambda _: None, landed: Landed = lambda _, __: None
    ) -> None:
        self._file = file
        self._folder = folder
        self._question = spec.of_job(file.job)
        self._show = show
        self._landed = landed
        self._stopping = asyncio.Event()
        self._runner: Runner | None = None
        self._known: set[tuple[str, int, int]] = set()

    def stop(self) -> None:
        """Begin nothing more, and end what is under way in good order."""
        self._stopping.set()
        if self._runner is not None:
            self._runner.stop("interrupted")

    async def follow(self, every: float | None, environ: Mapping[str, str] = os.environ) -> Run | None:
        """Look for what came in `every` so many seconds; with None once, for what is there.

        Returns when it is stopped; else the run that could not be completed. Raises as `work.run` does.
        """
        async with job_state.opened(self._folder) as state:
            with state.lease():
                async with hosts.opened(self._file.job.deployment, environ) as host:
                    while not self._stopping.is_set():
                        unfinished = await self._look(state, host)
                        if unfinished is not None or every is None:
                            return unfinished
                        await self._pause(state, every)
        return None

    async def _look(self, state: JobState, host: Host) -> Run | None:
        """Enrich what is there and not yet known. The answer is a run that came to no good end."""
        come = await asyncio.to_thread(arrivals, self._file, self._folder, self._known, time.time())
        for each in come:
            if self._stopping.is_set():
                break
            ended = await self._one(each, state, host)
            if ended.status != "completed":
                return None if self._stopping.is_set() and ended.status == "interrupted" else ended
            self._known.add(each.key)
        return None

    async def _one(self, arrival: Arrival, state: JobState, host: Host) -> Run:
        if arrival.version is not None:
            fingerprint = fingerprint_of(self._file.job, self._question, arrival.version)
            before = await state.last_run(fingerprint)
            if before is not None and before.status == "completed":
                return before
        prepared = await asyncio.to_thread(lambda: prepare_of(self._file, arrival.open()))
        record = await record_of(prepared, state)
        if record.status == "completed":
            return record
        begin(record, only_resume=False)
        self._runner = runner_of(prepared, record, state, host, self._show)
        ended = await attempt(prepared, self._runner, state)
        self._runner = None
        if ended.status == "completed":
            await asyncio.to_thread(forget_changes, self._folder)
            self._landed(arrival.name, ended)
        return ended

    async def _pause(self, state: JobState, seconds: float) -> None:
        """Wait until it is time to look again, or somebody wants this to end."""
        if state.run is not None and await state.cancel_asked(state.run):
            await state.forget_cancel(state.run)
            self._stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

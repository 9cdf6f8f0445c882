"""Follows a source: what comes in is enriched as it comes.

Each file, and each version of a Delta table, is a run of its own; a topic is one run that has no end.
"""

import asyncio
import contextlib
import importlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from forehearth.core.errors import Misconfigured
from forehearth.core.kafka_settings import KafkaSource
from forehearth.enrich import hosts
from forehearth.enrich.composing import Show, begin, fingerprint_of, prepare_of, record_of, runner_of
from forehearth.enrich.work import attempt, require_no_retry
from forehearth.enrichment import job_state, spec, tables
from forehearth.enrichment.arrivals import Arrival, arrivals, forget_changes
from forehearth.enrichment.asking import Host
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.job_state import JobState
from forehearth.enrichment.run_record import Run
from forehearth.enrichment.runner import Runner

Landed = Callable[[str, Run], None]
"""Told of each file or version that has landed: its name, and its run."""
TOPIC: Final = "forehearth.enrichment.sources.kafka"
STREAM: Final = "forehearth.enrichment.stream"
"""Loaded where a job has such a source, because its library is an extra of its own."""


class Follower:
    """Follows one job's source.

    `show` is told of what is under way, `landed` of what has landed, `gone` of names that are not there any more.
    """

    def __init__(
        self,
        file: JobFile,
        folder: Path,
        *,
        show: Show = lambda _: None,
        landed: Landed = lambda _, __: None,
        gone: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._file = file
        self._folder = folder
        self._question = spec.of_job(file.job)
        self._show = show
        self._landed = landed
        self._gone = gone
        self._sink = ""
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
                    if isinstance(self._file.job.source, KafkaSource):
                        return await self._stream(self._file.job.source, every, state, host)
                    while not self._stopping.is_set():
                        unfinished = await self._look(state, host)
                        if unfinished is not None or every is None:
                            return unfinished
                        await self._pause(state, every)
        return None

    async def _look(self, state: JobState, host: Host) -> Run | None:
        """Enrich what is there and not yet known. The answer is a run that came to no good end."""
        come = await asyncio.to_thread(arrivals, self._file, self._folder, self._known, time.time())
        if come:
            self._sink = await asyncio.to_thread(tables.sink_identity, self._file)
        for each in come:
            if self._stopping.is_set():
                break
            try:
                ended = await self._one(each, state, host)
            except Misconfigured:
                if not await asyncio.to_thread(each.is_gone):
                    raise
                self._gone(each.name)
                continue
            if ended.status != "completed":
                return self._unless_stopped(ended)
            self._known.add(each.key)
        return None

    async def _one(self, arrival: Arrival, state: JobState, host: Host) -> Run:
        if arrival.version is not None:
            fingerprint = fingerprint_of(self._file.job, self._question, arrival.version)
            before = await state.last_run(fingerprint)
            if before is not None and self._is_there(before):
                return before
        prepared = await asyncio.to_thread(lambda: prepare_of(self._file, arrival.open()))
        record = await record_of(prepared, state)
        if self._is_there(record):
            return record
        await require_no_retry(record, state)
        begin(record, only_resume=False)
        self._runner = runner_of(prepared, record, state, host, self._show)
        ended = await attempt(prepared, self._runner, state)
        self._runner = None
        if ended.status == "completed":
            ended.sink = self._sink = self._sink or await asyncio.to_thread(tables.sink_identity, self._file)
            await state.note(ended)
            await asyncio.to_thread(forget_changes, self._folder)
            self._landed(arrival.name, ended)
        return ended

    def _is_there(self, run: Run) -> bool:
        """Whether a run's rows are in the sink as it is now: another one, or one that was made anew, has none."""
        return run.status == "completed" and bool(self._sink) and run.sink == self._sink

    async def _stream(self, source: KafkaSource, every: float | None, state: JobState, host: Host) -> Run | None:
        """Enrich a topic's messages, those that are there or without end. See `follow`."""
        opening, streaming = importlib.import_module(TOPIC), importlib.import_module(STREAM)
        topic: Any = await asyncio.to_thread(opening.Topic, source, self._file.name)
        try:
            prepared = prepare_of(self._file, topic.source)
            record = await record_of(prepared, state)
            await require_no_retry(record, state)
            begin(record, only_resume=False)
            stream = streaming.Stream(
                topic,
                size=self._file.job.chunk_rows,
                linger=every,
                patience=self._file.job.patience_seconds,
                newest=source.start == "latest",
                warn=record.warnings.append,
            )
            self._runner = runner_of(prepared, record, state, host, self._show, stream.pieces)
            if self._stopping.is_set():
                self._runner.stop("interrupted")
            ended = await attempt(prepared, self._runner, state)
        finally:
            await asyncio.to_thread(topic.close)
        if ended.status == "completed":
            self._landed(source.topic, ended)
            return None
        return self._unless_stopped(ended)

    def _unless_stopped(self, run: Run) -> Run | None:
        """A run that came to no good end, unless somebody wanted that."""
        return None if run.status == "cancelled" or (run.status == "interrupted" and self._stopping.is_set()) else run

    async def _pause(self, state: JobState, seconds: float) -> None:
        """Wait until it is time to look again, or somebody wants this to end."""
        if state.run is not None and await state.cancel_asked(state.run):
            await state.forget_cancel(state.run)
            self._stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

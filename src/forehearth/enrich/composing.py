"""The parts of a job put together: its source and question, its host and sinks, the run that goes on."""

import os
import random
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from forehearth.accounting import prices
from forehearth.accounting.prices import PriceList, Tariff
from forehearth.core.clock import SystemClock
from forehearth.core.enrichment_settings import CsvSource, Job
from forehearth.core.errors import Misconfigured
from forehearth.core.ids import request_ids
from forehearth.core.kafka_settings import KafkaSource
from forehearth.enrichment import columns, embedding, lineage, spec, tables
from forehearth.enrichment.arrow import pa
from forehearth.enrichment.asking import Asker, Host
from forehearth.enrichment.budget import Budget
from forehearth.enrichment.columns import ERROR, Label
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.failed_rows import OF_FAILURES, FailedRows, forget
from forehearth.enrichment.gate import Gate
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.job_state import JobState
from forehearth.enrichment.places import QUARANTINE, place
from forehearth.enrichment.run_record import Run
from forehearth.enrichment.runner import Plumbing, Runner, quarantine_schema
from forehearth.enrichment.sink import Sink
from forehearth.enrichment.source import Pieces, Source, pieces_of

Show = Callable[[Run], None]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A job whose source is open and fits what is asked."""

    file: JobFile
    source: Source
    question: spec.Spec
    fingerprint: str
    tariff: Tariff | None
    failed: FailedRows | None = None
    """The rows that the source has, where these are those that failed before."""


def prepare(file: JobFile, state: Path, failed: FailedRows | None = None) -> Prepared:
    """Open a job's source, and see that it has what is asked for. It blocks. Raises `Misconfigured`."""
    return prepare_of(file, tables.source_of(file, state) if failed is None else failed.source, failed)


def prepare_of(file: JobFile, source: Source, failed: FailedRows | None = None) -> Prepared:
    """The same of a source that is open."""
    question = spec.of_job(file.job)
    columns.check(question, source.schema, file.job.key)
    if file.job.on_error == "quarantine":
        _check_quarantine(source.schema)
    return Prepared(
        file=file,
        source=source,
        question=question,
        fingerprint=fingerprint_of(file.job, question, source.version),
        tariff=tariff_of(file.job, time.time()),
        failed=failed,
    )


def _check_quarantine(schema: Any) -> None:
    """See that the columns of failed rows have room beside the source's. Raises `Misconfigured`."""
    for name in OF_FAILURES:
        if name in schema.names:
            raise Misconfigured(
                f"the source has a column '{name}', which the quarantine needs: rename it, or have 'on_error' be keep"
            )


def fingerprint_of(job: Job, question: spec.Spec, source_version: str) -> str:
    """What tells a job from one with other results: what is asked of what, and how it lands. Limits are not in it."""
    # The pieces of a topic begin and end where its messages happen to come.
    size = None if isinstance(job.source, KafkaSource) else job.chunk_rows
    asked = job.prompt if job.function is None else job.function
    lands = [asked, job.output or spec.ANSWER, job.mode, job.key, job.on_error, job.columns, size, _read_as(job)]
    return spec.digest(question.asked().hex(), source_version, *lands).hex()


def _read_as(job: Job) -> object:
    """What decides, besides the bytes of a source, which values its rows have."""
    source = job.source
    if isinstance(source, CsvSource):
        return [source.delimiter, sorted(source.types.items())]
    return list(source.columns.items()) if isinstance(source, KafkaSource) else None


async def record_of(prepared: Prepared, state: JobState) -> Run:
    """The run to go on with, or a new one."""
    run = await state.last_run(prepared.fingerprint)
    if run is None:
        clock = SystemClock()
        now = clock.unix()
        run = Run(
            id=request_ids(random.SystemRandom().getrandbits(64), clock)(),
            job=prepared.file.name,
            fingerprint=prepared.fingerprint,
            source_version=prepared.source.version,
            started=now,
            updated=now,
            retried=None if prepared.failed is None else prepared.failed.version,
        )
    run.rows = prepared.source.rows
    job = prepared.file.job
    run.currency = "USD" if prepared.tariff is None else prepared.tariff.currency
    if job.on_error == "quarantine":
        run.quarantine = place(job.sink.path, prepared.file.folder) + QUARANTINE
    return run


def lineage_of(prepared: Prepared) -> lineage.Told | None:
    """What this attempt at the run tells of itself; None where it tells nothing."""
    job = prepared.file.job
    if job.lineage is None:
        return None
    return lineage.Told(
        job=job,
        folder=prepared.file.folder,
        namespace=job.lineage.namespace,
        attempt=str(uuid.uuid4()),
        source_schema=prepared.source.schema,
        sink_schema=landing(prepared.question, prepared.source, job),
        asked=prepared.question.template.columns,
        answers=list(prepared.question.answers),
    )


def begin(run: Run, *, only_resume: bool) -> None:
    """It is worked on from now on. Raises `Misconfigured` where there has to be something to go on with, and is not."""
    if only_resume and run.status in ("planned", "completed"):
        raise Misconfigured("this job, as it and its source are now, has no run to go on with: 'forehearth enrich run'")
    run.process = os.getpid()
    run.status, run.reason, run.limit, run.ended, run.warnings = "running", "", "", None, []


def asker_of(prepared: Prepared, record: Run, host: Host) -> Asker:
    """Who asks, within what the run has left of the job's limits."""
    job, clock = prepared.file.job, SystemClock()
    return embedding.asker_of(prepared.question)(
        prepared.question,
        host,
        gate=Gate(job.concurrency, clock.monotonic),
        budget=Budget(job.limits, record.spent, prepared.tariff, clock.monotonic),
        clock=clock,
        retries=job.retries,
        patience=job.patience_seconds,
    )


def label_of(prepared: Prepared, record: Run) -> Label:
    """What is the same for all rows of a run."""
    return Label(spec=prepared.fingerprint, source_version=prepared.source.version, run_id=record.id)


def sinks_of(prepared: Prepared) -> tuple[Sink, Sink]:
    """Where rows go, and where failed rows go. Nothing is written yet."""
    job, schema = prepared.file.job, prepared.source.schema
    lands = landing(prepared.question, prepared.source, job)
    failed = quarantine_schema(schema) if job.on_error == "quarantine" else pa.schema([])
    return tables.sinks_of(prepared.file, lands, failed, prepared.fingerprint)


def runner_of(
    prepared: Prepared, record: Run, state: JobState, host: Host, show: Show, pieces: Pieces | None = None
) -> Runner:
    """The run with all that it is made of. `show` is told whenever something changed.

    `pieces` are what lands, where that is not the rows of the source from the first on.
    """
    job, asker = prepared.file.job, asker_of(prepared, record, host)
    sink, quarantine = sinks_of(prepared)
    plumbing = Plumbing(
        pieces=pieces or pieces_of(prepared.source, job.chunk_rows),
        aside=prepared.source.aside,
        enricher=Enricher(prepared.question, asker, state, label_of(prepared, record)),
        asker=asker,
        sink=sink,
        quarantine=quarantine,
        state=state,
        clock=SystemClock(),
        chunk_rows=job.chunk_rows,
        on_error=job.on_error,
        finish=lambda: None if prepared.failed is None else forget(prepared.file, prepared.failed),
        note={
            "forehearth.run": record.id,
            "forehearth.job": record.job,
            "forehearth.source_version": prepared.source.version,
        },
    )
    return Runner(record, plumbing, show)


def landing(question: spec.Spec, source: Source, job: Job) -> Any:
    """The columns of rows as they land: those that tell of failed rows are among them where such rows land too."""
    apart = () if job.on_error == "keep" else (ERROR, *source.aside)
    fields = [*source.schema, *columns.added(question)]
    return pa.schema([each for each in fields if each.name not in apart])


def tariff_of(job: Job, now: float) -> Tariff | None:
    """What tokens cost at a time; None where the job does not say. Raises `Misconfigured` for a model not listed."""
    if job.prices is not None:
        return prices.configured(job.prices)
    if job.price_as is None:
        return None
    provider, _, model = job.price_as.partition("/")
    tariff = prices.at(PriceList.shipped().find(provider, model), now)
    if tariff is None:
        raise Misconfigured(f"price_as: the price list has no '{model}' of '{provider}': give prices instead")
    return tariff

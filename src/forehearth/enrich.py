"""Enrichment put together: a job file, its tables, its host and its state become a run. The command line calls this.

from forehearth import enrich
run = enrich.run("triage.yaml")
print(run.status, run.done, run.failed)
"""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from forehearth.accounting import prices
from forehearth.accounting.prices import PriceList, Tariff
from forehearth.core.clock import SystemClock
from forehearth.core.enrichment_settings import Job, JobDeployment
from forehearth.core.errors import Misconfigured
from forehearth.core.ids import request_ids
from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings
from forehearth.enrichment import columns, job_file, job_state, spec, tables
from forehearth.enrichment import plan as planning
from forehearth.enrichment.arrow import pa
from forehearth.enrichment.asking import Asker, Host
from forehearth.enrichment.budget import Budget
from forehearth.enrichment.columns import ERROR, Label
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.gate import Gate
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.job_state import JobState
from forehearth.enrichment.plan import Plan
from forehearth.enrichment.run_record import Run
from forehearth.enrichment.runner import Plumbing, Runner, quarantine_schema
from forehearth.enrichment.sink import Sink
from forehearth.enrichment.source import KEPT, Source, read_chunks
from forehearth.providers.openai_compatible import OpenAICompatibleSettings
from forehearth.registry import PROVIDERS, Surroundings
from forehearth.server.data_directory import DataDirectory, default_path
from forehearth.server.development_key import stored_key
from forehearth.transport.client import HttpClient

HOSTS: Final[Mapping[str, type[ProviderSettings]]] = {
    name: kind.settings for name, kind in PROVIDERS.items() if name != "embedded"
}
"""Kinds of host that a job can ask. Embedded models are asked through a server."""

_DEFAULT_URL: Final = "http://127.0.0.1:8080"

Ready = Callable[[Runner], None]
Show = Callable[[Run], None]


def load(path: Path, environ: Mapping[str, str] = os.environ) -> JobFile:
    """The job in a file. Raises `ConfigError`."""
    return job_file.read(path, providers=HOSTS, environ=environ)


def state_folder(file: JobFile, state: Path | None) -> Path:
    """Where a job's state is: in `state`, or in `.forehearth` beside its file."""
    return (state if state is not None else file.folder / job_state.FOLDER) / file.name


def run(path: str | Path, state: str | Path | None = None, show: Show = lambda _: None) -> Run:
    """Run a job file to its end, or go on with it. The answer says how it ended.

    Raises `ConfigError` for a file that is wrong, and `Misconfigured` for tables or a host that cannot be used.
    """
    file = load(Path(path))
    folder = state_folder(file, None if state is None else Path(state))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(carry_on(file, folder, show=show))


async def carry_on(
    file: JobFile,
    folder: Path,
    *,
    show: Show = lambda _: None,
    ready: Ready = lambda _: None,
    environ: Mapping[str, str] = os.environ,
    only_resume: bool = False,
) -> Run:
    """Run a job to its end from where it is. `ready` is told when it begins, so that it can be stopped.

    With `only_resume` a job of which nothing is left undone is refused. Raises as `run` does.
    """
    async with job_state.opened(folder) as state:
        with state.lease():
            prepared = await asyncio.to_thread(prepare, file, folder)
            record = await _record(prepared, state)
            _begin(record, only_resume=only_resume)
            async with _host(file.job.deployment, environ) as host:
                runner = _runner(prepared, record, state, host, show)
                await state.forget_cancel(record)
                await state.note(record)
                ready(runner)
                ended = await runner.go()
            if ended.status == "completed":
                (folder / KEPT).unlink(missing_ok=True)
            return ended


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A job whose source is open and fits what is asked."""

    file: JobFile
    source: Source
    question: spec.Spec
    fingerprint: str
    tariff: Tariff | None


def prepare(file: JobFile, state: Path) -> Prepared:
    """Open a job's source, and see that it has what is asked for. It blocks. Raises `Misconfigured`."""
    source = tables.source_of(file, state)
    question = spec.of_job(file.job)
    columns.check(question, source.schema, file.job.key)
    return Prepared(
        file=file,
        source=source,
        question=question,
        fingerprint=fingerprint_of(file.job, question, source),
        tariff=tariff_of(file.job, time.time()),
    )


def fingerprint_of(job: Job, question: spec.Spec, source: Source) -> str:
    """What tells a job from one with other results: what is asked of what, and how it lands. Limits are not in it."""
    host = job.deployment.backend
    kind = type(host).__name__ if host is not None else ""
    address = getattr(host, "address", "") if host is not None else ""
    lands = [job.prompt, job.output, job.mode, job.key, job.on_error, job.columns, job.chunk_rows]
    return spec.digest(question.asked().hex(), kind, address, source.version, *lands).hex()


async def plan(
    file: JobFile, folder: Path, *, sample: int = planning.SAMPLE, environ: Mapping[str, str] = os.environ
) -> Plan:
    """What a run of a job would do and cost from where it is. A sample of prompts is asked, and paid, for that.

    It counts in the job's limits, and its answers are kept for the run. With a `sample` of 0 nothing is asked.
    Raises as `run` does; `RunStopped` and `LimitReached` where the sample cannot be asked.
    """
    async with job_state.opened(folder) as state:
        with state.lease():
            prepared = await asyncio.to_thread(prepare, file, folder)
            record = await _record(prepared, state)
            sink, _ = _sinks(prepared)
            landed = await asyncio.to_thread(sink.landed) * file.job.chunk_rows
            batches = read_chunks(prepared.source, file.job.chunk_rows)
            counts = await planning.count(prepared.question, batches, state, landed=landed, sample=sample)
            sampled = planning.Sampled()
            if counts.sample:
                async with _host(file.job.deployment, environ) as host:
                    state.run = record
                    asker = _asker(prepared, record, host)
                    enricher = Enricher(prepared.question, asker, state, _label(prepared, record))
                    try:
                        sampled = await planning.ask(prepared.question, counts, enricher, state)
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


async def _record(prepared: Prepared, state: JobState) -> Run:
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
        )
    run.rows = prepared.source.rows
    return run


def _begin(run: Run, *, only_resume: bool) -> None:
    """It is worked on from now on. Raises `Misconfigured` where there has to be something to go on with, and is not."""
    if only_resume and run.status in ("planned", "completed"):
        raise Misconfigured("this job, as it and its source are now, has no run to go on with: 'forehearth enrich run'")
    run.process = os.getpid()
    run.status, run.reason, run.limit, run.ended = "running", "", "", None


def _asker(prepared: Prepared, record: Run, host: Host) -> Asker:
    job, clock = prepared.file.job, SystemClock()
    return Asker(
        prepared.question,
        host,
        gate=Gate(job.concurrency, clock.monotonic),
        budget=Budget(job.limits, record.spent, prepared.tariff, clock.monotonic),
        clock=clock,
        retries=job.retries,
        patience=job.patience_seconds,
    )


def _label(prepared: Prepared, record: Run) -> Label:
    return Label(spec=prepared.fingerprint, source_version=prepared.source.version, run_id=record.id)


def _sinks(prepared: Prepared) -> tuple[Sink, Sink]:
    schema = prepared.source.schema
    lands = landing(prepared.question, schema, prepared.file.job)
    return tables.sinks_of(prepared.file, lands, quarantine_schema(schema), prepared.fingerprint)


def _runner(prepared: Prepared, record: Run, state: JobState, host: Host, show: Show) -> Runner:
    job, asker = prepared.file.job, _asker(prepared, record, host)
    sink, quarantine = _sinks(prepared)
    plumbing = Plumbing(
        source=prepared.source,
        enricher=Enricher(prepared.question, asker, state, _label(prepared, record)),
        asker=asker,
        sink=sink,
        quarantine=quarantine,
        state=state,
        clock=SystemClock(),
        chunk_rows=job.chunk_rows,
        on_error=job.on_error,
        note={
            "forehearth.run": record.id,
            "forehearth.job": record.job,
            "forehearth.source_version": prepared.source.version,
        },
    )
    return Runner(record, plumbing, show)


def landing(question: spec.Spec, schema: Any, job: Job) -> Any:
    """The columns of rows as they land: `_error` is among them where failed rows land too."""
    added = columns.added(question)
    fields = [each for each in added if each.name != ERROR or job.on_error == "keep"]
    return pa.schema([*schema, *fields])


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


@contextlib.asynccontextmanager
async def _host(deployment: JobDeployment, environ: Mapping[str, str]) -> AsyncIterator[Host]:
    settings = deployment.backend or _server_here(environ)
    kind = next(kind for kind in PROVIDERS.values() if kind.settings is type(settings))
    async with HttpClient() as http:
        around = Surroundings(http=http, environ=environ, embedded_socket="")
        opened = kind.open(deployment.name, settings, around)
        async with around.tokens:
            await around.tokens.begin()
            yield Host(provider=opened.provider, sender=opened.sender)


def _server_here(environ: Mapping[str, str]) -> OpenAICompatibleSettings:
    """The server that the environment names, or the one whose data directory is here. Raises `Misconfigured`."""
    data = DataDirectory(path=default_path(environ))
    key = environ.get("FOREHEARTH_API_KEY")
    secret = Secret(key) if key else stored_key(data)
    if secret is None:
        raise Misconfigured(
            "deployment: no server runs here and none is named: set FOREHEARTH_URL and FOREHEARTH_API_KEY, "
            "or name a host under deployment.backend"
        )
    url = environ.get("FOREHEARTH_URL") or _told(data)
    return OpenAICompatibleSettings(base_url=url.rstrip("/") + "/openai/v1", api_key=secret)


def _told(data: DataDirectory) -> str:
    """Where the server of a data directory says that it is."""
    with contextlib.suppress(OSError):
        told = (data.run / "addresses").read_text(encoding="utf-8").split()
        plain = [each for each in told if each.startswith("http://")]
        if plain:
            return plain[0]
    return _DEFAULT_URL

"""Jobs and tables from Python: any frame that speaks Arrow (pyarrow, Polars, DuckDB, pandas 3) is a source."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.core.clock import SystemClock
from forehearth.core.errors import Misconfigured
from forehearth.enrich import hosts
from forehearth.enrich.composing import tariff_of
from forehearth.enrich.work import to_the_end
from forehearth.enrichment import columns, job_file, job_state, spec
from forehearth.enrichment.answers import NoCache
from forehearth.enrichment.arrow import pa, parquet, plain
from forehearth.enrichment.budget import Budget, Spent
from forehearth.enrichment.embedding import asker_of
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.gate import Gate
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.source import chunks

_FRAME: Final = "frame.parquet"


def job(name: str, frame: Any = None, *, folder: str | Path = ".", **members: Any) -> JobFile:
    """A job in Python: `members` are the keys of a job file, and `frame` is its source where it has none.

    A frame is written into the job's state, so that the run can go on in another process. Raises `ConfigError` for
    members that are wrong, told by their keys.
    """
    where = Path(folder).absolute()
    if frame is not None:
        path = where / job_state.FOLDER / name / _FRAME
        job_state.make(path.parent)
        _write(frame, path)
        members["source"] = {"format": "parquet", "path": str(path)}
    text = msgspec.json.encode({"version": 1, "name": name, **members}).decode()
    return job_file.read_text(text, where, providers=hosts.HOSTS, environ=os.environ)


def table(frame: Any, **members: Any) -> Any:
    """A frame with its answers beside it, as a `pyarrow.Table`, all of it in memory; nothing is kept for another time.

    `members` are the keys of a job file, without source and sink. A row without an answer has the reason in `_error`.
    Raises as `job` does; `RunStopped` and `LimitReached` where not all rows could be asked.
    """
    nowhere = {"source": {"format": "parquet", "path": "-"}, "sink": {"format": "parquet", "path": "-"}}
    text = msgspec.json.encode({"version": 1, "name": "table", **nowhere, **members}).decode()
    file = job_file.read_text(text, Path.cwd(), providers=hosts.HOSTS, environ=os.environ)
    return to_the_end(_enriched(_reader(frame), file, os.environ))


async def _enriched(reader: Any, file: JobFile, environ: Mapping[str, str]) -> Any:
    question, clock = spec.of_job(file.job), SystemClock()
    columns.check(question, reader.schema)
    async with hosts.opened(file.job.deployment, environ) as host:
        asker = asker_of(question)(
            question,
            host,
            gate=Gate(file.job.concurrency, clock.monotonic),
            budget=Budget(file.job.limits, Spent(), tariff_of(file.job, clock.unix()), clock.monotonic),
            clock=clock,
            retries=file.job.retries,
            patience=file.job.patience_seconds,
        )
        enricher = Enricher(question, asker, Remembered())
        found = [await enricher.enrich(each) for each in chunks(iter(reader), file.job.chunk_rows)]
    return pa.Table.from_batches(found, schema=pa.schema([*reader.schema, *columns.added(question)]))


class Remembered(NoCache):
    """Answers of one table, so that none of its prompts is asked twice."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Any] = {}

    async def find(self, prompts: Any) -> Mapping[bytes, Any]:
        """See `answers.AnswerCache`."""
        return {each: self._kept[each] for each in prompts if each in self._kept}

    async def keep(self, answers: Mapping[bytes, Any]) -> None:
        """See `answers.AnswerCache`."""
        self._kept.update(answers)


def _reader(frame: Any) -> Any:
    """The batches of a frame. Raises `Misconfigured` for what is none."""
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame]).to_reader()
    if hasattr(frame, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(frame)
        schema = plain(reader.schema)
        if schema == reader.schema:
            return reader
        return pa.RecordBatchReader.from_batches(schema, (each.cast(schema) for each in reader))
    raise Misconfigured(
        f"a {type(frame).__name__} is no frame of Arrow: give a pyarrow or Polars table, "
        "or anything else that has __arrow_c_stream__"
    )


def _write(frame: Any, path: Path) -> None:
    reader, beside = _reader(frame), path.with_name(f".{_FRAME}.{os.getpid()}")
    with parquet.ParquetWriter(beside, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    beside.replace(path)

"""Which part reads and writes which kind of table: a line a kind."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from forehearth.core.enrichment_settings import (
    DeltaSink,
    DeltaSource,
    PostgresSource,
)
from forehearth.core.errors import Misconfigured
from forehearth.core.kafka_settings import KafkaSource
from forehearth.enrichment.arrow import pa
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.places import QUARANTINE, options, place
from forehearth.enrichment.sink import Sink
from forehearth.enrichment.sinks.delta import DeltaTableSink
from forehearth.enrichment.sinks.parquet import ParquetFolder
from forehearth.enrichment.source import Source
from forehearth.enrichment.sources.delta import open_delta
from forehearth.enrichment.sources.files import OPENERS

POSTGRES: Final = "forehearth.enrichment.sources.postgres"
"""Loaded where a job has such a source, because its driver is an extra of its own."""

SOURCES: Final[Mapping[type, Callable[[Any, Path], Source]]] = {
    DeltaSource: open_delta,
    **{kind: opened for kind, (opened, _) in OPENERS.items()},
}


def source_of(file: JobFile, state: Path) -> Source:
    """The source, opened; what has to be kept of it is kept in a folder. It blocks. Raises `Misconfigured`."""
    if isinstance(file.job.source, KafkaSource):
        raise Misconfigured("source: a topic has no end: 'forehearth enrich follow', with --once for what is there now")
    if isinstance(file.job.source, PostgresSource):
        found: Source = _postgres().open_postgres(file.job.source, state)
        return found
    return SOURCES[type(file.job.source)](file.job.source, file.folder)


def _postgres() -> Any:
    try:
        return importlib.import_module(POSTGRES)
    except Misconfigured as error:  # which speaks of the server's store
        raise Misconfigured(
            "source: PostgreSQL needs asyncpg, which cannot be loaded: pip install 'forehearth[postgres]'"
        ) from error


def sinks_of(file: JobFile, schema: Any, failed: Any, fingerprint: str) -> tuple[Sink, Sink]:
    """The sink for rows of one schema, and the quarantine for failed ones of another. Nothing is written yet."""
    sink = file.job.sink
    where = place(sink.path, file.folder)
    if not isinstance(sink, DeltaSink):
        main = ParquetFolder(Path(where), application=fingerprint, schema=schema)
        return main, ParquetFolder(Path(where + QUARANTINE), application=fingerprint, schema=failed)
    application, storage = f"forehearth:{fingerprint}", options(sink)
    key = file.job.key if file.job.mode == "merge" else ()
    beside = DeltaTableSink(where + QUARANTINE, failed, application=application, key=(), options=storage)
    return DeltaTableSink(where, schema, application=application, key=key, options=storage), beside


def sink_identity(file: JobFile) -> str:
    """What tells a job's sink, as it is now, from others. It blocks. Raises `SinkFailed`."""
    return sinks_of(file, pa.schema([]), pa.schema([]), "")[0].identity()

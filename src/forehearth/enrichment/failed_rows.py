"""The rows that failed, as the source of another run; and their end in the quarantine, once that has taken them over.

A retry reads the quarantine at one version. Rows that fail again are added to it under the retry's own id, and only
then those of the runs before are removed, which is the same however often it is done.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from forehearth.core.enrichment_settings import DeltaSink, DeltaSource
from forehearth.core.errors import Misconfigured
from forehearth.core.kafka_settings import KafkaSource
from forehearth.enrichment.arrow import pa, pc
from forehearth.enrichment.delta_library import deltalake, exceptions, said
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.messages import MALFORMED, RAW
from forehearth.enrichment.places import QUARANTINE, options, place
from forehearth.enrichment.sink import SinkFailed
from forehearth.enrichment.source import Source
from forehearth.enrichment.sources.delta import open_delta

RUN_ID = "_run_id"
OF_FAILURES = ("_error_code", "_error_message", RUN_ID)
"""What the quarantine has beside the source's own columns."""


class FailedRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, the version of the quarantine that they are of, and the runs in which they failed."""

    source: Source
    version: int
    runs: tuple[str, ...]


def failed_rows(file: JobFile, version: int | None) -> FailedRows:
    """The rows in a job's quarantine, at a version or now. It blocks. Raises `Misconfigured` where there are none."""
    sink = file.job.sink
    if not isinstance(sink, DeltaSink):
        raise Misconfigured("failed rows can be asked again where the sink is a Delta table, and this one is not")
    path = place(sink.path, file.folder) + QUARANTINE
    if not deltalake.DeltaTable.is_deltatable(path, options(sink)):
        raise Misconfigured("no rows have failed: there is nothing to ask again")
    settings = DeltaSource(
        path=path, version=version, storage_options=sink.storage_options, storage_secrets=sink.storage_secrets
    )
    table = open_delta(settings, file.folder)
    runs = sorted({run for batch in table.read() for run in _asked(batch).column(RUN_ID).to_pylist()})
    if not runs:
        raise Misconfigured("no rows have failed, or all were answered since: there is nothing to ask again")
    hidden = (*OF_FAILURES, RAW) if isinstance(file.job.source, KafkaSource) else OF_FAILURES
    names = [name for name in table.schema.names if name not in hidden]

    def read() -> Iterator[Any]:
        for batch in table.read():
            yield _asked(batch).select(names)

    schema = pa.schema([table.schema.field(name) for name in names])
    source = msgspec.structs.replace(table, schema=schema, read=read)
    return FailedRows(source=source, version=int(table.version.rpartition("@")[2]), runs=tuple(runs))


def _asked(batch: Any) -> Any:
    """The rows that a model was asked about: messages that cannot be read stay where they are."""
    return batch.filter(pc.not_equal(batch.column(OF_FAILURES[0]), MALFORMED))


def forget(file: JobFile, rows: FailedRows) -> None:
    """Take the rows out of the quarantine: each has landed since, or is there anew. Raises `SinkFailed`."""
    sink = file.job.sink
    assert isinstance(sink, DeltaSink)  # noqa: S101 - for the type checker: the rows are of one
    path = place(sink.path, file.folder) + QUARANTINE
    ids = ", ".join(f"'{run}'" for run in rows.runs)
    try:
        table = deltalake.DeltaTable(path, storage_options=options(sink))
        table.delete(f"{RUN_ID} IN ({ids}) AND _error_code <> '{MALFORMED}'")
    except (exceptions.DeltaError, OSError, ValueError) as error:
        words = said(error)
        raise SinkFailed(f"sink: the quarantine {path} cannot be written: {words}") from error

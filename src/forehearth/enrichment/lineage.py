"""Events of lineage: what a run reads and writes, column by column, in the words of OpenLineage 2-0-2.

An event tells of one attempt at a run; the run itself, which may be begun again, is its parent. Only the attempt with
which the run is complete ends with `COMPLETE`; one that a limit or a person ended, with `ABORT`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from forehearth import __version__
from forehearth.core.enrichment_settings import Job, PostgresSource
from forehearth.core.kafka_settings import KafkaSource
from forehearth.enrichment.places import place
from forehearth.enrichment.run_record import Run

PRODUCER: Final = f"urn:forehearth:{__version__}"
_SPEC: Final = "https://openlineage.io/spec"
_EVENT: Final = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_VERSIONS: Final = {
    "ColumnLineageDatasetFacet": "1-2-0",
    "DatasetVersionDatasetFacet": "1-0-1",
    "ErrorMessageRunFacet": "1-0-1",
    "JobTypeJobFacet": "2-0-4",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SQLJobFacet": "1-1-0",
    "SchemaDatasetFacet": "1-2-0",
}
_ENDS: Final = {"completed": "COMPLETE", "failed": "FAIL", "running": "START"}

Event = dict[str, Any]
Dataset = dict[str, str]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the events of a run have in common. Schemas are those of Arrow."""

    job: Job
    folder: Path
    namespace: str
    attempt: str
    """A UUID."""
    source_schema: Any
    sink_schema: Any
    asked: Sequence[str]
    """The columns that the prompt names."""
    answers: Sequence[str]
    """The columns that an answer fills."""


def event(told: Told, run: Run, now: float) -> Event:
    """What is told of a run as it is."""
    source, sink = datasets(told.job, told.folder)
    return {
        "eventType": _ENDS.get(run.status, "ABORT"),
        "eventTime": datetime.fromtimestamp(now, UTC).isoformat(),
        "producer": PRODUCER,
        "schemaURL": _EVENT,
        "run": {"runId": told.attempt, "facets": _run_facets(told, run)},
        "job": {"namespace": told.namespace, "name": run.job, "facets": _job_facets(told.job)},
        "inputs": [{**source, "facets": _input_facets(told, run)}],
        "outputs": [{**sink, "facets": _output_facets(told, source), "outputFacets": _statistics(run)}],
    }


def datasets(job: Job, folder: Path) -> tuple[Dataset, Dataset]:
    """Source and sink as they are named there: by the storage they are in, and by their place in it."""
    if isinstance(job.source, KafkaSource):
        source = {"namespace": f"kafka://{job.source.brokers[0]}", "name": job.source.topic}
    elif isinstance(job.source, PostgresSource):
        url = urlsplit(job.source.url.reveal())
        where = f"postgres://{url.hostname or 'localhost'}:{url.port or 5432}"
        source = {"namespace": where, "name": f"{url.path.strip('/') or 'postgres'}.query"}
    else:
        source = _named(place(job.source.path, folder))
    return source, _named(place(job.sink.path, folder))


def _named(where: str) -> Dataset:
    url = urlsplit(where)
    if not url.scheme:
        return {"namespace": "file", "name": where}
    return {"namespace": f"{url.scheme}://{url.netloc}", "name": url.path.strip("/") or "/"}


def _facet(name: str, /, **members: Any) -> Mapping[str, Any]:
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{_SPEC}/facets/{_VERSIONS[name]}/{name}.json#/$defs/{name}",
        **members,
    }


def _run_facets(told: Told, run: Run) -> Event:
    parent = {"run": {"runId": run.id}, "job": {"namespace": told.namespace, "name": run.job}}
    facets: Event = {
        "parent": _facet("ParentRunFacet", **parent),
        "processing_engine": _facet("ProcessingEngineRunFacet", version=__version__, name="forehearth"),
    }
    if run.reason:
        error = {"message": run.reason, "programmingLanguage": "python"}
        facets["errorMessage"] = _facet("ErrorMessageRunFacet", **error)
    return facets


def _job_facets(job: Job) -> Event:
    processing = "STREAMING" if isinstance(job.source, KafkaSource) else "BATCH"
    kind = {"processingType": processing, "integration": "FOREHEARTH", "jobType": "ENRICHMENT"}
    facets: Event = {"jobType": _facet("JobTypeJobFacet", **kind)}
    if isinstance(job.source, PostgresSource):
        facets["sql"] = _facet("SQLJobFacet", query=job.source.query, dialect="postgresql")
    return facets


def _input_facets(told: Told, run: Run) -> Event:
    version = _facet("DatasetVersionDatasetFacet", datasetVersion=run.source_version)
    return {"schema": _schema(told.source_schema), "version": version}


def _output_facets(told: Told, source: Dataset) -> Event:
    """Answers are made of the columns that the prompt names; all other columns of the source are as they were."""
    landing = set(told.sink_schema.names)
    made = {name: [name] for name in told.source_schema.names if name in landing} | dict.fromkeys(
        told.answers, told.asked
    )
    fields = {
        name: {"inputFields": [_field(source, each, is_asked=name in told.answers) for each in of]}
        for name, of in made.items()
    }
    return {"schema": _schema(told.sink_schema), "columnLineage": _facet("ColumnLineageDatasetFacet", fields=fields)}


def _field(source: Dataset, name: str, *, is_asked: bool) -> Event:
    how = {"type": "DIRECT", "subtype": "TRANSFORMATION" if is_asked else "IDENTITY"}
    return {**source, "field": name, "transformations": [how]}


def _statistics(run: Run) -> Event:
    return {"outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", rowCount=run.done - run.failed)}


def _schema(schema: Any) -> Mapping[str, Any]:
    fields = [{"name": field.name, "type": str(field.type)} for field in schema]
    return _facet("SchemaDatasetFacet", fields=fields)

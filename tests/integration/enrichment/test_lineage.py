"""Events of lineage, held against the classes that OpenLineage's makers generate from the specification."""

import json
from pathlib import Path
from typing import Any

import attr
import pytest
from openlineage.client import facet_v2
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent
from openlineage.client.generated.base import EventType

from forehearth.testing.upstream import Answer, Upstream
from tests.integration.enrichment.jobs import job, respond, run, tickets

FACETS = {
    "parent": (facet_v2.parent_run, "ParentRunFacet"),
    "processing_engine": (facet_v2.processing_engine_run, "ProcessingEngineRunFacet"),
    "errorMessage": (facet_v2.error_message_run, "ErrorMessageRunFacet"),
    "jobType": (facet_v2.job_type_job, "JobTypeJobFacet"),
    "schema": (facet_v2.schema_dataset, "SchemaDatasetFacet"),
    "version": (facet_v2.dataset_version_dataset, "DatasetVersionDatasetFacet"),
    "columnLineage": (facet_v2.column_lineage_dataset, "ColumnLineageDatasetFacet"),
    "outputStatistics": (facet_v2.output_statistics_output_dataset, "OutputStatisticsOutputDatasetFacet"),
}


def judged(event: dict[str, Any]) -> None:
    """Make it of their classes, which take the members of the specification and no others."""
    facets = {**event["run"]["facets"], **event["job"]["facets"]}
    for dataset in (*event["inputs"], *event["outputs"]):
        facets |= dataset["facets"] | dataset.get("outputFacets", {})
    for name, facet in facets.items():
        module, cls = FACETS[name]
        theirs = getattr(module, cls)
        members = {member: value for member, value in facet.items() if member not in ("_producer", "_schemaURL")}
        assert facet["_schemaURL"] == theirs._get_schema()
        assert {each.name for each in attr.fields(theirs) if each.default is attr.NOTHING} <= set(members)
        theirs(**members)
    RunEvent(
        eventType=EventType[event["eventType"]],
        eventTime=event["eventTime"],
        run=Run(runId=event["run"]["runId"]),
        job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
        inputs=[InputDataset(namespace=each["namespace"], name=each["name"]) for each in event["inputs"]],
        outputs=[OutputDataset(namespace=each["namespace"], name=each["name"]) for each in event["outputs"]],
        producer=event["producer"],
    )
    assert event["schemaURL"] == RunEvent._get_schema()


async def test_a_run_tells_what_it_read_and_wrote(tmp_path: Path) -> None:
    tickets(tmp_path, 250, bad=(3,))
    seen: list[dict[str, Any]] = []

    def hear(request: Any) -> Answer:
        assert request.target == b"/api/v1/lineage"
        assert request.header(b"authorization") == b"Bearer a-key-for-lineage"
        seen.append(json.loads(request.body))
        return Answer(status=201)

    (tmp_path / "key").write_text("a-key-for-lineage")
    async with Upstream(respond=respond) as host, Upstream(respond=hear) as marquez:
        url = f"{marquez.url}/api/v1/lineage"
        members = {"lineage": {"path": "events.ndjson", "url": url, "api_key": "file:key", "namespace": "team"}}
        stopped = await run(job(tmp_path, host, **members, limits={"requests": 120}))
        ended = await run(job(tmp_path, host, **members))
    told = [json.loads(line) for line in (tmp_path / "events.ndjson").read_text().splitlines()]
    assert told == seen
    assert [each["eventType"] for each in told] == ["START", "ABORT", "START", "COMPLETE"]
    assert {each["run"]["facets"]["parent"]["run"]["runId"] for each in told} == {ended.id}
    assert len({each["run"]["runId"] for each in told}) == 2
    for event in told:
        judged(event)
    assert told[1]["run"]["facets"]["errorMessage"]["message"] == stopped.reason
    output = told[-1]["outputs"][0]
    assert (output["namespace"], output["name"]) == ("file", str(tmp_path / "out"))
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 249
    columns = output["facets"]["columnLineage"]["fields"]
    assert [each["field"] for each in columns["word"]["inputFields"]] == ["text"]
    assert columns["id"]["inputFields"][0]["transformations"] == [{"type": "DIRECT", "subtype": "IDENTITY"}]


@pytest.mark.parametrize("lineage", [{"path": "no/such/folder/e"}, {"url": "http://127.0.0.1:9/lineage"}])
async def test_a_run_ends_well_although_nobody_hears_of_it(tmp_path: Path, lineage: dict[str, str]) -> None:
    tickets(tmp_path, 2)
    async with Upstream(respond=respond) as host:
        ended = await run(job(tmp_path, host, lineage=lineage))
    assert ended.status == "completed"
    assert len(ended.warnings) == 2

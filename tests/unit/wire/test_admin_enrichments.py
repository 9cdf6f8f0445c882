"""Jobs of enrichment over `/admin`: one operation for each id, shown as its job and whoever works on it say."""

import pytest

from forehearth.admin.enrichments import KIND, Shown
from forehearth.config.problems import Problem
from forehearth.core.job import Ending, JobError, JobState
from forehearth.core.place import Place
from forehearth.enrichment.run_record import Point, Run
from tests.unit.admin.offices import TestOffice
from tests.unit.identity.keyed import RESOURCE
from tests.unit.wire.admin_door import AdminDoor

PATH = "/admin/enrichments"
AT = Place(resource=RESOURCE)
JOB = {"version": 1, "name": "triage"}


@pytest.fixture
async def office():
    async with TestOffice() as office:
        yield office


@pytest.fixture
def door(office):
    return AdminDoor(office)


def run_at(done: int, **rest) -> Run:
    """A run of a hundred rows."""
    return Run(
        id="r", job="triage", fingerprint="f", source_version="s", started=1.0, updated=2.0, rows=100, done=done, **rest
    )


async def begun(door, operation: str, job=JOB, query: str = ""):
    answer = await door.ask("POST", PATH + query, job, headers={"operation-id": operation})
    assert answer.status == 202, answer.body
    return answer


async def test_it_is_accepted_with_where_to_ask_and_when(door):
    answer = await begun(door, "one")
    assert answer.headers["operation-location"].endswith(f"{PATH}/one")
    assert answer.headers["operation-location"].startswith("http")
    assert (answer.headers["operation-id"], answer.headers["retry-after"]) == ("one", "2")
    assert answer.json["status"] == "NotStarted"
    named = await door.ask("POST", f"{PATH}?resource={RESOURCE}", {**JOB, "name": "other"})
    assert named.headers["operation-location"].endswith(f"?resource={RESOURCE}")


async def test_one_id_is_one_operation_and_one_job_is_under_way_once(door):
    await begun(door, "one")
    assert (await begun(door, "one")).json["id"] == "one"
    other = await door.ask("POST", PATH, JOB | {"prompt": "x"}, headers={"operation-id": "one"})
    assert (other.status, other.code) == (409, "Conflict")
    assert (await door.ask("POST", f"{PATH}?deed=plan", JOB, headers={"operation-id": "one"})).status == 409
    second = await door.ask("POST", PATH, JOB, headers={"operation-id": "two"})
    assert (second.status, "under way as 'one'" in second.json["error"]["message"]) == (409, True)
    assert (await door.ask("DELETE", f"{PATH}/one")).status == 409
    assert (await door.ask("POST", f"{PATH}/one/cancel")).json["status"] == "Canceled"
    await begun(door, "two")
    assert [each["id"] for each in (await door.ask("GET", PATH)).json["value"]] == ["two", "one"]
    assert (await door.ask("DELETE", f"{PATH}/one")).status == 204
    assert (await door.ask("GET", f"{PATH}/one")).status == 404
    assert (await door.ask("POST", PATH, JOB, headers={"operation-id": "one"})).status == 409
    assert [each["id"] for each in (await door.ask("GET", PATH)).json["value"]] == ["two"]


async def test_pages_lead_from_one_to_the_next(door):
    for number in range(5):
        await begun(door, f"n{number}", {"name": f"job{number % 2}"})
        await door.ask("POST", f"{PATH}/n{number}/cancel")
    first = (await door.ask("GET", f"{PATH}?limit=2")).json
    assert [each["id"] for each in first["value"]] == ["n4", "n3"]
    second = (await door.ask("GET", first["nextLink"])).json
    assert [each["id"] for each in second["value"]] == ["n2", "n1"]
    named = (await door.ask("GET", f"{PATH}?name=job1")).json["value"]
    assert [each["id"] for each in named] == ["n3", "n1"]
    assert (await door.ask("GET", f"{PATH}?after=nobody")).status == 400


async def test_everything_wrong_with_a_job_is_in_details_and_nothing_is_begun(door, office):
    office.problems = [
        Problem(file="", line=0, column=0, path="promt", message="unknown key 'promt'", hint="did you mean 'prompt'?"),
        Problem(file="", line=0, column=0, path="sink.path", message="this folder is not open to jobs"),
    ]
    answer = await door.ask("POST", PATH, JOB)
    assert (answer.status, answer.code) == (400, "InvalidJob")
    assert answer.json["error"]["details"] == [
        {"code": "invalid_value", "message": "unknown key 'promt'; did you mean 'prompt'?", "target": "promt"},
        {"code": "invalid_value", "message": "this folder is not open to jobs", "target": "sink.path"},
    ]
    assert (await door.ask("GET", PATH)).json == {"value": []}
    for query in ("?deed=walk", "?deed=plan&sample=-1", "?deed=plan&sample=1001", "?sample=3"):
        assert (await door.ask("POST", PATH + query, JOB)).status == 400
    assert (await door.ask("POST", PATH, JOB, headers={"operation-id": "a/b"})).status == 400


async def test_it_is_shown_as_who_works_on_it_says_and_nobody_of_before(door, office):
    await begun(door, "one")
    nothing = await door.ask("GET", f"{PATH}/one/report")
    assert (nothing.status, nothing.code) == (409, "Conflict")
    (job,) = await office.jobs.claim([KIND], 1, 15.0)
    points = [Point(1.0, 10, 0, 10, 20, 0), Point(3.0, 30, 0, 30, 60, 0)]
    await office.enrichments.note(AT, "one", Shown(fence=2, run=run_at(30, points=points)))
    await office.enrichments.note(AT, "one", Shown(fence=1, run=run_at(10)))
    told = (await door.ask("GET", f"{PATH}/one")).json
    assert (told["status"], told["run"]["done"], told["run"]["secondsLeft"]) == ("Running", 30, 7.0)
    rows = [{"text": "<script>", "team": None}]
    ended = run_at(60, status="incomplete", reason="the limit of requests is reached", limit="requests", ended=9.0)
    await office.enrichments.note(AT, "one", Shown(fence=3, run=ended, rows=rows))
    error = JobError(code="incomplete", message="the limit of requests is reached")
    await office.jobs.finish(job.lease, Ending(state=JobState.FAILED, error=error))
    answer = await door.ask("GET", f"{PATH}/one")
    told = answer.json
    assert "retry-after" not in answer.headers
    assert (told["status"], told["incomplete"], told["run"]["limit"]) == ("Failed", True, "requests")
    assert told["error"] == {"code": "incomplete", "message": "the limit of requests is reached"}
    assert (await door.ask("GET", f"{PATH}/one/report")).json["rows"] == rows
    page = await door.ask("GET", f"{PATH}/one/report?format=html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert b"&lt;script&gt;" in page.body
    assert b"<script" not in page.body
    assert (await door.ask("GET", f"{PATH}/one/report?format=pdf")).status == 400


async def test_what_is_removed_is_not_written_again(door, office):
    await begun(door, "one")
    await door.ask("POST", f"{PATH}/one/cancel")
    await door.ask("DELETE", f"{PATH}/one")
    await office.enrichments.note(AT, "one", Shown(fence=9, run=run_at(1)))
    assert (await door.ask("GET", f"{PATH}/one")).status == 404

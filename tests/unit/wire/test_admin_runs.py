"""`/admin/runs`: what is shown of runs, in seconds after their beginning; queries that cannot be."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from forehearth.admin.usage import LedgerOffice
from forehearth.core.job import Ending, Job, JobEvent, JobState, NewJob
from forehearth.core.ledger import Detail, LedgerRecord
from forehearth.core.place import Place
from forehearth.core.record import Attempt
from forehearth.responses.caller import Asker
from forehearth.stores.memory_ledger import MemoryLedger
from tests.unit.accounting.books import outcomes, record
from tests.unit.admin.offices import TestOffice
from tests.unit.identity.keyed import OTHER, RESOURCE
from tests.unit.responses.stage import somebody
from tests.unit.wire.admin_door import AdminDoor

SALES = Place(resource=RESOURCE, project="sales")
ADDED, DONE = "response.output_item.added", "response.output_item.done"


def item(name: str, status: str) -> bytes:
    made = {"type": "function_call", "id": "fc_1", "name": name, "status": status}
    return msgspec.json.encode({"output_index": 0, "item": made})


class Ran:
    """A run that is made step by step, and a door."""

    def __init__(self, office: TestOffice) -> None:
        self.office = office
        self.clock, self.jobs = office.clock, office.jobs
        self.ledger = MemoryLedger()
        self.with_ledger()
        self._events = 0

    def with_ledger(self, *, there: bool = True) -> None:
        ledger = LedgerOffice(self.ledger, self._fold, self.clock.sleep) if there else None
        self.office.office = msgspec.structs.replace(self.office.office, ledger=ledger)
        self.door = AdminDoor(self.office)

    async def _fold(self) -> None: ...

    async def begin(self) -> Job:
        asker = msgspec.json.encode(Asker.of(somebody(SALES)))
        await self.jobs.add(NewJob(place=SALES, kind="response", id="resp_1", input=asker))
        await self.clock.advance(1)
        (job,) = await self.jobs.claim({"response"}, 1, 15.0)
        return job

    async def tell(self, job: Job, name: str, body: bytes = b"{}") -> None:
        await self.clock.advance(1)
        await self.jobs.record(job.lease, {}, [JobEvent(number=self._events, name=name, body=body)])
        self._events += 1

    def called(self, name: str, at: float) -> LedgerRecord:
        detail = Detail(started=50.0, attempts=(Attempt(backend="west", began=50.5, seconds=0.25, outcome="ok"),))
        return record(name, resource=RESOURCE, at=at, detail=detail)


@pytest.fixture
async def ran() -> AsyncIterator[Ran]:
    async with TestOffice() as office:
        yield Ran(office)


async def test_a_run_is_shown_with_all_that_it_did(ran: Ran):
    begun = ran.clock.unix()
    job = await ran.begin()
    await ran.tell(job, ADDED, item("weather", "in_progress"))
    await ran.tell(job, DONE, item("weather", "completed"))
    called = (ran.called("id-1", begun + 1), ran.called("id-1-2", begun + 2), ran.called("id-12", begun))
    await ran.ledger.add(outcomes(*called))
    shown = (await ran.door.ask("GET", "/admin/runs/resp_1")).json
    assert (shown["id"], shown["kind"], shown["project"], shown["endpoint"]) == ("resp_1", "response", "sales", None)
    assert (shown["status"], shown["ended"], shown["seconds"], shown["requests"]) == (
        "in_progress",
        False,
        3.0,
        ["id-1"],
    )
    (shown_job,) = shown["jobs"]
    assert shown_job == {
        "state": "running",
        "created": 0.0,
        "ended": None,
        "attempts": 1,
        "mostAttempts": 5,
        "cancelAsked": False,
        "leaseEnds": 16.0,
    }
    assert shown["attempts"] == [{"leg": 0, "fence": 1, "began": 1.0, "ended": None}]
    assert shown["items"] == [
        {
            "id": "fc_1",
            "type": "function_call",
            "name": "weather",
            "status": "completed",
            "began": 2.0,
            "ended": 3.0,
            "pieces": 0,
        }
    ]
    assert [(each["request"], each["began"]) for each in shown["calls"]] == [("id-1", 1.0), ("id-1-2", 2.0)]
    assert shown["calls"][0]["tried"] == [
        {"backend": "west", "began": 1.5, "seconds": 0.25, "outcome": "ok", "status": None}
    ]
    await ran.jobs.record(job.lease, {"answer": b"1"}, [])
    await ran.jobs.finish(job.lease, Ending(state=JobState.SUCCEEDED))
    await ran.clock.advance(60)
    shown = (await ran.door.ask("GET", "/admin/runs/resp_1")).json
    assert (shown["status"], shown["ended"], shown["seconds"]) == ("completed", True, 3.0)
    assert shown["steps"] == [{"leg": 0, "name": "answer", "at": 3.0}]
    assert (shown["jobs"][0]["leaseEnds"], shown["jobs"][0]["ended"], shown["attempts"][0]["ended"]) == (None, 3.0, 3.0)


async def test_without_a_ledger_its_calls_are_not_known(ran: Ran):
    await ran.begin()
    ran.with_ledger(there=False)
    assert (await ran.door.ask("GET", "/admin/runs/resp_1")).json["calls"] is None


async def test_what_it_told_comes_from_any_number_on(ran: Ran):
    job = await ran.begin()
    for name in (ADDED, DONE):
        await ran.tell(job, name, item("weather", "completed"))
    await ran.tell(job, "response.output_text.delta", b'{"delta": "secret", "output_index": 0}')
    answer = await ran.door.ask("GET", "/admin/runs/resp_1/events")
    assert b"secret" not in answer.body
    events = answer.json["value"]
    assert [(each["number"], each["name"], each["at"]) for each in events[:2]] == [(0, ADDED, 2.0), (1, DONE, 3.0)]
    assert (events[0]["item"], events[0]["tool"], events[2]["item"]) == ("function_call", "weather", None)
    behind = await ran.door.ask("GET", "/admin/runs/resp_1/events?after=0&limit=1")
    assert behind.json == {"status": "in_progress", "ended": False, "value": events[1:2]}
    assert (await ran.door.ask("GET", "/admin/runs/resp_1/events?after=2")).json["value"] == []


async def test_the_list_has_those_of_one_resource(ran: Ran):
    await ran.begin()
    (shown,) = (await ran.door.ask("GET", "/admin/runs?limit=5")).json["value"]
    assert (shown["id"], shown["project"], shown["status"], shown["tokens"]) == (
        "resp_1",
        "sales",
        "in_progress",
        None,
    )
    assert (await ran.door.ask("GET", f"/admin/runs?resource={OTHER}")).json == {"value": []}
    assert (await ran.door.ask("GET", f"/admin/runs/resp_1?resource={OTHER}")).code == "NotFound"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/admin/runs?limit=0", 400),
        ("/admin/runs?limit=101", 400),
        ("/admin/runs?after=1", 400),
        ("/admin/runs/resp_1/events?after=x", 400),
        ("/admin/runs/resp_1/events?limit=1000", 400),
        ("/admin/runs/resp_2", 404),
        ("/admin/runs/resp_2/events", 404),
        ("/admin/runs/resp_1/steps", 404),
    ],
)
async def test_what_cannot_be_asked(ran: Ran, target: str, status: int):
    await ran.begin()
    assert (await ran.door.ask("GET", target)).status == status
    assert (await ran.door.ask("GET", target, key=None)).status == 401

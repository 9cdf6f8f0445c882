"""`/admin/backends`: what is shown of each backend, and to whom."""

import pytest

from forehearth.core.backend_state import BackendState, State
from tests.unit.admin.offices import TestOffice
from tests.unit.identity.keyed import OTHER, RESOURCE
from tests.unit.wire.admin_door import AdminDoor

WAITING = BackendState(
    deployment="chat",
    label="chat",
    backend="west",
    model="gpt-4o-ptu",
    priority=1,
    weight=2,
    state=State.WAITING,
    why="status 429",
    opens_in=12.5,
    in_flight=3,
    calls=40,
    failures=1,
    busy=5,
    first_byte=0.1234567,
)
READY = BackendState(
    deployment="chat",
    label=f"{OTHER}/chat",
    backend="north",
    model="gpt-4o",
    priority=2,
    weight=1,
    state=State.READY,
    why="",
    opens_in=0.0,
    in_flight=0,
    calls=0,
    failures=0,
    busy=0,
    first_byte=None,
)


@pytest.fixture
async def door():
    async with TestOffice() as office:
        office.backends = {RESOURCE: [WAITING], OTHER: [READY]}
        yield AdminDoor(office)


async def test_all_that_is_known_is_shown(door):
    answer = await door.ask("GET", "/admin/backends")
    assert answer.status == 200
    assert answer.json == {
        "worker": 0,
        "workers": 2,
        "value": [
            {
                "deployment": "chat",
                "backend": "west",
                "model": "gpt-4o-ptu",
                "priority": 1,
                "weight": 2,
                "state": "waiting",
                "why": "status 429",
                "until": "2027-01-15T08:00:12.500000Z",
                "inFlight": 3,
                "calls": 40,
                "failures": 1,
                "busy": 5,
                "firstByteSeconds": 0.123457,
            }
        ],
    }


async def test_each_resource_has_its_own(door):
    (shown,) = (await door.ask("GET", f"/admin/backends?resource={OTHER}")).json["value"]
    assert (shown["backend"], shown["state"], shown["why"], shown["until"]) == ("north", "ready", None, None)
    assert shown["firstByteSeconds"] is None
    wrong = await door.ask("GET", "/admin/backends?resource=nowhere")
    assert (wrong.status, wrong.code) == (400, "invalid_value")


async def test_it_takes_no_other_parameters(door):
    wrong = await door.ask("GET", "/admin/backends?limit=1")
    assert (wrong.status, wrong.code) == (400, "unknown_parameter")

"""`/admin/connections`: what is read and how strictly. Credentials go in and never come out, nor into the log."""

import json

import msgspec
import pytest

from forehearth.wire.admin_connections import ConnectionBody, NewConnection
from tests.unit.admin.offices import TestOffice
from tests.unit.identity.keyed import OTHER
from tests.unit.wire.admin_door import AdminDoor

SECRET = "nobody-shows-this"
PATH = "/admin/connections"
NEW = {"name": "search", "type": "CognitiveSearch", "target": "https://search.example.com", "key": SECRET}
BODY = {name: value for name, value in NEW.items() if name != "name"}


@pytest.fixture
async def door():
    async with TestOffice() as office:
        yield AdminDoor(office)


async def test_one_from_its_making_to_its_end(door):
    made = await door.ask("POST", f"{PATH}?project=sales", NEW | {"metadata": {"team": "a"}})
    assert (made.status, made.headers["location"]) == (201, "/admin/connections/search?project=sales")
    assert made.json == {
        "name": "search",
        "project": "sales",
        "type": "CognitiveSearch",
        "target": "https://search.example.com",
        "default": False,
        "credentials": "ApiKey",
        "metadata": {"team": "a"},
        "source": "admin",
        "created": "2027-01-15T08:00:00Z",
        "updated": "2027-01-15T08:00:00Z",
    }
    assert (await door.ask("GET", f"{PATH}/search?project=sales")).json == made.json
    assert (await door.ask("GET", f"{PATH}?project=sales")).json == {"value": [made.json]}
    assert (await door.ask("GET", PATH)).json == {"value": []}
    assert (await door.ask("GET", f"{PATH}/search")).status == 404
    await door.office.clock.advance(5)
    changed = await door.ask("PUT", f"{PATH}/search?project=sales", BODY | {"key": None, "sas": SECRET})
    assert (changed.status, changed.json["credentials"]) == (200, "SAS")
    assert changed.json["updated"] == "2027-01-15T08:00:05Z"
    assert (await door.ask("DELETE", f"{PATH}/search?project=sales")).status == 204
    assert (await door.ask("PUT", f"{PATH}/search?project=sales", BODY)).status == 404


async def test_the_audit_log_has_every_change_and_no_credential(door):
    await door.ask("POST", PATH, NEW)
    await door.ask("POST", PATH, NEW)
    await door.ask("PUT", f"{PATH}/search", BODY | {"default": True})
    await door.ask("POST", f"{PATH}/reseal")
    await door.ask("DELETE", f"{PATH}/search")
    found = await door.office.records()
    assert [(each.action, each.target, each.status) for each in found[::-1]] == [
        ("connections.create", "search", 201),
        ("connections.create", "search", 409),
        ("connections.replace", "search", 200),
        ("connections.reseal", "", 200),
        ("connections.delete", "search", 204),
    ]
    assert found[-1].detail == "CognitiveSearch at https://search.example.com, ApiKey"
    assert found[2].detail.endswith(", the default one")
    assert found[1].detail == "0 with the first key of the configuration, 0 unreadable"
    assert {each.project for each in found} == {"default", ""}
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": ""}, "name"),
        ({"type": "Unknown"}, "type"),
        ({"target": ""}, "target"),
        ({"key": ""}, "key"),
        ({"sas": "also"}, "sas"),
        ({"entra": True}, "entra"),
        ({"key": None, "keys": {"type": "x"}}, "keys"),
        ({"key": None, "keys": {str(n): "x" for n in range(51)}}, "keys"),
        ({"key": "x" * 16_385}, "key"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"secret": SECRET}, "secret"),
    ],
)
async def test_what_cannot_be_a_connection_is_refused_and_not_said_back(door, change, param):
    answer = await door.ask("POST", PATH, NEW | change)
    assert answer.status == 400, answer.body
    assert param in (answer.json["error"].get("target") or "") + answer.json["error"]["message"]
    assert SECRET.encode() not in answer.body
    assert SECRET not in repr(await door.office.records())


async def test_no_project_that_there_is_not(door):
    for method, path, body in (("GET", PATH, None), ("POST", PATH, NEW), ("DELETE", f"{PATH}/search", None)):
        answer = await door.ask(method, f"{path}?project=none", body)
        assert (answer.status, answer.json["error"]["target"]) == (400, "project")
    assert (await door.ask("GET", f"{PATH}?project=sales&resource={OTHER}")).status == 400


async def test_each_resource_has_its_own(door):
    await door.ask("POST", PATH, NEW)
    assert (await door.ask("GET", f"{PATH}?resource={OTHER}")).json == {"value": []}
    assert (await door.ask("DELETE", f"{PATH}/search?resource={OTHER}")).status == 404
    assert (await door.ask("POST", f"{PATH}?resource={OTHER}", NEW)).status == 201


async def test_the_body_of_a_connection_shows_itself_to_nobody(door):
    for form, content in ((ConnectionBody, BODY), (NewConnection, NEW)):
        read = msgspec.json.decode(json.dumps(content), type=form)
        assert SECRET not in f"{read!r}{read}{read.settings()!r}"

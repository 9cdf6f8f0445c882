"""Role assignments over the admin API: what is read and shown, and what the audit log has of it."""

import pytest

from forehearth.core.refusal import Refusal
from tests.unit.admin.offices import TestOffice, owner
from tests.unit.identity.keyed import OTHER, RESOURCE
from tests.unit.wire.admin_door import AdminDoor

PATH = "/admin/role-assignments"
NEW = {"role": "azure ai user", "principalType": "user", "principalId": "u", "issuer": "one", "project": "sales"}


@pytest.fixture
async def door():
    async with TestOffice() as office:
        yield AdminDoor(office)


async def test_an_assignment_from_its_making_to_its_end(door):
    made = await door.ask("POST", PATH, NEW)
    assert made.status == 201
    id_ = made.json["id"]
    assert made.headers["location"] == f"{PATH}/{id_}"
    assert made.headers["cache-control"] == "no-store"
    assert made.json == {
        "id": id_,
        "role": "Foundry User",
        "principalType": "user",
        "principalId": "u",
        "principalName": None,
        "issuer": "one",
        "tenant": None,
        "resource": RESOURCE,
        "project": "sales",
        "agent": None,
        "source": "admin",
        "created": "2027-01-15T08:00:00Z",
    }
    assert (await door.ask("GET", f"{PATH}/{id_}")).json == made.json
    assert (await door.ask("GET", PATH)).json["value"][0] == made.json
    gone = await door.ask("DELETE", f"{PATH}/{id_}")
    assert (gone.status, gone.body) == (204, b"")
    for method in ("GET", "DELETE"):
        missing = await door.ask(method, f"{PATH}/{id_}")
        assert (missing.status, missing.code) == (404, "NotFound")


async def test_what_the_audit_log_has_of_it(door):
    made = (await door.ask("POST", PATH, NEW | {"agent": "helper"})).json
    await door.ask("DELETE", f"{PATH}/{made['id']}")
    removed, assigned = await door.office.records()
    said = "Foundry User to user u of one; at project sales, agent helper"
    for record, action in ((assigned, "roles.assign"), (removed, "roles.remove")):
        assert (record.action, record.target, record.project) == (action, made["id"], "sales")
        assert (record.detail, record.allowed) == (said, True)
    shown = (await door.ask("GET", "/admin/audit?action=roles.assign")).json["value"]
    assert [each["project"] for each in shown] == ["sales"]


async def test_a_key_is_named_in_the_log_by_id_and_name(door):
    key = (await door.ask("POST", "/admin/keys", {"name": "shop"})).json
    assert key["rolesOnly"] is False
    made = await door.ask("POST", PATH, {"role": "Foundry User", "principalType": "key", "principalId": "shop"})
    assert (made.json["principalId"], made.json["principalName"]) == (key["id"], "shop")
    assert (await door.ask("GET", "/admin/keys/shop")).json["rolesOnly"] is True
    (record,) = await door.office.records(action="roles.assign")
    assert record.detail == f"Foundry User to key {key['id']} (shop); at resource {RESOURCE}"


async def test_a_key_of_roles_only_is_made_and_recorded_as_one(door):
    made = await door.ask("POST", "/admin/keys", {"name": "shop", "rolesOnly": True})
    assert made.json["rolesOnly"] is True
    (record,) = await door.office.records()
    assert record.detail == "shop; roles only"


async def test_who_may_administer_and_not_assign_this_is_told_and_recorded(door):
    key = (await door.ask("POST", "/admin/keys", {"name": "boss", "admin": True})).json["key"]
    answer = await door.ask("POST", PATH, NEW | {"role": "Owner", "project": None}, key=key)
    assert (answer.status, answer.code) == (403, "PermissionDenied")
    assert "Microsoft.Authorization/roleAssignments/write" in answer.json["error"]["message"]
    record = (await door.office.records())[0]
    assert (record.action, record.allowed, record.status, record.target) == ("roles.assign", False, 403, "u")


@pytest.mark.parametrize(
    ("body", "code", "target"),
    [
        (b"", "malformed_body", None),
        ([], "invalid_value", None),
        ({}, "invalid_value", "role"),
        ({"role": "Foundry User"}, "invalid_value", "principalType"),
        ({"role": "Foundry User", "principalType": "user"}, "invalid_value", "principalId"),
        (NEW | {"role": 1}, "invalid_value", "role"),
        (NEW | {"role": "none"}, "invalid_value", "role"),
        (NEW | {"principalType": "User"}, "invalid_value", "principalType"),
        (NEW | {"principalType": "robot"}, "invalid_value", "principalType"),
        (NEW | {"principalType": None}, "invalid_value", "principalType"),
        (NEW | {"principalId": ["u"]}, "invalid_value", "principalId"),
        (NEW | {"principalId": ""}, "invalid_value", "principalId"),
        (NEW | {"principalType": "key", "principalId": "none"}, "invalid_value", "principalId"),
        (NEW | {"issuer": "two"}, "invalid_value", "issuer"),
        (NEW | {"tenant": "x"}, "invalid_value", "tenant"),
        (NEW | {"project": "none"}, "invalid_value", "project"),
        (NEW | {"agent": ""}, "invalid_value", "agent"),
        (NEW | {"resource": OTHER}, "unknown_parameter", "resource"),
        (NEW | {"id": "assignment_1"}, "unknown_parameter", "id"),
        (NEW | {"source": "configuration"}, "unknown_parameter", "source"),
        (NEW | {"created": 0}, "unknown_parameter", "created"),
        (NEW | {"permissions": ["*"]}, "unknown_parameter", "permissions"),
        (NEW | {"Role": "Owner"}, "unknown_parameter", "Role"),
    ],
)
async def test_a_body_is_read_strictly(door, body, code, target):
    answer = await door.ask("POST", PATH, body)
    assert (answer.status, answer.code) == (400, code)
    assert answer.json["error"].get("target") == target
    assert await door.office.documents.of_all_places("role_assignment") == []


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("role=none", "role"),
        ("after=none", "after"),
        ("name=x", "name"),
        ("role=Owner&role=Reader", "role"),
    ],
)
async def test_a_query_is_read_strictly(door, query, target):
    answer = await door.ask("GET", f"{PATH}?{query}")
    assert (answer.status, answer.json["error"].get("target")) == (400, target)


async def test_pages_lead_to_the_end(door):
    for number in range(3):
        await door.ask("POST", PATH, NEW | {"principalId": f"u{number}"})
    found, target = [], f"{PATH}?limit=2"
    while target:
        page = (await door.ask("GET", target)).json
        found += [(each["principalId"], each["source"]) for each in page["value"]]
        target = page.get("nextLink")
    admin = [(f"u{number}", "admin") for number in (2, 1, 0)]
    assert found == [*admin, ("root", "configuration"), ("staff", "configuration")]
    assert (await door.ask("GET", f"{PATH}?role=owner&principalId=root")).json["value"][0]["created"] is None


async def test_those_of_the_configuration_are_shown_and_not_removed(door):
    shown = (await door.ask("GET", f"{PATH}/configured-0")).json
    assert (shown["role"], shown["source"], shown["created"]) == ("Owner", "configuration", None)
    answer = await door.ask("DELETE", f"{PATH}/configured-0")
    assert (answer.status, answer.code) == (409, "Conflict")
    assert "identity.assignments[0]" in answer.json["error"]["message"]


async def test_the_same_again_is_a_conflict(door):
    made = (await door.ask("POST", PATH, NEW)).json
    again = await door.ask("POST", PATH, NEW)
    assert (again.status, again.code) == (409, "Conflict")
    assert made["id"] in again.json["error"]["message"]


async def test_an_owner_of_another_resource_gets_in_there_alone(door):
    door.people["theirs"] = owner(OTHER)
    theirs = {"key": None, "headers": {"authorization": "theirs"}}
    assert (await door.ask("POST", PATH, NEW, **theirs)).status == 403
    answer = await door.ask("POST", f"{PATH}?resource={OTHER}", NEW | {"project": None}, **theirs)
    assert (answer.status, answer.json["resource"]) == (201, OTHER)
    assert (await door.ask("GET", f"{PATH}/{answer.json['id']}")).status == 404


class Kept:
    def __init__(self):
        self.told: list[Refusal] = []

    def refused(self, refusal):
        self.told.append(refusal)


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/admin/keys", "keys.list"),
        ("DELETE", f"{PATH}/x", "roles.remove"),
        ("PATCH", "/admin/keys", "admin"),
        ("GET", "/admin/nothing", "admin"),
        ("GET", f"/admin/keys?resource={OTHER}", "keys.list"),
    ],
)
async def test_who_is_not_let_in_is_told_of(door, method, target, operation):
    kept = Kept()
    door.route._refusals = kept
    answer = await door.ask(method, target, key="fh-wrong")
    assert answer.status == 401
    (refusal,) = kept.told
    assert (refusal.operation, refusal.address, refusal.principal) == (operation, "127.0.0.1", None)
    assert (refusal.resource, refusal.status) == (OTHER if "resource" in target else RESOURCE, 401)
    assert refusal.request_id == "request-1"
    assert "fh-wrong" not in repr(refusal)


async def test_who_is_let_in_is_not(door):
    kept = Kept()
    door.route._refusals = kept
    await door.ask("GET", "/admin/keys")
    plain = (await door.ask("POST", "/admin/keys", {"name": "plain"})).json["key"]
    assert (await door.ask("GET", "/admin/keys", key=plain)).status == 403
    assert kept.told == [], "what they are refused inside is recorded where it is"

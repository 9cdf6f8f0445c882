"""The admin API: who may, what is read and how strictly, what is shown, and what the audit log has of it."""

import datetime as dt
from urllib.parse import urlsplit

import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.permission import CONTROL, Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.stores.memory import MemoryDocuments
from forehearth.wire.admin_table import ENDPOINTS
from tests.unit.admin.offices import TestOffice, owner
from tests.unit.identity.keyed import DEVELOPMENT, OTHER, RESOURCE
from tests.unit.wire.admin_door import AdminDoor

TARGETS = {endpoint.name: endpoint.path.replace("{id}", "shop") for endpoint in ENDPOINTS}
EVERY = [pytest.param(endpoint, id=endpoint.name) for endpoint in ENDPOINTS]
CHANGES = [each for each in EVERY if each.values[0].method != "GET"]
KEY_CHANGES = [each for each in CHANGES if each.values[0].name.startswith("keys.")]
NEW = {"name": "shop"}
NEW_ROLE = {"role": "Foundry User", "principalType": "user", "principalId": "u", "issuer": "one"}
CONNECTION = {"type": "CognitiveSearch", "target": "x"}
WRONG = {
    "keys.create": {"name": "a b"},
    "roles.assign": NEW_ROLE | {"role": "none"},
    "connections.create": NEW | CONNECTION | {"key": "k", "sas": "s"},
    "enrichments.create": [1],
}
MAY_FAIL = [each for each in CHANGES if each.values[0].name != "connections.reseal"]
"""What cannot be sealed anew is counted, and fails nothing."""


@pytest.fixture
async def door():
    async with TestOffice() as office:
        yield AdminDoor(office)


def body_for(endpoint):
    return {
        "keys.create": NEW,
        "keys.rotate": {},
        "roles.assign": NEW_ROLE,
        "connections.create": NEW | CONNECTION,
        "connections.replace": CONNECTION,
        "enrichments.create": NEW,
    }.get(endpoint.name)


async def made(door, **wanted):
    answer = await door.ask("POST", "/admin/keys", NEW | wanted)
    assert answer.status == 201, answer.body
    return answer.json


async def test_a_key_from_its_making_to_its_end(door):
    new = await made(door, deployments=["chat"], networks=["10.0.0.0/8"], expires="2027-02-01T00:00:00Z")
    assert new["key"].startswith("fh-")
    assert new["expires"] == "2027-02-01T00:00:00Z"
    assert (new["state"], new["admin"], new["operations"]) == ("live", False, None)
    listed = (await door.ask("GET", "/admin/keys")).json
    assert listed == {"value": [{name: value for name, value in new.items() if name != "key"}]}
    assert (await door.ask("GET", f"/admin/keys/{new['id']}")).json == listed["value"][0]
    turned = await door.ask("POST", "/admin/keys/shop/rotate", {"overlapSeconds": 60})
    assert turned.status == 200
    assert turned.json["key"] not in (new["key"], "")
    assert turned.json["secrets"][0]["expires"] == "2027-01-15T08:01:00Z"
    gone = await door.ask("DELETE", f"/admin/keys/{new['id']}")
    assert (gone.status, gone.body) == (204, b"")
    missing = await door.ask("GET", f"/admin/keys/{new['id']}")
    assert (missing.status, missing.code) == (404, "NotFound")


async def test_an_answer_with_a_key_is_kept_by_nobody_and_says_where_it_is(door):
    answer = await door.ask("POST", "/admin/keys", NEW)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == f"/admin/keys/{answer.json['id']}"
    assert answer.headers["content-type"] == "application/json"
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("endpoint", EVERY)
async def test_without_a_credential_nothing_is_done(door, endpoint):
    await made(door)
    for key in (None, "fh-wrong", ""):
        answer = await door.ask(endpoint.method, TARGETS[endpoint.name], body_for(endpoint), key=key)
        assert (answer.status, answer.code) == (401, "401")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert [each["name"] for each in (await door.ask("GET", "/admin/keys")).json["value"]] == ["shop"]


@pytest.mark.parametrize("endpoint", EVERY)
@pytest.mark.parametrize("who", ["plain key", "reader", "elsewhere"])
async def test_whoever_may_not_is_told_what_they_lack_and_it_is_recorded(door, endpoint, who):
    key = (await made(door, name="plain"))["key"]
    nobody = Grant(place=Place(resource=RESOURCE), permissions=frozenset(Permission) - CONTROL)
    door.people["reader"] = Principal(name="reader", kind="user", id="oid-2", grants=(nobody,))
    door.people["elsewhere"] = owner(OTHER, name="elsewhere")
    headers = {} if who == "plain key" else {"authorization": who}
    answer = await door.ask(
        endpoint.method,
        TARGETS[endpoint.name],
        body_for(endpoint),
        key=key if who == "plain key" else None,
        headers=headers,
    )
    assert (answer.status, answer.code) == (403, "PermissionDenied")
    assert endpoint.permission.value in answer.json["error"]["message"]
    (record,) = await door.office.records(limit=1)
    assert (record.action, record.allowed, record.status) == (endpoint.name, False, 403)
    assert (record.actor, record.resource) == ("plain" if who == "plain key" else who, RESOURCE)
    assert record.request_id == "request-1"


@pytest.mark.parametrize("who", ["development", "admin key", "owner"])
async def test_these_may(door, who):
    admin = (await made(door, name="admin", admin=True))["key"]
    door.people["owner"] = owner()
    key = {"development": DEVELOPMENT, "admin key": admin, "owner": None}[who]
    for endpoint in ENDPOINTS:
        answer = await door.ask(
            endpoint.method,
            TARGETS[endpoint.name].replace("shop", "temporary"),
            {"name": "temporary"} if endpoint.name == "keys.create" else body_for(endpoint),
            key=key,
            headers={"authorization": who},
        )
        assert answer.status in {200, 201, 202, 204, 404, 409}, (endpoint, answer.body)


@pytest.mark.parametrize("endpoint", KEY_CHANGES)
async def test_every_change_is_recorded(door, endpoint):
    if endpoint.name != "keys.create":
        await made(door)
    answer = await door.ask(endpoint.method, TARGETS[endpoint.name], body_for(endpoint))
    record = (await door.office.records())[0]
    assert (record.action, record.status, record.allowed) == (endpoint.name, answer.status, True)
    assert (record.actor, record.actor_kind, record.request_id) == ("development", "key", "request-1")
    assert record.target.startswith("key_")
    assert "shop" in record.detail


@pytest.mark.parametrize("endpoint", MAY_FAIL)
async def test_a_change_that_fails_is_recorded_with_the_reason(door, endpoint):
    body = WRONG.get(endpoint.name, body_for(endpoint))
    answer = await door.ask(endpoint.method, TARGETS[endpoint.name].replace("shop", "none"), body)
    (record,) = await door.office.records()
    assert (record.action, record.status, record.allowed) == (endpoint.name, answer.status, True)
    assert record.detail == answer.json["error"]["message"]


async def test_reading_is_not_recorded(door):
    for target in ("/admin/keys", "/admin/keys/none", "/admin/audit"):
        await door.ask("GET", target)
    assert await door.office.records() == []


async def test_no_answer_and_no_record_has_a_key_but_the_one_that_hands_it_over(door):
    new = await made(door)
    turned = (await door.ask("POST", "/admin/keys/shop/rotate")).json
    texts = [
        (await door.ask("GET", target)).body.decode() for target in ("/admin/keys", "/admin/keys/shop", "/admin/audit")
    ]
    kept = b"".join(each.body for each in await door.office.documents.of_all_places("key")).decode()
    for key in (new["key"], turned["key"], DEVELOPMENT):
        for text in (*texts, kept, repr(await door.office.records())):
            assert key[:16] not in text
            assert key[3:20] not in text


@pytest.mark.parametrize(
    ("body", "status", "code", "target"),
    [
        (b"", 400, "malformed_body", None),
        (b"{", 400, "malformed_body", None),
        (b"\xff", 400, "malformed_body", None),
        (b"[" * 60_000, 400, None, None),
        (b'{"name": "x"} {}', 400, "malformed_body", None),
        ([], 400, "invalid_value", None),
        ({}, 400, "invalid_value", "name"),
        ({"name": 1}, 400, "invalid_value", "name"),
        ({"name": None}, 400, "invalid_value", "name"),
        ({"name": "x", "admin": "true"}, 400, "invalid_value", "admin"),
        ({"name": "x", "admin": 1}, 400, "invalid_value", "admin"),
        ({"name": "x", "deployments": "chat"}, 400, "invalid_value", "deployments"),
        ({"name": "x", "deployments": [1]}, 400, "invalid_value", "deployments[0]"),
        ({"name": "x", "deployments": []}, 400, "invalid_value", "deployments"),
        ({"name": "x", "operations": ["everything"]}, 400, "invalid_value", "operations"),
        ({"name": "x", "projects": ["none"]}, 400, "invalid_value", "projects"),
        ({"name": "x", "networks": ["here"]}, 400, "invalid_value", "networks"),
        ({"name": "x", "expires": 1_900_000_000}, 400, "invalid_value", "expires"),
        ({"name": "x", "expires": "2099-01-01T00:00:00"}, 400, "invalid_value", "expires"),
        ({"name": "x", "expires": "2020-01-01T00:00:00Z"}, 400, "invalid_value", "expires"),
        ({"name": "x", "resource": OTHER}, 400, "unknown_parameter", "resource"),
        ({"name": "x", "id": "key_1"}, 400, "unknown_parameter", "id"),
        ({"name": "x", "secrets": []}, 400, "unknown_parameter", "secrets"),
        ({"name": "x", "key": "fh-mine"}, 400, "unknown_parameter", "key"),
        ({"name": "x", "Admin": True}, 400, "unknown_parameter", "Admin"),
        (b" " * 70_000, 413, "RequestEntityTooLarge", None),
    ],
)
async def test_a_body_is_read_strictly(door, body, status, code, target):
    answer = await door.ask("POST", "/admin/keys", body)
    assert answer.status == status
    assert code in (None, answer.code)
    assert answer.json["error"].get("target") == target
    assert await door.office.documents.of_all_places("key") == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
        {"content-encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_read(door, headers):
    answer = await door.ask("POST", "/admin/keys", NEW, headers=headers)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("target", "parameter"),
    [
        ("/admin/keys?limit=0", "limit"),
        ("/admin/keys?limit=101", "limit"),
        ("/admin/keys?limit=-1", "limit"),
        ("/admin/keys?limit=1e2", "limit"),
        ("/admin/keys?limit=%D9%A1", "limit"),
        (f"/admin/keys?limit={'9' * 5_000}", "limit"),
        ("/admin/keys?limit=1&limit=2", "limit"),
        ("/admin/keys?resource=here&resource=there", "resource"),
        ("/admin/keys?resource=nowhere", "resource"),
        ("/admin/keys?resource=", "resource"),
        ("/admin/keys?admin=true", "admin"),
        ("/admin/keys/shop?name=x", "name"),
        ("/admin/audit?since=yesterday", "since"),
        ("/admin/audit?since=2027-01-01T00:00:00", "since"),
        ("/admin/audit?after=x", "after"),
        ("/admin/audit?after=-1", "after"),
        ("/admin/audit?name=%FF", None),
        ("/admin/audit?actor", None),
    ],
)
async def test_a_query_is_read_strictly(door, target, parameter):
    answer = await door.ask("GET", target)
    assert answer.status == 400
    assert answer.code in {"invalid_value", "unknown_parameter"}
    assert answer.json["error"].get("target") == parameter


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("PUT", "/admin/keys", "GET, POST"),
        ("HEAD", "/admin/keys", "GET, POST"),
        ("OPTIONS", "/admin/keys", "GET, POST"),
        ("PATCH", "/admin/keys/shop", "DELETE, GET"),
        ("GET", "/admin/keys/shop/rotate", "POST"),
        ("POST", "/admin/audit", "GET"),
        ("DELETE", "/admin/audit", "GET"),
    ],
)
async def test_another_method_is_told_which_there_are(door, method, target, allowed):
    answer = await door.ask(method, target)
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "405", allowed)


OTHER_PATHS = [
    "/admin",
    "/admin/",
    "/admin/keys/",
    "/admin/keys//",
    "/admin//keys",
    "/admin/keys/shop/",
    "/admin/keys/%73hop",
    "/admin/keys/sh%6Fp/rotate",
    "/admin/%6Beys",
    "/admin/keys%0A",
    "/admin/keys%00",
    "/admin/keys/.",
    "/admin/keys/..",
    "/admin/keys/shop;v=1",
    "/admin/keys;v=1",
    "/admin/keys.",
    "/admin/Keys",
    "/admin/audit/..;/keys",
    "/admin/keys/shop%2Frotate",
    "/admin/keys/" + "n" * 129,
]


@pytest.mark.parametrize("path", OTHER_PATHS)
async def test_any_other_path_below_admin_is_refused(door, path):
    await made(door)
    answer = await door.ask("GET", path)
    assert (answer.status, answer.code) == (404, "404")
    assert (await door.ask("GET", path, key=None)).status == 401


async def test_a_path_that_is_nearly_right_is_told_the_right_one(door):
    answer = await door.ask("POST", "/admin/key")
    assert b"Did you mean POST /admin/keys?" in answer.body
    assert b"Operations here: GET /admin/keys, " in (await door.ask("GET", "/admin/nothing/of/ours")).body


@pytest.mark.parametrize(
    "path", ["//admin/keys", "/%61dmin/keys", "/ADMIN/keys", "/admin%2Fkeys", "/x/../admin/keys", "/adminx"]
)
async def test_a_path_that_only_becomes_admin_when_decoded_is_none_of_ours(door, path):
    for key in (None, DEVELOPMENT):
        answer = await door.ask("GET", path, key=key)
        assert answer.status == 404
        assert b"value" not in answer.body


async def test_each_resource_has_its_own(door):
    here = await made(door)
    there = (await door.ask("POST", f"/admin/keys?resource={OTHER}", NEW)).json
    by_host = (await door.ask("GET", "/admin/keys", host=f"{OTHER}.openai.azure.com")).json["value"]
    by_query = (await door.ask("GET", f"/admin/keys?resource={OTHER}")).json["value"]
    assert [each["id"] for each in by_host] == [each["id"] for each in by_query] == [there["id"]]
    assert [each["id"] for each in (await door.ask("GET", "/admin/keys")).json["value"]] == [here["id"]]
    foreign = await door.ask("GET", f"/admin/keys/{there['id']}")
    nobodys = await door.ask("GET", f"/admin/keys/key_{'0' * 32}")
    assert foreign.status == nobodys.status == 404
    assert foreign.body.replace(there["id"].encode(), b"") == nobodys.body.replace(f"key_{'0' * 32}".encode(), b"")
    assert {each.resource for each in await door.office.records()} == {RESOURCE, OTHER}


async def test_an_admin_key_of_one_resource_is_unknown_in_another(door):
    admin = (await made(door, name="admin", admin=True))["key"]
    assert (await door.ask("GET", "/admin/keys", key=admin)).status == 200
    for target, host in ((f"/admin/keys?resource={OTHER}", "localhost"), ("/admin/keys", f"{OTHER}.openai.azure.com")):
        assert (await door.ask("GET", target, key=admin, host=host)).status == 401
    assert (await door.ask("POST", f"/admin/keys?resource={OTHER}", NEW, key=admin)).status == 401


async def test_a_limited_admin_key_makes_no_key_without_its_limits(door):
    admin = (await made(door, name="admin", admin=True, deployments=["chat"]))["key"]
    answer = await door.ask("POST", "/admin/keys", NEW, key=admin)
    assert (answer.status, answer.code) == (403, "PermissionDenied")
    (record,) = await door.office.records(limit=1)
    assert (record.actor, record.allowed, record.target) == ("admin", False, "shop")


async def test_lists_go_on_where_the_link_says(door):
    for number in range(5):
        await made(door, name=f"shop-{number}")
    for path, expected in (("/admin/keys", 5), ("/admin/audit", 5)):
        seen, target = [], f"{path}?limit=2&resource={RESOURCE}"
        while target:
            page = (await door.ask("GET", target)).json
            seen += [each["id"] for each in page["value"]]
            target = page.get("nextLink")
            if target:
                assert urlsplit(target).path == path
                assert f"resource={RESOURCE}" in target
        assert len(seen) == len(set(seen)) == expected


async def test_the_audit_log_is_searched(door):
    await made(door, name="first")
    await door.office.clock.advance(3_600)
    door.people["owner"] = owner()
    await door.ask("DELETE", "/admin/keys/first", key=None, headers={"authorization": "owner"})
    since = dt.datetime.fromtimestamp(door.office.clock.unix(), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for query, actions in (
        ("", ["keys.revoke", "keys.create"]),
        ("?actor=maria%40example.com", ["keys.revoke"]),
        ("?action=keys.create", ["keys.create"]),
        (f"?since={since}", ["keys.revoke"]),
        ("?actor=nobody", []),
        (f"?resource={OTHER}", []),
    ):
        found = (await door.ask("GET", f"/admin/audit{query}")).json["value"]
        assert [each["action"] for each in found] == actions
    assert found == []
    newest = (await door.ask("GET", "/admin/audit")).json["value"][0]
    assert newest["time"] == since
    assert newest["requestId"] == "request-1"
    assert newest["detail"] == "by oid-1; first"
    assert newest["allowed"] is True


async def test_one_secret_is_revoked_and_the_last_one_takes_the_key_with_it(door):
    first = (await made(door))["secrets"][0]["id"]
    second = (await door.ask("POST", "/admin/keys/shop/rotate")).json["secrets"][1]["id"]
    assert (await door.ask("DELETE", f"/admin/keys/shop?secret={first}")).status == 204
    assert [each["id"] for each in (await door.ask("GET", "/admin/keys/shop")).json["secrets"]] == [second]
    assert (await door.ask("DELETE", f"/admin/keys/shop?secret={first}")).status == 404
    assert (await door.ask("DELETE", f"/admin/keys/shop?secret={second}")).status == 204
    assert (await door.ask("GET", "/admin/keys/shop")).status == 404


class Away(MemoryDocuments):
    """A store whose disk is full."""

    async def insert(self, document):
        raise StoreFailed("the store refused: FullError")


async def test_a_store_that_is_away_is_503_and_recorded():
    async with TestOffice(Away()) as office:
        door = AdminDoor(office)
        answer = await door.ask("POST", "/admin/keys", NEW)
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "ServiceUnavailable", "5")
        (record,) = await office.records()
        assert (record.status, record.detail) == (503, "the store could not be used")


class Lost(MemoryDocuments):
    """A store that is lost before it answers."""

    async def delete(self, place, kind, id, now, *, etag=None):  # noqa: A002 - the port's
        await super().delete(place, kind, id, now, etag=etag)
        raise StoreFailed("the store does not answer: ConnectionDoesNotExistError", uncertain=True)


async def test_a_store_that_may_have_done_it_is_no_store_that_has_not():
    async with TestOffice(Lost()) as office:
        door = AdminDoor(office)
        await made(door)
        answer = await door.ask("DELETE", "/admin/keys/shop")
        assert (answer.status, answer.code) == (502, "BadGateway")
        assert "look whether it was done" in answer.json["error"]["message"]
        assert "retry-after" not in answer.headers
        (record, _) = await office.records()
        assert (record.status, record.detail) == (502, "the store could not be used, and may have done it")


async def test_a_client_that_leaves_half_way_is_no_fault_of_ours(door):
    answer = await door.ask("POST", "/admin/keys", NEW, leaves=True)
    assert (answer.status, answer.code) == (400, "malformed_body")
    assert await door.office.documents.of_all_places("key") == []


def test_every_endpoint_asks_for_the_one_permission_or_that_of_jobs():
    asked = {endpoint.permission: endpoint.path.startswith("/admin/enrichments") for endpoint in ENDPOINTS}
    assert asked == {Permission.ADMINISTER: False, Permission.ENRICH: True}
    assert all(endpoint.keys for endpoint in ENDPOINTS)
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)

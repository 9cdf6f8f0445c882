"""Indexes and datasets below a project, as clients see them: shapes, statuses, pages, bounds, and whose they are."""

import json

import pytest
from azure.ai.projects.models import CosmosDBIndex, FileDatasetVersion
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forehearth.assets.family import LONGEST
from forehearth.core.permission import Permission
from tests.families import all_families
from tests.unit.doors import KEY, Known, answer, head, make_door, principal
from tests.unit.wire import project_door

BASE = "/api/projects/default"
INDEX = {"type": "AzureSearch", "connectionName": "search", "indexName": "manuals"}
DATA = {"type": "uri_file", "dataUri": "https://example.com/a.jsonl", "connectionName": "blob"}
BOTH = [("indexes", "indexes", INDEX, {}), ("datasets", "data", DATA, {"isReference": True})]
MERGE = "application/merge-patch+json"


@pytest.fixture
def client():
    known = Known(
        {
            "all": principal(),
            "sales": principal(project="sales"),
            "reader": principal(Permission.READ_ASSETS),
            "writer": principal(Permission.WRITE_ASSETS),
            "deleter": principal(Permission.DELETE_ASSETS),
            "other": principal(*(set(Permission) - {each for each in Permission if "/assets/" in each})),
        }
    )
    return make_door(answer({}), known=known, families=all_families())


async def ask(client, method, target, body=b"", token="all", **headers):
    merged = {"content_type": MERGE} if method == "PATCH" else {}
    return await project_door.ask(client, method, target, body, token, **merged | headers)


async def put(client, family="datasets", name="a", version="1", body=DATA, **where):
    base, token = where.get("base", BASE), where.get("token", "all")
    return await ask(client, "PATCH", f"{base}/{family}/{name}/versions/{version}", body, token)


@pytest.mark.parametrize(("family", "called", "body", "also"), BOTH)
async def test_a_version_is_made_read_changed_and_deleted(client, family, called, body, also):
    one = f"{BASE}/{family}/a.b-c_D/versions/2026.1"
    made = await put(client, family, "a.b-c_D", "2026.1", body | {"tags": {"a": "b"}})
    expected = {
        "id": f"azureai://accounts/here/projects/default/{called}/a.b-c_D/versions/2026.1",
        "name": "a.b-c_D",
        "version": "2026.1",
        **also,
        **body,
        "tags": {"a": "b"},
    }
    assert (made.status, made.json, made.headers[b"content-type"]) == (201, expected, b"application/json")
    assert (await ask(client, "GET", one)).json == expected
    changed = await put(client, family, "a.b-c_D", "2026.1", {"description": "New.", "tags": {"a": None, "c": "d"}})
    assert (changed.status, changed.json) == (200, expected | {"description": "New.", "tags": {"c": "d"}})
    assert (await ask(client, "GET", one)).json == changed.json
    again = await put(client, family, "a.b-c_D", "2026.1", changed.json)
    assert (again.status, again.json) == (200, changed.json)
    for _ in range(2):
        gone = await ask(client, "DELETE", one)
        assert (gone.status, gone.raw) == (204, b"")
    assert (await ask(client, "GET", one)).status == 404
    assert (await ask(client, "GET", f"{BASE}/{family}")).json == {"value": []}


async def test_the_client_reads_what_is_replied(client):
    body = {
        "type": "CosmosDBNoSqlVectorStore",
        "connectionName": "c",
        "databaseName": "d",
        "containerName": "x",
        "embeddingConfiguration": {"modelDeploymentName": "vectors", "embeddingField": "v"},
        "fieldMapping": {"contentFields": ["text"]},
    }
    index = CosmosDBIndex((await put(client, "indexes", body=body)).json)
    assert index.embedding_configuration.model_deployment_name == "vectors"
    data = FileDatasetVersion((await put(client)).json)
    assert (data.data_uri, data.is_reference, data.connection_name) == (DATA["dataUri"], True, "blob")


@pytest.mark.parametrize(("family", "called", "body", "also"), BOTH)
async def test_lists_have_the_newest_first_and_of_each_name_the_version_made_last(client, family, called, body, also):
    for name, version in (("a", "1"), ("b", "1"), ("a", "10"), ("a", "9"), ("b", "0")):
        await put(client, family, name, version, body)
    await put(client, family, "a", "1", {"description": "Changed last."})

    async def listed(path):
        return [(each["name"], each["version"]) for each in (await ask(client, "GET", BASE + path)).json["value"]]

    assert await listed(f"/{family}") == [("b", "0"), ("a", "9")]
    assert await listed(f"/{family}/a/versions") == [("a", "9"), ("a", "10"), ("a", "1")]
    await ask(client, "DELETE", f"{BASE}/{family}/a/versions/9")
    assert await listed(f"/{family}") == [("b", "0"), ("a", "10")]
    assert await listed(f"/{family}/nobody/versions") == []
    for version in ("0", "1"):
        await ask(client, "DELETE", f"{BASE}/{family}/b/versions/{version}")
    assert await listed(f"/{family}") == [("a", "10")]


async def pages(client, path, *, delete=False):
    """The names and versions of all pages; each is deleted as it is seen, if so wanted."""
    target, found = f"{BASE}{path}", []
    while target:
        page = (await ask(client, "GET", target, host="my-host")).json
        found.append([(each["name"], each["version"]) for each in page["value"]])
        if delete:
            for name, version in found[-1]:
                await ask(client, "DELETE", f"{BASE}/datasets/{name}/versions/{version}")
        target = page.get("nextLink", "").removeprefix("http://my-host")
        assert not target.startswith("http")
    return found


async def test_lists_come_in_pages_of_fifty(client):
    names = [f"n{number}" for number in range(101)]
    for name in names:
        await put(client, name=name)
    found = await pages(client, "/datasets")
    assert list(map(len, found)) == [50, 50, 1]
    assert [name for page in found for name, _ in page] == names[::-1]
    for number in range(100):
        await put(client, name="many", version=str(number))
    found = await pages(client, "/datasets/many/versions?api-version=2025-11-15-preview")
    assert [int(version) for page in found for _, version in page] == [*range(99, -1, -1)]


async def test_whoever_deletes_what_a_list_shows_comes_to_its_end(client):
    for number in range(101):
        await put(client, name=f"n{number}")
        await put(client, name="many", version=str(number))
    assert list(map(len, await pages(client, "/datasets/many/versions", delete=True))) == [50, 50, 1]
    assert list(map(len, await pages(client, "/datasets", delete=True))) == [50, 50, 1]
    assert await pages(client, "/datasets") == [[]]


@pytest.mark.parametrize("token", ["nothing", "", "%00", "%ED%A0%80", "b", "x" * 300])
async def test_a_page_that_cannot_begin_is_refused(client, token):
    await put(client)
    await put(client, name="b", version="2")
    for path in ("/datasets", "/datasets/a/versions", "/datasets/nobody/versions"):
        found = await ask(client, "GET", f"{BASE}{path}?skipToken={token}")
        right = token == "" or (token == "b" and path == "/datasets")
        assert found.status == 200 if right else (found.status, found.error["param"]) == (400, "skipToken")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"\xff", None),
        (b"[]", None),
        (b"null", None),
        (b"5", None),
        (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", None),
        (b'{"type":"uri_file","dataUri":"a:b","x":' + b"[" * 500 + b"]" * 500 + b"}", "ok"),
        (b'{"type":"uri_file","dataUri":"a:b","x":"\\ud800"}', None),
        (b'{"type":"uri_file","dataUri":"a:b","x":"\\u0000"}', "ok"),
        (json.dumps(DATA).encode() + b" " * LONGEST, None),
        ({}, "type"),
        ({"type": "uri_file"}, "dataUri"),
        ({"type": ["uri_file"], "dataUri": "a:b"}, "type"),
        ({"type": "mltable", "dataUri": "a:b"}, "type"),
        (DATA | {"tags": {"a": 1}}, "tags[...]"),
    ],
)
async def test_a_body_that_is_wrong_says_where_and_makes_nothing(client, body, param):
    found = await put(client, body=body)
    if param == "ok":
        assert found.status == 201, found.raw
        return
    assert (found.status, found.error["param"]) == (400, param), found.raw
    assert found.error["message"]
    assert (await ask(client, "GET", f"{BASE}/datasets")).json == {"value": []}


async def test_what_stays_as_it_was_made_is_refused_and_kept(client):
    await put(client)
    for member, value in (("type", "uri_folder"), ("dataUri", "https://example.com/b"), ("connectionName", "x")):
        found = await put(client, body={member: value, "description": "New."})
        assert (found.status, found.error["param"]) == (400, member)
    kept = (await ask(client, "GET", f"{BASE}/datasets/a/versions/1")).json
    assert DATA.items() <= kept.items()
    assert "description" not in kept


@pytest.mark.parametrize("name", ["-a", ".a", "_a", "a b", "a:b", "a%2Fb", "%C3%A4", "a" * 256, "*"])
async def test_names_and_versions_have_their_letters(client, name):
    for path, param in ((f"{name}/versions/1", "name"), (f"a/versions/{name}", "version")):
        found = await ask(client, "PATCH", f"{BASE}/datasets/{path.replace(' ', '%20')}", DATA)
        assert (found.status, found.error["param"]) == (400, param)
        assert (await ask(client, "GET", f"{BASE}/datasets/{path.replace(' ', '%20')}")).status == 404
        assert (await ask(client, "DELETE", f"{BASE}/datasets/{path.replace(' ', '%20')}")).status == 204
    assert (await ask(client, "GET", f"{BASE}/datasets")).json == {"value": []}


async def test_the_longest_names_are_taken(client):
    assert (await put(client, name="a" * 255, version="1" * 64)).status == 201
    assert (await put(client, name="a", version="1" * 65)).status == 400
    assert [each["name"] for each in (await ask(client, "GET", f"{BASE}/datasets")).json["value"]] == ["a" * 255]


async def test_a_merge_patch_is_asked_for(client):
    one = f"{BASE}/datasets/a/versions/1"
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        found = await ask(client, "PATCH", one, DATA, content_type=kind)
        assert (found.status, MERGE in found.error["message"]) == (415, True)
    assert (await ask(client, "PATCH", one, DATA, content_type=f"{MERGE}; charset=utf-8")).status == 201
    assert (await ask(client, "PUT", one, DATA)).status == 405


@pytest.mark.parametrize(("family", "called", "body", "also"), BOTH)
async def test_what_another_project_has_is_as_what_is_not_there(client, family, called, body, also):
    mine = (await put(client, family, body=body)).json
    other = BASE.replace("default", "sales")
    for end in ("/a/versions/1", "/a/versions"):
        foreign = await ask(client, "GET", f"{other}/{family}{end}", token="sales")
        absent = await ask(client, "GET", f"{other}/{family}{end.replace('/a/', '/b/')}", token="sales")
        assert (foreign.status, foreign.raw) == (absent.status, absent.raw.replace(b"'b'", b"'a'"))
    assert (await ask(client, "GET", f"{other}/{family}", token="sales")).json == {"value": []}
    assert (await ask(client, "DELETE", f"{other}/{family}/a/versions/1", token="sales")).status == 204
    assert (await put(client, family, body={"description": "x"}, base=other, token="sales")).status == 400
    own = await put(client, family, body=mine, base=other, token="sales")
    assert (own.status, own.json["id"]) == (201, mine["id"].replace("projects/default", "projects/sales"))
    assert (await ask(client, "DELETE", f"{other}/{family}/a/versions/1", token="sales")).status == 204
    assert (await ask(client, "GET", f"{BASE}/{family}/a/versions/1")).json == mine
    assert (await ask(client, "GET", f"/api/projects/_project/{family}/a/versions/1")).json == mine
    page = f"{other}/{family}?skipToken=a"
    assert (await ask(client, "GET", page, token="sales")).error["param"] == "skipToken"


async def test_indexes_and_datasets_of_one_name_are_two_things(client):
    await put(client)
    assert (await ask(client, "GET", f"{BASE}/indexes/a/versions/1")).status == 404
    assert (await ask(client, "GET", f"{BASE}/indexes")).json == {"value": []}


@pytest.mark.parametrize(
    ("token", "statuses"),
    [
        ("reader", (200, 403, 403)),
        ("writer", (403, 200, 403)),
        ("deleter", (403, 403, 204)),
        ("other", (403, 403, 403)),
    ],
)
async def test_reading_writing_and_deleting_are_three_things(client, token, statuses):
    await put(client)
    one = f"{BASE}/datasets/a/versions/1"
    found = [
        await ask(client, method, one, body, token)
        for method, body in (("GET", b""), ("PATCH", {"description": "x"}), ("DELETE", b""))
    ]
    assert tuple(each.status for each in found) == statuses
    for each, action in zip(found, ("read", "write", "delete"), strict=True):
        assert each.status != 403 or f"AIServices/assets/{action}" in each.error["message"]


async def test_a_key_is_not_taken_and_an_api_version_is_asked_for(client):
    for headers in ({"api_key": KEY}, {"authorization": f"Bearer {KEY}"}):
        reply = client.gateway.accept(head(f"{BASE}/datasets?api-version=v1", method="GET", key=None, **headers))
        assert reply.status == 401
    assert (await ask(client, "GET", f"{BASE}/indexes?api-version=soon")).status == 400
    assert (await ask(client, "GET", f"{BASE}/indexes?api-version=2025-11-15-preview")).status == 200


async def test_what_needs_a_store_of_files_is_not_served_yet(client):
    for what in ("credentials", "startPendingUpload"):
        found = await ask(client, "POST", f"{BASE}/datasets/a/versions/1/{what}", {})
        assert (found.status, found.error["code"]) == (501, "NotServedYet")


WORDS = st.sampled_from([*DATA, *INDEX, *DATA.values(), *INDEX.values(), "tags", "description", "fieldMapping"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
MERGED = st.builds(lambda first, more: first | more, st.sampled_from([DATA, INDEX]), st.dictionaries(WORDS, JSON))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40) | (JSON | MERGED).map(lambda value: json.dumps(value).encode()), max_size=3))
async def test_whatever_the_body_it_is_read_or_refused(client, bodies):
    for family in ("indexes", "datasets"):
        for body in bodies:
            found = await put(client, family, "any", "1", body)
            assert found.status in (200, 201, 400), found.raw
            if found.status == 400:
                assert found.error["message"]
                continue
            assert (await ask(client, "GET", f"{BASE}/{family}/any/versions/1")).json == found.json
            assert (await ask(client, "GET", f"{BASE}/{family}")).json["value"] == [found.json]

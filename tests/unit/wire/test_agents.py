"""Agents below a project, as clients see them: shapes, statuses, pages, limits, and whose they are."""

import pytest
from azure.ai.projects.models import AgentDetails, AgentVersionDetails

from forehearth.core.permission import Permission
from tests.families import all_families
from tests.unit.doors import KEY, Known, answer, head, make_door, principal
from tests.unit.wire.project_door import ask

BASE = "/api/projects/default/agents"
DEFINITION = {"kind": "prompt", "model": "chat", "instructions": "Be brief.", "temperature": 1.0, "tools": []}


@pytest.fixture
def client():
    known = Known(
        {
            "all": principal(),
            "sales": principal(project="sales"),
            "reader": principal(Permission.READ_AGENTS),
            "writer": principal(Permission.WRITE_AGENTS),
            "consumer": principal(Permission.CALL_AGENT),
        }
    )
    return make_door(answer({}), known=known, families=all_families())


async def create(client, name="greeter", base=BASE, **rest):
    reply = await ask(client, "POST", f"{base}/{name}/versions", {"definition": DEFINITION} | rest)
    assert reply.status == 200, reply.raw
    return reply.json


async def test_a_version_is_as_the_client_reads_it(client):
    made = await create(client, description="It greets.", metadata={"team": "a"})
    guid = made.pop("agent_guid")
    assert made == {
        "metadata": {"team": "a"},
        "object": "agent.version",
        "id": "greeter:1",
        "name": "greeter",
        "version": "1",
        "description": "It greets.",
        "created_at": made["created_at"],
        "definition": DEFINITION,
        "draft": False,
        "status": "active",
    }
    assert AgentVersionDetails(made).definition.model == "chat"
    again = await ask(client, "GET", f"{BASE}/greeter/versions/1")
    assert again.json == made | {"agent_guid": guid}


async def test_an_agent_has_its_latest_version_in_it(client):
    await create(client)
    latest = await create(client, description="New.")
    agent = (await ask(client, "GET", f"{BASE}/greeter")).json
    assert agent == {
        "object": "agent",
        "id": "greeter",
        "name": "greeter",
        "state": "enabled",
        "configuration_state": "enabled",
        "versions": {"latest": latest},
    }
    assert AgentDetails(agent).versions.latest.version == "2"


async def test_a_definition_comes_back_as_it_was_sent(client):
    raw = b'{"kind": "prompt",  "model": "chat", "temperature": 1.0, "tomorrow": 12345678901234567890123, "top_p": 1e0}'
    made = await ask(client, "POST", f"{BASE}/greeter/versions", b'{"definition": %b}' % raw)
    for target in ("/greeter/versions/1", "/greeter", "/greeter/versions", ""):
        assert raw in (await ask(client, "GET", BASE + target)).raw
    assert raw in made.raw


async def test_agents_are_made_and_changed_under_their_names(client):
    body = {"name": "greeter", "definition": DEFINITION, "description": None, "metadata": None}
    made = await ask(client, "POST", BASE, body)
    assert (made.status, made.json["object"], made.json["versions"]["latest"]["version"]) == (200, "agent", "1")
    assert (await ask(client, "POST", BASE, body)).status == 409
    same = await ask(client, "POST", f"{BASE}/greeter", {"definition": DEFINITION})
    assert same.json == made.json
    changed = await ask(client, "POST", f"{BASE}/greeter", {"definition": DEFINITION | {"model": "other"}})
    assert changed.json["versions"]["latest"]["id"] == "greeter:2"
    assert (await ask(client, "POST", f"{BASE}/nobody", {"definition": DEFINITION})).status == 404


async def test_agents_are_switched_off_and_on(client):
    await create(client)
    for action, state in (("disable", "disabled"), ("enable", "enabled")):
        done = await ask(client, "POST", f"{BASE}/greeter:{action}")
        assert (done.status, done.raw) == (204, b"")
        assert (await ask(client, "GET", f"{BASE}/greeter")).json["state"] == state
    assert (await ask(client, "POST", f"{BASE}/nobody:enable")).status == 404


async def test_versions_and_agents_are_deleted(client):
    await create(client)
    await create(client, description="New.")
    done = await ask(client, "DELETE", f"{BASE}/greeter/versions/2?force=true")
    assert (done.status, done.json) == (
        200,
        {"object": "agent.version.deleted", "name": "greeter", "version": "2", "deleted": True},
    )
    assert (await ask(client, "DELETE", f"{BASE}/greeter/versions/2")).status == 404
    done = await ask(client, "DELETE", f"{BASE}/greeter")
    assert (done.status, done.json) == (200, {"object": "agent.deleted", "name": "greeter", "deleted": True})
    for method, target in (("GET", ""), ("DELETE", ""), ("GET", "/versions"), ("GET", "/versions/1")):
        gone = await ask(client, method, f"{BASE}/greeter{target}")
        assert (gone.status, gone.error["code"]) == (404, "NotFound")


async def test_lists_come_in_pages(client):
    for number in range(25):
        await create(client, f"agent-{number}")
    first = (await ask(client, "GET", BASE)).json
    assert (first["object"], len(first["data"]), first["has_more"]) == ("list", 20, True)
    assert (first["first_id"], first["last_id"]) == ("agent-24", "agent-5")
    rest = (await ask(client, "GET", f"{BASE}?after=agent-5")).json
    assert ([each["id"] for each in rest["data"]][::4], rest["has_more"]) == (["agent-4", "agent-0"], False)
    before = (await ask(client, "GET", f"{BASE}?limit=3&order=asc&before=agent-9")).json
    assert [each["name"] for each in before["data"]] == ["agent-6", "agent-7", "agent-8"]
    assert len((await ask(client, "GET", f"{BASE}?limit=100&kind=prompt")).json["data"]) == 25
    none = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert (await ask(client, "GET", f"{BASE}?kind=hosted")).json == none
    assert (await ask(client, "GET", "/api/projects/sales/agents")).json == none


async def test_versions_come_in_pages(client):
    for number in range(3):
        await create(client, description=str(number))
    page = (await ask(client, "GET", f"{BASE}/greeter/versions?limit=2&include_drafts=true")).json
    assert ([each["version"] for each in page["data"]], page["has_more"]) == (["3", "2"], True)
    page = (await ask(client, "GET", f"{BASE}/greeter/versions?limit=2&after={page['last_id']}")).json
    assert ([each["id"] for each in page["data"]], page["last_id"]) == (["greeter:1"], "greeter:1")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e1", "limit"),
        ("limit=" + "9" * 5_000, "limit"),
        ("order=up", "order"),
        ("after=nobody", "after"),
        ("before=nobody", "before"),
        ("after=%00", "after"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(client, query, param):
    await create(client)
    for target in (BASE, f"{BASE}/greeter/versions"):
        refused = await ask(client, "GET", f"{target}?{query}")
        assert (refused.status, refused.error["param"]) == (400, param)


@pytest.mark.parametrize("name", ["a", "A-1", "9", "a" * 63, "a--b"])
async def test_names_that_are_taken(client, name):
    assert (await create(client, name))["name"] == name


@pytest.mark.parametrize("name", ["-a", "a-", "a_b", "a.b", "a b", "a" * 64, "ä", "a\n", "a:b"])
async def test_names_that_are_not_taken(client, name):
    refused = await ask(client, "POST", BASE, {"name": name, "definition": DEFINITION})
    assert (refused.status, refused.error["param"]) == (400, "name")
    assert "1 to 63 letters" in refused.error["message"]


async def test_a_name_in_a_path_is_held_to_the_same_rules(client):
    for name in ("a_b", "a%3Ab", "a" * 64):
        refused = await ask(client, "POST", f"{BASE}/{name}/versions", {"definition": DEFINITION})
        assert (refused.status, refused.error["param"]) == (400, "agent_name")


WRONG = [
    (b"", 400, None),
    (b"{", 400, None),
    (b"[]", 400, None),
    (b'{"definition": ' + b"[" * 100_000, 400, None),
    ({}, 400, "definition"),
    ({"definition": None}, 400, "definition"),
    ({"definition": {"kind": "hosted"}}, 400, "definition.kind"),
    ({"definition": DEFINITION | {"temperature": 3}}, 400, "definition.temperature"),
    ({"definition": DEFINITION, "description": "x" * 513}, 400, "description"),
    ({"definition": DEFINITION, "description": 1}, 400, "description"),
    ({"definition": DEFINITION, "metadata": []}, 400, "metadata"),
    ({"definition": DEFINITION, "metadata": {"k": 1}}, 400, "metadata[...]"),
    ({"definition": DEFINITION, "metadata": {str(n): "" for n in range(17)}}, 400, "metadata"),
    ({"definition": DEFINITION, "metadata": {"k" * 65: ""}}, 400, "metadata"),
    ({"definition": DEFINITION, "metadata": {"k": "v" * 513}}, 400, "metadata"),
    ({"definition": DEFINITION, "draft": True}, 400, "draft"),
    ({"definition": DEFINITION, "digital_worker_type": "m365"}, 400, "digital_worker_type"),
    ({"definition": DEFINITION, "blueprint_reference": {"type": "x"}}, 400, "blueprint_reference"),
]


@pytest.mark.parametrize(("body", "status", "param"), WRONG)
async def test_a_body_that_is_wrong_says_where_and_makes_nothing(client, body, status, param):
    refused = await ask(client, "POST", f"{BASE}/greeter/versions", body)
    assert (refused.status, refused.error["param"]) == (status, param), refused.error
    assert refused.error["message"]
    assert (await ask(client, "GET", BASE)).json["data"] == []


async def test_what_is_at_the_limit_is_taken(client):
    pairs = {f"{n:064}": "v" * 512 for n in range(16)}
    assert (await create(client, description="x" * 512, metadata=pairs, draft=False))["metadata"] == pairs


async def test_agents_from_code_are_not_served_and_other_kinds_of_bodies_neither(client):
    code = await ask(client, "POST", f"{BASE}/a/versions", content_type="multipart/form-data; boundary=x")
    assert (code.status, code.error["code"]) == (501, "NotServedYet")
    assert (await ask(client, "POST", f"{BASE}/a/versions", content_type="text/plain")).status == 415


async def test_agents_of_another_project_are_as_those_that_are_not_there(client):
    await create(client)
    other = BASE.replace("default", "sales")
    for method, end, body in (
        ("GET", "", b""),
        ("DELETE", "", b""),
        ("POST", "", {"definition": DEFINITION}),
        ("POST", ":enable", b""),
        ("POST", ":disable", b""),
        ("GET", "/versions", b""),
        ("GET", "/versions/1", b""),
        ("DELETE", "/versions/1", b""),
    ):
        foreign = await ask(client, method, f"{other}/greeter{end}", body, "sales")
        absent = await ask(client, method, f"{other}/nobody{end}", body, "sales")
        assert (foreign.status, foreign.raw.replace(b"greeter", b"nobody")) == (404, absent.raw)
    assert (await create(client, base=other))["version"] == "1"
    assert (await ask(client, "GET", f"{BASE}/greeter")).status == 200
    assert (await ask(client, "GET", "/api/projects/_project/agents/greeter")).status == 200


@pytest.mark.parametrize(
    ("token", "statuses"), [("reader", (200, 403, 403)), ("writer", (403, 200, 403)), ("consumer", (403, 403, 403))]
)
async def test_reading_writing_and_deleting_are_three_things(client, token, statuses):
    await create(client)
    body = {"definition": DEFINITION, "description": "Other."}
    found = [
        await ask(client, method, f"{BASE}/greeter/versions{end}", given, token)
        for method, end, given in (("GET", "/1", b""), ("POST", "", body), ("DELETE", "/1", b""))
    ]
    assert tuple(each.status for each in found) == statuses
    for each, action in zip(found, ("read", "write", "delete"), strict=True):
        assert each.status == 200 or f"AIServices/agents/{action}" in each.error["message"]


async def test_a_key_is_not_taken(client):
    for headers in ({"api_key": KEY}, {"authorization": f"Bearer {KEY}"}):
        reply = client.gateway.accept(head(f"{BASE}?api-version=v1", method="GET", key=None, **headers))
        assert reply.status == 401


async def test_an_api_version_is_asked_for(client):
    for target in (f"{BASE}?api-version=soon", f"{BASE}?api-version="):
        assert (await ask(client, "GET", target)).status == 400
    assert (await ask(client, "GET", f"{BASE}?api-version=2025-11-15-preview")).status == 200

"""Changes of what others work with are told, each with its thing; reading, failing and things of one's own are not."""

import json

import pytest

from forehearth.core.document import StoreFailed
from forehearth.server.served import endpoints
from forehearth.wire.recorded import RECORDED, recorded
from tests.families import all_families
from tests.unit.doors import Known, answer, head, make_door, principal

DEFINITION = {"kind": "prompt", "model": "chat"}
PROJECT = "/api/projects/default"
VERSION = "?api-version=v1"


class Told:
    def __init__(self):
        self.changes = []

    async def made(self, change):
        self.changes.append(change)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def client(told):
    families = recorded(lambda *_: all_families(), told)("here", None, None)
    return make_door(answer({}), known=Known({"all": principal()}, key=principal()), families=families)


async def ask(client, method, target, body=b"", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    if target.startswith("/api/"):
        headers |= {"key": None, "authorization": "Bearer all"}
    accepted = client.gateway.accept(head(target, method=method, **headers))
    reply = await accepted.answer(raw) if hasattr(accepted, "answer") else accepted
    return reply.status, json.loads(reply.body or b"{}")


def said(told):
    return [(each.operation, each.target, each.status) for each in told.changes]


async def test_an_agent_from_its_making_to_its_end(client, told):
    agents = f"{PROJECT}/agents"
    await ask(client, "POST", agents + VERSION, {"name": "greeter", "definition": DEFINITION})
    await ask(client, "POST", f"{agents}/greeter/versions{VERSION}", {"definition": DEFINITION | {"model": "other"}})
    await ask(client, "POST", f"{agents}/greeter:disable{VERSION}")
    await ask(client, "DELETE", f"{agents}/greeter/versions/1{VERSION}")
    await ask(client, "GET", f"{agents}/greeter{VERSION}")
    await ask(client, "DELETE", f"{agents}/greeter{VERSION}")
    assert [(operation, target) for operation, target, _ in said(told)] == [
        ("projects.agents_create", "greeter"),
        ("projects.agent_versions_create", "greeter:2"),
        ("projects.agents_disable", "greeter"),
        ("projects.agent_versions_delete", "greeter/1"),
        ("projects.agents_delete", "greeter"),
    ]
    assert {(each.place.resource, each.place.project) for each in told.changes} == {("here", "default")}
    assert len({each.request_id for each in told.changes}) == 5


async def test_what_was_asked_in_vain_is_not_told(client, told):
    assert (await ask(client, "DELETE", f"{PROJECT}/agents/nobody{VERSION}"))[0] == 404
    assert (await ask(client, "POST", f"{PROJECT}/agents{VERSION}", b"{"))[0] == 400
    assert told.changes == []


async def test_an_index_and_a_data_set(client, told):
    target = f"{PROJECT}/indexes/faq/versions/1{VERSION}"
    index = {"type": "AzureSearch", "connectionName": "c", "indexName": "i"}
    assert (await ask(client, "PATCH", target, index, content_type="application/merge-patch+json"))[0] == 201
    await ask(client, "DELETE", target)
    assert said(told) == [
        ("projects.indexes_create_or_update", "faq/1", 201),
        ("projects.indexes_delete", "faq/1", 204),
    ]


@pytest.mark.parametrize(
    ("base", "surface", "version"),
    [
        ("/openai/v1", "openai_v1", ""),
        ("/openai", "azure_deployments", "?api-version=2024-10-21"),
        (f"{PROJECT}/openai/v1", "projects", ""),
    ],
)
async def test_a_file_on_each_surface(client, told, base, surface, version):
    form = b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    form += b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--x--\r\n'
    kind = "multipart/form-data; boundary=x"
    status, made = await ask(client, "POST", f"{base}/files{version}", form, content_type=kind)
    assert status == 200, made
    await ask(client, "DELETE", f"{base}/files/{made['id']}{version}")
    assert said(told) == [(f"{surface}.files_create", made["id"], 200), (f"{surface}.files_delete", made["id"], 200)]


async def test_a_conversation_is_ones_own(client, told):
    assert (await ask(client, "POST", "/openai/v1/conversations", {}))[0] == 200
    assert told.changes == []


@pytest.mark.parametrize("uncertain", [True, False])
async def test_what_may_have_been_done_is_told(told, uncertain):
    async def lost(entry, body):
        raise StoreFailed("gone", uncertain=uncertain)

    made = all_families()
    rows = [type(row)(**fields(row) | {"act": lost}) if row.name == "agents_delete" else row for row in made.project]
    families = recorded(lambda *_: type(made)(project=rows), told)("here", None, None)
    client = make_door(answer({}), known=Known({"all": principal()}), families=families)
    status, _ = await ask(client, "DELETE", f"{PROJECT}/agents/greeter{VERSION}")
    assert status == (502 if uncertain else 503)
    assert said(told) == ([("projects.agents_delete", "greeter", 502)] if uncertain else [])


def fields(row):
    return {name: getattr(row, name) for name in row.__struct_fields__}


def test_every_name_is_an_endpoint():
    assert {each.name for table in endpoints().values() for each in table} >= RECORDED

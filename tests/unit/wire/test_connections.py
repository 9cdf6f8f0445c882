"""Connections below a project: whose they are, which are listed, and who sees credentials."""

import json

import pytest

from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.errors import Overloaded
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from tests.families import Told, all_families
from tests.unit.doors import Known, answer, head, make_door, principal

SECRET = "nobody-shows-this"
CONNECTIONS = {
    Place(resource="here", project="default"): {
        "search": ConnectionSettings(type="CognitiveSearch", target="x", default=True, key=Secret(SECRET)),
        "other": ConnectionSettings(type="CognitiveSearch", target="y", keys={"one": Secret(SECRET)}),
        "blob": ConnectionSettings(type="AzureBlob", target="z", sas=Secret(SECRET)),
    },
    Place(resource="elsewhere", project="default"): {"foreign": ConnectionSettings(type="ApiKey", target="x")},
}


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def client(told):
    known = Known({"all": principal(), "reader": principal(Permission.READ_CONNECTIONS)})
    families = all_families(connections=CONNECTIONS, disclosures=told)
    return make_door(answer({}), known=known, families=families)


async def ask(client, method, path, *, token="all", project="default"):
    target = f"/api/projects/{project}/connections{path}{'&' if '?' in path else '?'}api-version=v1"
    accepted = client.gateway.accept(head(target, method=method, key=None, authorization=f"Bearer {token}"))
    reply = await accepted.answer(b"") if hasattr(accepted, "answer") else accepted
    return reply.status, json.loads(reply.body)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["blob", "other", "search"]),
        ("?connectionType=CognitiveSearch", ["other", "search"]),
        ("?connectionType=CognitiveSearch&defaultConnection=true", ["search"]),
        ("?defaultConnection=False", ["blob", "other"]),
        ("?connectionType=Nothing", []),
    ],
)
async def test_those_are_listed_that_are_asked_for(client, query, names):
    status, page = await ask(client, "GET", query)
    assert (status, [each["name"] for each in page["value"]]) == (200, names)
    assert SECRET not in json.dumps(page)


async def test_one_is_shown_without_its_credentials(client):
    assert await ask(client, "GET", "/search", token="reader") == (
        200,
        {
            "name": "search",
            "id": "/resources/here/projects/default/connections/search",
            "type": "CognitiveSearch",
            "target": "x",
            "isDefault": True,
            "credentials": {"type": "ApiKey"},
            "metadata": {},
        },
    )


@pytest.mark.parametrize(
    ("name", "credentials"),
    [
        ("search", {"type": "ApiKey", "key": SECRET}),
        ("other", {"type": "CustomKeys", "one": SECRET}),
        ("blob", {"type": "SAS", "SAS": SECRET}),
    ],
)
async def test_credentials_are_shown_to_who_may_see_them(client, told, name, credentials):
    path = f"/{name}/getConnectionWithCredentials"
    status, shown = await ask(client, "POST", path)
    assert (status, shown["credentials"]) == (200, credentials)
    (noted,) = told.disclosures
    assert (noted.target, noted.operation) == (name, "projects.connections_get_with_credentials")
    assert (noted.place.project, SECRET in repr(noted)) == ("default", False)
    status, refused = await ask(client, "POST", path, token="reader")
    assert (status, SECRET in json.dumps(refused)) == (403, False)
    assert "AIServices/connections/listSecrets/action" in refused["error"]["message"]


async def test_what_is_elsewhere_is_not_there(client):
    for method, end in (("GET", ""), ("POST", "/getConnectionWithCredentials")):
        foreign = await ask(client, method, f"/foreign{end}")
        assert foreign[0] == 404
        assert (await ask(client, method, f"/search{end}", project="sales"))[0] == 404
    assert await ask(client, "GET", "", project="sales") == (200, {"value": []})


async def test_a_filter_that_cannot_be_is_refused(client):
    status, refused = await ask(client, "GET", "?defaultConnection=perhaps")
    assert (status, refused["error"]["param"]) == (400, "defaultConnection")


async def test_what_cannot_be_noted_is_not_shown():
    class Full(Told):
        async def note(self, disclosure):
            raise Overloaded("The audit log cannot be written now.", retry_after=5.0)

    families = all_families(connections=CONNECTIONS, disclosures=Full())
    client = make_door(answer({}), known=Known({"all": principal()}), families=families)
    status, refused = await ask(client, "POST", "/search/getConnectionWithCredentials")
    assert (status, SECRET in json.dumps(refused)) == (503, False)


async def test_where_there_is_nothing_secret_nothing_is_noted(told):
    place = Place(resource="here", project="default")
    plain = {place: {"open": ConnectionSettings(type="ApiKey", target="x", entra=True)}}
    families = all_families(connections=plain, disclosures=told)
    client = make_door(answer({}), known=Known({"all": principal()}), families=families)
    status, shown = await ask(client, "POST", "/open/getConnectionWithCredentials")
    assert (status, shown["credentials"], told.disclosures) == (200, {"type": "AAD"}, [])

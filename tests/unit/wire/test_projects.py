"""The project endpoint: tokens alone, roles, and what is below a project."""

import json

import pytest
from azure.ai.projects.models import ModelDeployment

from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from tests.unit.doors import KEY, Known, answer, head, make_door, principal

BASE = "/api/projects/default"
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
COMPLETION = {"id": "c", "object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}}


@pytest.fixture
def client():
    known = Known(
        {
            "a.b.c": principal(),
            "sales.b.c": principal(project="sales"),
            "reader.b.c": principal(Permission.CALL_AGENT),
            "account.b.c": principal(Permission.CHAT),
        }
    )
    known.later = {"late.b.c"}
    known.tokens["late.b.c"] = principal()
    return make_door(answer(COMPLETION), known=known)


def bearer(token: str = "a.b.c") -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def get(client, target, token="a.b.c", status=200):
    reply = client.gateway.accept(head(target, method="GET", key=None, **bearer(token)))
    assert isinstance(reply, Reply)
    assert reply.status == status, reply.body
    return json.loads(reply.body)


@pytest.mark.parametrize("project", ["default", "_project", "sales"])
@pytest.mark.parametrize("operation", ["chat/completions", "deployments/chat/chat/completions"])
async def test_a_call_below_a_project_reaches_the_host(client, project, operation):
    reply = await client.post(f"/api/projects/{project}/openai/v1/{operation}", CHAT, **bearer())
    assert reply.status == 200
    assert len(client.host.requests) == 1
    assert client.counts.requests[-1][0] == "projects"


@pytest.mark.parametrize("headers", [{}, {"api_key": KEY}, {"authorization": f"Bearer {KEY}"}, bearer("no.such.token")])
@pytest.mark.parametrize("path", ["openai/v1/chat/completions", "deployments?api-version=v1", "agents", "nothing"])
def test_a_key_is_no_token(client, headers, path):
    reply = client.gateway.accept(head(f"{BASE}/{path}", key=None, **headers))
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["code"]) == (401, "401")
    assert error["message"].endswith("audience is incorrect (https://ai.azure.com), or have expired.")
    assert set(error) == {"code", "message", "param", "type", "details", "additionalInfo", "debugInfo"}


def test_who_may_not_is_told_which_data_action_is_missing(client):
    reply = client.gateway.accept(head(f"{BASE}/openai/v1/chat/completions", key=None, **bearer("reader.b.c")))
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["code"]) == (403, "PermissionDenied")
    assert error["message"] == (
        "The principal `oid-1` lacks the required data action "
        "`Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action` to perform "
        "`POST /api/projects/{project}/openai/v1/chat/completions` operation."
    )


def test_a_role_in_one_project_is_none_in_another(client):
    assert get(client, "/api/projects/sales/deployments?api-version=v1", "sales.b.c")["value"]
    elsewhere = get(client, f"{BASE}/deployments?api-version=v1", "sales.b.c", 403)
    nowhere = get(client, "/api/projects/nowhere/deployments?api-version=v1", "sales.b.c", 403)
    assert elsewhere == nowhere


async def test_an_unknown_project_is_not_found_by_those_who_may(client):
    assert get(client, "/api/projects/nowhere/deployments?api-version=v1", status=404)["error"]["code"] == "NotFound"
    reply = await client.post("/api/projects/nowhere/openai/v1/chat/completions", CHAT, **bearer())
    assert (reply.status, client.host.requests) == (404, [])


def test_deployments_are_as_the_client_reads_them(client):
    listed = get(client, f"{BASE}/deployments?api-version=v1")
    found = [ModelDeployment(each) for each in listed["value"]]
    assert [(each.name, each.type, each.model_publisher) for each in found] == [
        ("chat", "ModelDeployment", "Somebody"),
        ("default", "ModelDeployment", "Somebody"),
        ("vectors", "ModelDeployment", "Somebody"),
    ]
    assert found[0].capabilities == {"completion": "true", "chat_completion": "true"}
    assert "nextLink" not in listed
    assert get(client, f"{BASE}/deployments/chat?api-version=v1") == listed["value"][0]
    assert get(client, f"{BASE}/deployments/none?api-version=v1", status=404)["error"]["code"] == "DeploymentNotFound"


def test_deployments_come_in_pages(client):
    seen, link = [], f"{BASE}/deployments?api-version=v1&maxpagesize=1&modelPublisher=Somebody"
    while link:
        page = get(client, link.removeprefix("http://localhost"))
        seen += [each["name"] for each in page["value"]]
        link = page.get("nextLink")
    assert seen == ["chat", "default", "vectors"]
    assert get(client, f"{BASE}/deployments?api-version=v1&modelPublisher=Nobody")["value"] == []


@pytest.mark.parametrize("query", ["skip=-1", "skip=x", "maxpagesize=1e3", "maxpagesize=101", "skip=" + "9" * 5_000])
def test_a_page_that_is_none_is_refused(client, query):
    error = get(client, f"{BASE}/deployments?api-version=v1&{query}", status=400)["error"]
    assert error["param"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("memory_stores", 501),
        ("evaluators/x/versions", 501),
        ("skills?api-version=v1", 501),
        ("openai/v1/responses", 501),
        ("evaluations/runs?api-version=2025-11-15-preview", 501),
        ("evaluationResults", 501),
        ("redTeams/simulation/jailbreak/", 501),
        ("vector_stores/a/files", 501),
        ("nothing", 404),
        ("deployments/a/b?api-version=v1", 404),
        ("deployments", 400),
        ("deployments?api-version=soon", 400),
    ],
)
def test_what_is_not_there(client, path, status):
    error = get(client, f"{BASE}/{path}", status=status)["error"]
    assert error["message"]
    assert (error["code"] == "NotServedYet") is (status == 501)


async def test_who_has_to_be_asked_about_is_let_in_then(client):
    undecided = client.gateway.accept(head(f"{BASE}/openai/v1/chat/completions", key=None, **bearer("late.b.c")))
    admitted = await undecided.decision
    assert (await admitted.answer(json.dumps(CHAT).encode())).status == 200


def test_a_key_for_some_deployments_sees_and_calls_no_others():
    key = principal(name="key", kind="key", deployments=frozenset({"vectors"}))
    client = make_door(answer(COMPLETION), known=Known(key=key))
    reply = client.gateway.accept(head("/openai/v1/models", method="GET"))
    assert [each["id"] for each in json.loads(reply.body)["data"]] == ["vectors"]
    assert client.gateway.accept(head("/openai/v1/models/chat", method="GET")).status == 404


async def test_a_deployment_outside_the_keys_list_is_as_one_that_is_not_there():
    key = principal(name="key", kind="key", deployments=frozenset({"vectors"}))
    client = make_door(answer(COMPLETION), known=Known(key=key))
    foreign = await client.post("/openai/v1/chat/completions", CHAT)
    absent = await client.post("/openai/v1/chat/completions", CHAT | {"model": "none"})
    assert (foreign.status, foreign.body) == (absent.status, absent.body) == (404, absent.body)

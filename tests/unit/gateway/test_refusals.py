"""What is told of callers that are not let in; nothing is told of those who are, nor of other mistakes."""

import msgspec
import pytest

from forehearth.core.errors import PermissionDenied
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.ports.entrance import Undecided
from tests.unit.doors import KEY, RESOURCE, Known, answer, head, make_door, principal

V1 = "/openai/v1/chat/completions"
CLASSIC = "/openai/deployments/chat/chat/completions?api-version=2024-10-21"
PROJECT = "/api/projects/sales/openai/v1/chat/completions"
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
NOBODY = Principal(name="maria", kind="user", id="oid-1")
READER = Principal(
    name="shop",
    kind="key",
    id="key_1",
    grants=(Grant(place=Place(resource=RESOURCE), permissions=frozenset({Permission.READ_MODELS})),),
)


def told(client):
    return [(each.operation, each.status) for each in client.refusals.told]


async def test_a_call_that_is_let_in_is_told_to_nobody():
    client = make_door(answer({"choices": []}))
    assert (await client.post(V1, CHAT)).status == 200
    assert client.get("/openai/v1/models").status == 200
    assert client.refusals.told == []


@pytest.mark.parametrize("target", ["/openai/v1/nothing", "/models/nothing?api-version=2024-05-01-preview"])
async def test_another_mistake_is_told_to_nobody(target):
    client = make_door(answer({}))
    assert (await client.post(target, CHAT)).status in {404, 501}
    assert (await client.post(V1, {"model": "none"})).status in {400, 404}
    assert client.refusals.told == []


@pytest.mark.parametrize(
    ("target", "operation", "project", "deployment"),
    [
        (V1, "openai_v1.chat_completions", "", ""),
        (CLASSIC, "azure_deployments.chat_completions", "", "chat"),
        ("/models/chat/completions", "foundry_models.chat_completions", "", ""),
        (PROJECT, "projects.chat_completions", "sales", ""),
        ("/api/projects/_project/deployments?api-version=v1", "projects", "", ""),
        ("/openai/v1/nothing", "openai_v1", "", ""),
        ("/openai/deployments/a%0Ab/chat/completions?api-version=2024-10-21", "azure_deployments", "", ""),
    ],
)
async def test_who_has_no_good_credential_is_an_address_at_an_endpoint(target, operation, project, deployment):
    client = make_door(answer({}))
    reply = await client.post(target, CHAT, api_key="fh-secret-of-somebody")
    assert reply.status == 401
    (refusal,) = client.refusals.told
    assert (refusal.operation, refusal.project, refusal.deployment) == (operation, project, deployment)
    assert (refusal.principal, refusal.status, refusal.resource) == (None, 401, RESOURCE)
    assert refusal.request_id == dict(reply.headers)[b"x-request-id"].decode()
    assert "secret" not in repr(refusal)


async def test_who_may_not_is_named_with_what_they_lack():
    client = make_door(answer({}), known=Known({"t": NOBODY}, key=READER))
    assert (await client.post(V1, CHAT)).status == 403
    assert (await client.post(PROJECT, CHAT, authorization="Bearer t")).status == 403
    first, second = client.refusals.told
    assert first.principal is READER
    assert Permission.CHAT.value in first.reason
    assert (second.principal, second.project, second.operation) == (NOBODY, "sales", "projects.chat_completions")


async def test_a_key_at_a_project_is_told_as_what_it_is_there_nobody():
    client = make_door(answer({}))
    assert (await client.post(PROJECT, CHAT, api_key=KEY)).status == 401
    assert client.refusals.told[0].principal is None


async def test_whoever_was_waited_for_is_told_all_the_same():
    known = Known({"t": NOBODY})
    known.later.add("t")
    client = make_door(answer({}), known=known)
    undecided = client.gateway.accept(head(V1, key=None, authorization="Bearer t"))
    assert isinstance(undecided, Undecided)
    reply = await undecided.decision
    assert reply.status == 403
    assert told(client) == [("openai_v1.chat_completions", 403)]


async def test_a_good_key_from_elsewhere_is_named():
    class Elsewhere(Known):
        def identify(self, head, resource, *, keys):
            raise PermissionDenied("Access denied due to Virtual Network/Firewall rules.", principal=READER)

    client = make_door(answer({}), known=Elsewhere())
    assert (await client.post(V1, CHAT)).status == 403
    assert client.refusals.told[0].principal is READER


@pytest.mark.parametrize("target", [V1, CLASSIC.replace("/chat/chat", "/vectors/chat"), "/models/chat/completions"])
async def test_a_key_used_for_a_deployment_that_it_is_not_for(target):
    limited = msgspec.structs.replace(principal(), deployments=frozenset({"chat"}))
    client = make_door(answer({"choices": []}), known=Known(key=limited))
    assert (await client.post(V1, CHAT)).status == 200
    reply = await client.post(target, CHAT | {"model": "vectors"})
    nowhere = await client.post(target.replace("/vectors/", "/nowhere/"), CHAT | {"model": "nowhere"})
    assert reply.status == 404
    assert reply.body == nowhere.body
    (refusal,) = client.refusals.told
    assert (refusal.deployment, refusal.status, refusal.principal) == ("vectors", 404, limited)
    assert refusal.reason == "The key is not for this deployment."


async def test_a_deployment_to_spill_over_to_that_the_key_is_not_for():
    limited = msgspec.structs.replace(principal(), deployments=frozenset({"chat"}))
    client = make_door(answer({"choices": []}), known=Known(key=limited))
    assert (await client.post(V1, CHAT, x_ms_spillover_deployment="vectors")).status == 404
    assert [each.deployment for each in client.refusals.told] == ["vectors"]

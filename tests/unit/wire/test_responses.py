"""The endpoints of responses, through the gateway: who may, what is asked, and how it says no."""

import json

import pytest

from forehearth.core.errors import BackendRefused
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.gateway.admitted import Admitted
from forehearth.wire import responses
from forehearth.wire.surfaces import Families
from tests.openai_schemas import check, check_event
from tests.unit.dialects.responses.chats import DONE, chunk
from tests.unit.doors import RESOURCE, Known, answer, head, make_door, principal
from tests.unit.responses.stage import Source, Stage, read, says

V1 = "/openai/v1/responses"
CLASSIC = "/openai/responses?api-version=2025-03-01-preview"
PROJECT = "/api/projects/sales/openai/v1/responses"
BODY = {"model": "m", "input": "hello"}


class Front:
    """The gateway before the service."""

    def __init__(self, *answers, known=None):
        self.stage = Stage(*(answers or (says(),)))
        served = self.stage.responses
        families = Families(
            v1=responses.rows(served), classic=(*responses.rows(served), *responses.with_deployment(served))
        )
        self.door = make_door(answer({}), known=known or Known({"token": principal()}), families=families)

    async def ask(self, method, target, body=None, **headers) -> Reply:
        if target.startswith("/api/"):
            headers = {"authorization": "Bearer token", **headers}
        accepted = self.door.gateway.accept(head(target, method=method, **headers))
        if isinstance(accepted, Admitted):
            raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            return await accepted.answer(raw)
        assert isinstance(accepted, Reply)
        return accepted


def said(reply):
    return json.loads(reply.body)


def error(reply):
    return reply.status, said(reply)["error"]["code"], said(reply)["error"].get("param")


@pytest.mark.parametrize(
    ("target", "surface", "project"),
    [(V1, "openai_v1", ""), (CLASSIC, "azure_deployments", ""), (PROJECT, "projects", "sales")],
)
async def test_a_response_is_made_read_and_removed(target, surface, project):
    front = Front()
    made = await front.ask("POST", target, BODY)
    assert made.status == 200
    check("Response", said(made))
    (call,) = front.stage.models.calls
    assert (call.surface, call.project, call.name) == (surface, project, "m")
    path, _, query = target.partition("?")
    one = f"{path}/{said(made)['id']}"
    assert said(await front.ask("GET", f"{one}?{query}")) == said(made)
    assert said(await front.ask("GET", f"{one}/input_items?{query}"))["data"][0]["role"] == "user"
    assert error(await front.ask("POST", f"{one}/cancel?{query}")) == (400, "invalid_value", "response_id")
    assert said(await front.ask("DELETE", f"{one}?{query}"))["deleted"] is True
    assert error(await front.ask("GET", f"{one}?{query}"))[:2] == (404, "NotFound")


async def test_the_document_is_in_the_place_of_the_request():
    front = Front()
    for target in (V1, PROJECT):
        await front.ask("POST", target, BODY)
    places = [document.place for document in front.stage.store._documents.values()]
    assert places == [Place(resource=RESOURCE), Place(resource=RESOURCE, project="sales")]


async def test_a_stream():
    front = Front(Source([chunk({"content": "Hello."}), chunk({}, "stop"), DONE]))
    reply = await front.ask("POST", V1, BODY | {"stream": True}, traceparent="00-1")
    headers = dict(reply.headers)
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"x-request-id" in headers
    events = read(b"".join([piece async for piece in reply.stream]))
    for event in events:
        check_event(event)
    assert events[-1]["type"] == "response.completed"
    (call,) = front.stage.models.calls
    assert call.forward == {b"traceparent": b"00-1"}


async def test_the_path_names_the_deployment():
    front = Front()
    reply = await front.ask("POST", "/openai/deployments/d/responses?api-version=2025-03-01-preview", BODY)
    assert said(reply)["model"] == "d"


@pytest.mark.parametrize(
    ("method", "target", "body", "expected"),
    [
        ("POST", V1, b"{", (400, "malformed_body", None)),
        ("POST", V1, BODY | {"colour": "red"}, (400, "unknown_parameter", "colour")),
        ("POST", V1, BODY | {"tools": [{"type": "web_search"}]}, (400, "unsupported_value", "tools[0].type")),
        ("POST", V1, BODY | {"background": True, "store": False}, (400, "invalid_value", "background")),
        ("POST", V1, BODY | {"previous_response_id": "resp_0"}, (400, "invalid_value", "previous_response_id")),
        ("PUT", V1, BODY, (405, "405", None)),
        ("GET", V1, None, (405, "405", None)),
        ("POST", f"{V1}/resp_0", None, (405, "405", None)),
        ("POST", f"{V1}/compact", BODY, (501, "NotServedYet", None)),
        ("POST", CLASSIC.replace("?", "/compact?"), BODY, (501, "NotServedYet", None)),
        ("POST", f"{PROJECT}/compact", BODY, (501, "NotServedYet", None)),
        ("GET", f"{V1}/compact", None, (404, "NotFound", None)),
        ("GET", f"{V1}/resp_0", None, (404, "NotFound", None)),
        ("GET", f"{V1}/resp_0?stream=true", None, (404, "NotFound", None)),
        ("GET", f"{V1}/resp_0?stream=true&starting_after=x", None, (400, "invalid_value", "starting_after")),
        ("GET", f"{V1}/resp_0?stream=true&starting_after=-1", None, (400, "invalid_value", "starting_after")),
        ("GET", f"{V1}/resp_0?include[]=thoughts", None, (400, "invalid_value", "include")),
        ("GET", f"{V1}/resp_0?include[]=reasoning.encrypted_content", None, (404, "NotFound", None)),
        ("GET", f"{V1}/resp_0/input_items?include=thoughts", None, (400, "invalid_value", "include")),
        ("GET", f"{V1}/resp_0/input_items?limit=x", None, (400, "invalid_type", "limit")),
        ("GET", f"{V1}/resp_0/input_items?limit=99999999999999999999", None, (400, "invalid_type", "limit")),
        ("GET", f"{V1}/resp_0/input_items?order=up", None, (400, "invalid_value", "order")),
        ("GET", "/openai/responses/resp_0", None, (404, "404", None)),
    ],
)
async def test_what_is_refused(method, target, body, expected):
    assert error(await Front().ask(method, target, body)) == expected


async def test_what_a_host_refuses():
    front = Front(BackendRefused("Too many.", status=429, retry_after=2.0))
    reply = await front.ask("POST", V1, BODY)
    assert reply.status == 429
    assert dict(reply.headers)[b"retry-after"] == b"2"


async def test_a_store_that_is_away():
    front = Front()
    front.stage.store.full = True
    reply = await front.ask("POST", V1, BODY)
    assert error(reply)[:2] == (503, "ServiceUnavailable")
    assert dict(reply.headers)[b"retry-after"] == b"1"
    assert b"disk" not in reply.body


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("POST", "", Permission.WRITE_RESPONSES),
        ("POST", "/input_tokens", Permission.WRITE_RESPONSES),
        ("POST", "/resp_0/cancel", Permission.WRITE_RESPONSES),
        ("GET", "/resp_0", Permission.READ_RESPONSES),
        ("GET", "/resp_0/input_items", Permission.READ_RESPONSES),
        ("DELETE", "/resp_0", Permission.DELETE_RESPONSES),
    ],
)
async def test_each_asks_for_its_permission(method, path, permission):
    others = principal(*(each for each in Permission if each is not permission))
    front = Front(known=Known({"token": principal(permission)}, key=others))
    assert (await front.ask(method, V1 + path, {"input": "x"})).status == 403
    assert (await front.ask(method, PROJECT + path, {"input": "x"})).status != 403


async def test_keys_open_no_project():
    front = Front()
    accepted = front.door.gateway.accept(head(PROJECT))
    assert isinstance(accepted, Reply)
    assert accepted.status == 401


async def test_a_project_that_is_not_there():
    reply = await Front().ask("POST", "/api/projects/nowhere/openai/v1/responses", BODY)
    assert error(reply)[:2] == (404, "NotFound")


async def test_tokens_are_counted():
    reply = await Front().ask("POST", f"{V1}/input_tokens", {"model": "m", "input": "one two"})
    assert said(reply) == {"object": "response.input_tokens", "input_tokens": 3 + 4 + 2}

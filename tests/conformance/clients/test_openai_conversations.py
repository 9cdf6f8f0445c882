"""The official `openai` package, unmodified, on conversations; its replies are held against the specification."""

import copy
import re
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

from tests.conformance.conversation_items import ITEMS
from tests.conformance.openapi import Document
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer

DOCUMENT = Document("openai-conversations.json")
FORMS = (
    (re.compile(r"/conversations"), "/conversations"),
    (re.compile(r"/conversations/[^/]+"), "/conversations/{conversation_id}"),
    (re.compile(r"/conversations/[^/]+/items"), "/conversations/{conversation_id}/items"),
    (re.compile(r"/conversations/[^/]+/items/[^/]+"), "/conversations/{conversation_id}/items/{item_id}"),
)
CONFIG = """
version: 1
backends: {{script: {{provider: scripted}}}}
deployments: {{chat: {{backends: [{{backend: script}}]}}}}
projects: {{sales: {{}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: maria}}
    - {{role: Foundry User, user: maria, resource: contoso}}
resources:
  contoso: {{deployments: {{chat: {{backends: [{{backend: script}}]}}}}, projects: {{sales: {{}}}}}}
"""
CONTOSO = {"host": "contoso.services.ai.azure.com"}


class Replies:
    """Every successful reply of a client, held against the schema of its operation."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, object]] = []

    def check(self, response) -> None:
        response.read()
        self._keep(response)

    async def check_async(self, response) -> None:
        await response.aread()
        self._keep(response)

    def _keep(self, response) -> None:
        if response.status_code != 200:
            return
        method, path = response.request.method, response.request.url.path.rpartition("/v1")[2]
        form = next(form for pattern, form in FORMS if pattern.fullmatch(path))
        body = response.json()
        faults = [error.message for error in DOCUMENT.answer(method, form).iter_errors(body)]
        assert faults == [], (method, path, body)
        self.seen.append((method, form, body))


@pytest.fixture(scope="module")
def running(issuer: LoopbackIssuer, start_module_forehearth: StartForehearth) -> ForehearthServer:
    config = CONFIG.format(issuer=issuer.url, keys=issuer.keys_url)
    return start_module_forehearth(config, environment={"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})


@pytest.fixture
def replies() -> Replies:
    return Replies()


@pytest.fixture(params=["resource", "project"])
def way(request, running: ForehearthServer, issuer: LoopbackIssuer) -> dict[str, str]:
    """Where a client is pointed, and with what: a key at the resource, a token in a project."""
    if request.param == "resource":
        return {"base_url": f"{running.url}/openai/v1/", "api_key": running.key}
    return {"base_url": f"{running.url}/api/projects/sales/openai/v1/", "api_key": issuer.token("maria")}


@pytest.fixture
def client(way, replies) -> Iterator[OpenAI]:
    with OpenAI(**way, max_retries=0, http_client=DefaultHttpxClient(event_hooks={"response": [replies.check]})) as it:
        yield it


def test_a_conversation_from_its_beginning_to_its_end(client, replies):
    made = client.conversations.create(metadata={"topic": "demo"}, items=[{"role": "user", "content": "Hello!"}])
    assert (made.id[:5], made.object, made.metadata) == ("conv_", "conversation", {"topic": "demo"})
    assert client.conversations.retrieve(made.id) == made
    changed = client.conversations.update(made.id, metadata={"topic": "other"})
    assert (changed.id, changed.created_at, changed.metadata) == (made.id, made.created_at, {"topic": "other"})
    added = client.conversations.items.create(
        made.id,
        items=[{"type": "message", "role": "assistant", "content": "Hi."}],
        include=["reasoning.encrypted_content"],
    )
    (item,) = added.data
    assert (item.type, item.role, item.content[0].text, item.status) == ("message", "assistant", "Hi.", "completed")
    assert client.conversations.items.retrieve(item.id, conversation_id=made.id) == item
    assert [each.role for each in client.conversations.items.list(made.id, order="asc")] == ["user", "assistant"]
    assert client.conversations.items.delete(item.id, conversation_id=made.id) == changed
    with pytest.raises(openai.NotFoundError, match=f"Item with id '{item.id}' not found in conversation"):
        client.conversations.items.retrieve(item.id, conversation_id=made.id)
    gone = client.conversations.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "conversation.deleted", True)
    with pytest.raises(openai.NotFoundError, match=f"Conversation with id '{made.id}' not found"):
        client.conversations.retrieve(made.id)
    assert {(method, form) for method, form, _ in replies.seen} == {
        (method, form) for form in DOCUMENT.paths for method in DOCUMENT.methods(form)
    }


def test_every_kind_of_item_comes_back_as_the_sdk_knows_it(client):
    made = client.conversations.create()
    given = [*ITEMS]
    while given:
        client.conversations.items.create(made.id, items=given[:20])
        given = given[20:]
    listed = list(client.conversations.items.list(made.id, order="asc", limit=100))
    assert [each.type for each in listed] == [each.get("type", "message") for each in ITEMS]
    other = client.conversations.create()
    with pytest.raises(openai.BadRequestError, match="Duplicate item found with id"):
        client.conversations.items.create(other.id, items=[listed[0].to_dict()])


async def test_pages_are_read_to_their_end(way, replies):
    hooks = {"response": [replies.check_async]}
    async with AsyncOpenAI(**way, max_retries=0, http_client=DefaultAsyncHttpxClient(event_hooks=hooks)) as client:
        made = await client.conversations.create()
        texts = [str(number) for number in range(47)]
        for begin in range(0, len(texts), 20):
            await client.conversations.items.create(
                made.id, items=[{"role": "user", "content": text} for text in texts[begin : begin + 20]]
            )
        for order, expected in (("asc", texts), ("desc", texts[::-1])):
            for limit in (1, 10, 100):
                pages = client.conversations.items.list(made.id, order=order, limit=limit)
                assert [each.content[0].text async for each in pages] == expected
        newest = await client.conversations.items.list(made.id)
        assert (len(newest.data), newest.has_more, newest.last_id) == (20, True, newest.data[-1].id)
        rest = await client.conversations.items.list(made.id, after=newest.last_id, limit=100)
        assert [each.content[0].text for each in rest.data] == texts[26::-1]


def refused(call):
    """What is said of a call, without its request's id."""
    with pytest.raises(openai.APIStatusError) as error:
        call()
    return error.value.status_code, error.value.body


def test_another_resource_answers_as_if_nobody_had_it(way, client, issuer):
    made = client.conversations.create(items=[{"role": "user", "content": "Hello!"}])
    (item,) = client.conversations.items.list(made.id).data
    with OpenAI(**way | {"api_key": issuer.token("maria")}, max_retries=0, default_headers=CONTOSO) as other:
        own = other.conversations.create()
        for call in (
            lambda name, _: other.conversations.retrieve(name),
            lambda name, _: other.conversations.update(name, metadata={}),
            lambda name, _: other.conversations.delete(name),
            lambda name, _: other.conversations.items.list(name),
            lambda name, _: other.conversations.items.create(name, items=[]),
            lambda name, part: other.conversations.items.retrieve(part, conversation_id=name),
            lambda name, part: other.conversations.items.delete(part, conversation_id=name),
            lambda _, part: other.conversations.items.retrieve(part, conversation_id=own.id),
            lambda _, part: other.conversations.items.list(own.id, after=part),
        ):
            status, body = refused(lambda call=call: call(made.id, item.id))
            expected, nobodys = refused(lambda call=call: call("conv_none", "msg_none"))
            assert status == expected
            assert body == {
                name: value.replace("conv_none", made.id).replace("msg_none", item.id) if name == "message" else value
                for name, value in nobodys.items()
            }
        copied = other.conversations.items.create(own.id, items=[item.to_dict()])
        assert copied.first_id == item.id, "an id in a body that another resource has is as free as any"
    assert client.conversations.items.retrieve(item.id, conversation_id=made.id) == item


@pytest.mark.parametrize(
    ("call", "param", "message"),
    [
        (lambda it, _: it.create(items=[{"type": "x"}]), "items[0].type", "Invalid value: 'x'"),
        (lambda it, _: it.create(metadata={"k": "x" * 513}), "metadata.k", "string too long"),
        (lambda it, made: it.items.list(made, limit=101), "limit", "integer above maximum value"),
        (lambda it, made: it.items.list(made, order="up"), "order", "Supported values are: 'asc' and 'desc'"),
        (lambda it, made: it.items.list(made, after="msg_x"), "after", "not found in conversation"),
    ],
)
def test_errors_are_the_sdks_own(client, call, param, message):
    made = client.conversations.create()
    with pytest.raises(openai.BadRequestError, match=message) as refused:
        call(client.conversations, made.id)
    assert refused.value.param == param
    assert refused.value.request_id


def changes(body):
    """The same reply with one thing changed each time."""
    for name in [*body]:
        without = copy.deepcopy(body)
        del without[name]
        yield without
        yield body | {name: 1.5}
    yield body | {"no_such_member": None}


def test_a_changed_reply_is_found_out(client, replies):
    """So the checks above can fail."""
    made = client.conversations.create(metadata={"k": "v"})
    client.conversations.items.create(made.id, items=[{"role": "user", "content": "Hello!"}])
    client.conversations.delete(made.id)
    for method, form, body in replies.seen:
        validator = DOCUMENT.answer(method, form)
        for changed in changes(body):
            # Of the metadata's type the specification says nothing.
            assert not validator.is_valid(changed) or changed.get("metadata") == 1.5
    listed = next(body for method, form, body in replies.seen if form.endswith("/items"))
    (item,) = listed["data"]
    for part in changes(item["content"][0]):
        assert not DOCUMENT.answer("POST", "/conversations/{conversation_id}/items").is_valid(
            listed | {"data": [item | {"content": [part]}]}
        )

"""Conversations through the gateway: paths, bodies, pages, and what is said to whom."""

import itertools
import json

import pytest

from forehearth.conversations.service import Conversations
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.gateway.admitted import Admitted
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock
from forehearth.wire import conversations
from forehearth.wire.surfaces import Families
from tests.unit.doors import Known, answer, head, make_door, principal

V1, SALES, DEFAULT = "/openai/v1", "/api/projects/sales/openai/v1", "/api/projects/default/openai/v1"
HELLO = {"role": "user", "content": "Hello!"}


@pytest.fixture
def ask():
    numbers = itertools.count(1)
    talks = Conversations(
        MemoryDocuments(), new_id=lambda prefix: f"{prefix}_{next(numbers)}", clock=VirtualClock(unix=1_800_000_000.5)
    )
    known = Known(
        {
            "t": principal(),
            "reader": principal(Permission.READ_RESPONSES),
            "writer": principal(Permission.WRITE_RESPONSES),
            "chatter": principal(Permission.CHAT),
        }
    )
    client = make_door(answer({}), known=known, families=Families(v1=conversations.rows(talks)))

    async def ask(method, target, body=None, *, who="t"):
        accepted = client.gateway.accept(head(target, method=method, key=None, authorization=f"Bearer {who}"))
        if isinstance(accepted, Reply):
            return accepted.status, json.loads(accepted.body)
        assert isinstance(accepted, Admitted)
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        reply = await accepted.answer(raw)
        return reply.status, json.loads(reply.body)

    return ask


async def made(ask, base=V1, **body):
    status, found = await ask("POST", f"{base}/conversations", body)
    assert status == 200, found
    return found["id"]


@pytest.mark.parametrize("base", [V1, SALES])
async def test_a_conversation_lives_and_ends(ask, base):
    status, conversation = await ask("POST", f"{base}/conversations", {"metadata": {"a": "1"}, "items": [HELLO]})
    name = conversation["id"]
    assert status == 200
    assert conversation == {
        "id": name,
        "object": "conversation",
        "created_at": 1_800_000_000,
        "metadata": {"a": "1"},
    }
    path = f"{base}/conversations/{name}"
    assert await ask("GET", path) == (200, conversation)
    changed = conversation | {"metadata": {"b": "2"}}
    assert await ask("POST", path, {"metadata": {"b": "2"}}) == (200, changed)
    status, added = await ask("POST", f"{path}/items", {"items": [HELLO, {"role": "assistant", "content": "Hi."}]})
    assert (status, added["object"], added["has_more"], len(added["data"])) == (200, "list", False, 2)
    assert (added["first_id"], added["last_id"]) == (added["data"][0]["id"], added["data"][1]["id"])
    status, listed = await ask("GET", f"{path}/items?limit=2&order=asc")
    assert (status, listed["has_more"], listed["data"][1]) == (200, True, added["data"][0])
    status, listed = await ask("GET", f"{path}/items?after={added['last_id']}&include[]=reasoning.encrypted_content")
    assert (listed["has_more"], [each["role"] for each in listed["data"]]) == (False, ["user", "user"])
    item = f"{path}/items/{added['last_id']}"
    assert await ask("GET", item) == (200, added["data"][1])
    assert await ask("DELETE", item) == (200, changed)
    assert (await ask("GET", item))[0] == 404
    assert await ask("DELETE", path) == (200, {"id": name, "object": "conversation.deleted", "deleted": True})
    for method, target in (("GET", path), ("DELETE", path), ("GET", f"{path}/items"), ("GET", item)):
        status, refused = await ask(method, target)
        assert (status, refused["error"]["message"]) == (404, f"Conversation with id '{name}' not found.")


async def test_nothing_need_be_said_to_begin_one(ask):
    for body in (None, {}, {"metadata": None, "items": None}, {"metadata": {}, "items": []}):
        status, conversation = await ask("POST", f"{V1}/conversations", body)
        assert (status, conversation["metadata"]) == (200, {})
        status, listed = await ask("GET", f"{V1}/conversations/{conversation['id']}/items")
        assert listed == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}


LONG = "x" * 65
WRONG_BODIES = [
    ("", b"{", "malformed_body", None),
    ("", b'{"metadata":' + b"[" * 100_000, "malformed_body", None),
    ("", b'{"metadata": {"a": "\xff"}}', "malformed_body", None),
    ("", b"[]", "invalid_type", None),
    ("", b'{"items": {}}', "invalid_type", "items"),
    ("", b'{"items": [1]}', "invalid_type", "items[0]"),
    ("", b'{"model": "m"}', "unknown_parameter", "model"),
    ("", {"metadata": []}, "invalid_type", "metadata"),
    ("", {"metadata": {"a": 1}}, "invalid_type", "metadata.a"),
    ("", {"metadata": {str(n): "" for n in range(17)}}, "object_above_max_properties", "metadata"),
    ("", {"metadata": {LONG: ""}}, "property_name_above_max_length", f"metadata.{LONG}"),
    ("", {"metadata": {"a": "x" * 513}}, "string_above_max_length", "metadata.a"),
    ("", {"metadata": {"a": "\0"}}, "invalid_value", "metadata.a"),
    ("", {"items": [HELLO] * 21}, "array_above_max_length", "items"),
    ("", {"items": [HELLO, {"type": "x"}]}, "invalid_value", "items[1].type"),
    ("/{name}", {}, "missing_required_parameter", "metadata"),
    ("/{name}", b"", "malformed_body", None),
    ("/{name}/items", {}, "missing_required_parameter", "items"),
    ("/{name}/items", {"items": None}, "invalid_type", "items"),
]


@pytest.mark.parametrize(("path", "body", "code", "param"), WRONG_BODIES)
async def test_a_wrong_body_is_refused_by_name(ask, path, body, code, param):
    name = await made(ask)
    status, refused = await ask("POST", f"{V1}/conversations{path.format(name=name)}", body)
    error = refused["error"]
    assert (status, error["code"], error["param"], error["type"]) == (400, code, param, "invalid_request_error")


async def test_metadata_is_refused_in_the_services_words(ask):
    _, refused = await ask("POST", f"{V1}/conversations", {"metadata": {str(n): "" for n in range(17)}})
    assert refused["error"]["message"] == (
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object "
        "with 17 properties instead."
    )
    _, refused = await ask("POST", f"{V1}/conversations", {"metadata": {"k": None}})
    assert refused["error"]["message"] == "Invalid type for 'metadata.k': expected a string, but got null instead."


WRONG_QUERIES = [
    ("limit=0", "integer_below_min_value", "limit", "Expected a value >= 1, but got 0 instead."),
    ("limit=101", "integer_above_max_value", "limit", "Expected a value <= 100, but got 101 instead."),
    ("limit=-1", "integer_below_min_value", "limit", "but got -1 instead."),
    ("limit=x", "invalid_type", "limit", "expected an integer, but got 'x' instead."),
    ("limit=", "invalid_type", "limit", "expected an integer, but got '' instead."),
    ("limit=" + "9" * 4_000, "invalid_type", "limit", "expected an integer, but got"),
    ("order=up", "invalid_value", "order", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."),
    ("after=msg_0", "invalid_value", "after", "Invalid 'after': Item with id 'msg_0' not found in conversation."),
    ("include=everything", "invalid_value", "include", "Invalid value: 'everything'. Supported values are: "),
    ("include[]=reasoning.encrypted_content&include[]=x", "invalid_value", "include", "Invalid value: 'x'."),
    ("after=%FF", "invalid_value", None, "The query cannot be read"),
    ("&".join(["a=1"] * 101), "invalid_value", None, "The query cannot be read"),
]


@pytest.mark.parametrize(("query", "code", "param", "words"), WRONG_QUERIES)
async def test_a_wrong_query_is_refused_by_name(ask, query, code, param, words):
    name = await made(ask, items=[HELLO])
    status, refused = await ask("GET", f"{V1}/conversations/{name}/items?{query}")
    error = refused["error"]
    assert (status, error["code"], error["param"]) == (400, code, param)
    assert words in error["message"]


@pytest.mark.parametrize(("other", "own"), [(DEFAULT, SALES), (SALES, V1), (V1, DEFAULT)])
async def test_what_is_elsewhere_is_answered_as_what_nobody_has(ask, other, own):
    """Another project, a project and its resource: neither finds the other's, by path, in a query or in a body."""
    foreign, mine = await made(ask, other, items=[HELLO | {"id": "msg_x"}]), await made(ask, own)

    def requests(name, item):
        return [
            ("GET", f"/{name}", None),
            ("POST", f"/{name}", {"metadata": {}}),
            ("DELETE", f"/{name}", None),
            ("GET", f"/{name}/items", None),
            ("POST", f"/{name}/items", {"items": [HELLO]}),
            ("GET", f"/{name}/items/{item}", None),
            ("DELETE", f"/{name}/items/{item}", None),
            ("GET", f"/{mine}/items/{item}", None),
            ("DELETE", f"/{mine}/items/{item}", None),
            ("GET", f"/{mine}/items?after={item}", None),
        ]

    pairs = zip(requests(foreign, "msg_x"), requests("conv_none", "msg_none"), strict=True)
    for (method, path, body), (_, nobodys_path, _) in pairs:
        status, found = await ask(method, f"{own}/conversations{path}", body)
        nobodys_status, nobodys = await ask(method, f"{own}/conversations{nobodys_path}", body)
        assert status == nobodys_status >= 400
        text = json.dumps(nobodys).replace("conv_none", foreign).replace("msg_none", "msg_x")
        assert json.dumps(found) == text
    status, added = await ask("POST", f"{own}/conversations/{mine}/items", {"items": [HELLO | {"id": "msg_x"}]})
    assert (status, added["first_id"]) == (200, "msg_x"), "an id that another place has is as free as any"
    assert (await ask("GET", f"{other}/conversations/{foreign}"))[0] == 200


async def test_each_thing_takes_its_own_permission(ask):
    name = await made(ask, items=[HELLO | {"id": "msg_x"}])
    path = f"{V1}/conversations/{name}"
    reading = [("GET", path), ("GET", f"{path}/items"), ("GET", f"{path}/items/msg_x")]
    writing = [("POST", f"{V1}/conversations"), ("POST", path), ("POST", f"{path}/items")]
    deleting = [("DELETE", f"{path}/items/msg_x"), ("DELETE", path)]
    for who, allowed in (("reader", reading), ("writer", writing), ("chatter", [])):
        for method, target in (*reading, *writing, *deleting):
            status, _ = await ask(method, target, {"metadata": {}, "items": []}, who=who)
            assert (status != 403) is ((method, target) in allowed)

"""Stored chat completions through the gateway: what hosts are sent, what is kept, and what is said to whom."""

import json

import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.gateway.admitted import Admitted
from forehearth.stored_completions.keeping import Keeping
from forehearth.stored_completions.service import StoredCompletions
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock
from forehearth.wire import stored_completions
from forehearth.wire.surfaces import Families
from tests.unit.doors import Known, answer, head, make_door, principal, streamed
from tests.unit.stored_completions.test_assembly import EVENTS, WHOLE, stream

V1, SALES, DEFAULT = "/openai/v1", "/api/projects/sales/openai/v1", "/api/projects/default/openai/v1"
CHAT = {"model": "chat", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi?"}]}
KNOWN = {
    "t": principal(),
    "reader": principal(Permission.READ_STORED),
    "changer": principal(Permission.CHANGE_STORED),
    "chatter": principal(Permission.CHAT),
}


class Documents(MemoryDocuments):
    """A store that can go away."""

    away = None

    async def get(self, place, kind, id):  # noqa: A002 - the port's
        if self.away is not None:
            raise self.away
        return await super().get(place, kind, id)


class Client:
    def __init__(self, *answers):
        self.documents = Documents()
        stored = StoredCompletions(self.documents, clock=VirtualClock(unix=1_800_000_000.0))
        rows = stored_completions.rows(stored)
        self.door = make_door(*answers, known=Known(KNOWN), families=Families(v1=rows), keep=Keeping(stored))

    async def ask(self, method, target, body=None, *, who="t"):
        given = {"content_type": "application/json"} if method == "POST" else {}
        accepted = self.door.gateway.accept(
            head(target, method=method, key=None, authorization=f"Bearer {who}", **given)
        )
        if isinstance(accepted, Reply):
            return accepted.status, json.loads(accepted.body)
        assert isinstance(accepted, Admitted)
        reply = await accepted.answer(b"" if body is None else json.dumps(body).encode())
        if reply.stream is None:
            return reply.status, json.loads(reply.body)
        return reply.status, b"".join([piece async for piece in reply.stream])

    @property
    def sent(self):
        """The last body that the host was sent."""
        return json.loads(self.door.host.requests[-1].body)


@pytest.mark.parametrize("base", [V1, SALES, f"{V1}/deployments/chat"])
async def test_the_host_is_not_asked_to_store_what_is_stored_here(base):
    client = Client(answer(WHOLE))
    status, said = await client.ask("POST", f"{base}/chat/completions", CHAT | {"store": True, "metadata": {"a": "1"}})
    assert (status, said) == (200, WHOLE)
    assert client.sent == CHAT | {"model": "served-model"}
    status, found = await client.ask("GET", f"{base.removesuffix('/deployments/chat')}/chat/completions/chatcmpl-1")
    assert (status, found) == (200, WHOLE | {"metadata": {"a": "1"}})


@pytest.mark.parametrize("asked", [{}, {"store": False}, {"store": None, "metadata": {"a": "1"}}, {"metadata": 5}])
async def test_a_call_that_is_not_to_be_stored_passes_as_it_came(asked):
    client = Client(answer(WHOLE))
    assert (await client.ask("POST", f"{V1}/chat/completions", CHAT | asked))[0] == 200
    assert client.sent == CHAT | asked | {"model": "served-model"}
    assert (await client.ask("GET", f"{V1}/chat/completions"))[1]["data"] == []


async def test_other_surfaces_leave_storing_to_the_host():
    client = Client(answer(WHOLE))
    target = "/openai/deployments/chat/chat/completions?api-version=2025-02-01-preview"
    assert (await client.ask("POST", target, CHAT | {"store": True}))[0] == 200
    assert client.sent["store"] is True
    assert (await client.ask("GET", f"{V1}/chat/completions"))[1]["data"] == []


async def test_a_stream_is_stored_as_a_whole():
    text = stream(*EVENTS)
    client = Client(streamed(text[:77], text[77:]))
    asked = CHAT | {"store": True, "stream": True, "stream_options": {"include_usage": True}}
    status, said = await client.ask("POST", f"{V1}/chat/completions", asked)
    assert (status, said) == (200, text)
    assert (await client.ask("GET", f"{V1}/chat/completions/chatcmpl-1"))[1] == WHOLE | {"metadata": {}}


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"store": "yes"}, "invalid_value", "store"),
        ({"store": True, "metadata": []}, "invalid_type", "metadata"),
        ({"store": True, "metadata": {"a": 1}}, "invalid_type", "metadata.a"),
        ({"store": True, "metadata": {"a": "x" * 513}}, "string_above_max_length", "metadata.a"),
    ],
)
async def test_what_cannot_be_stored_so_is_refused_before_a_host_is_asked(asked, code, param):
    client = Client(answer(WHOLE))
    status, refused = await client.ask("POST", f"{V1}/chat/completions", CHAT | asked)
    assert (status, refused["error"]["code"], refused["error"]["param"]) == (400, code, param)
    assert client.door.host.requests == []


async def test_they_are_listed_changed_and_removed():
    client = Client(*(answer(WHOLE | {"id": f"c{number}"}) for number in range(4)))
    for number in range(4):
        metadata = {"n": str(number), "half": str(number % 2)}
        await client.ask("POST", f"{V1}/chat/completions", CHAT | {"store": True, "metadata": metadata})
    for query, expected in (
        ("", "0123"),
        ("?order=desc", "3210"),
        ("?limit=2&after=c0", "12"),
        ("?metadata[half]=1", "13"),
        ("?metadata%5Bhalf%5D=1&metadata%5Bn%5D=3&model=m", "3"),
        ("?model=other", ""),
    ):
        _, listed = await client.ask("GET", f"{V1}/chat/completions{query}")
        assert [each["id"] for each in listed["data"]] == [f"c{number}" for number in expected]
        assert listed["has_more"] is (query == "?limit=2&after=c0")
    _, changed = await client.ask("POST", f"{V1}/chat/completions/c1", {"metadata": {"new": "1"}})
    assert changed == WHOLE | {"id": "c1", "metadata": {"new": "1"}}
    gone = {"object": "chat.completion.deleted", "id": "c1", "deleted": True}
    assert await client.ask("DELETE", f"{V1}/chat/completions/c1") == (200, gone)
    status, refused = await client.ask("GET", f"{V1}/chat/completions/c1")
    assert (status, refused["error"]["message"]) == (404, "Chat completion with id 'c1' not found.")


async def test_messages_come_in_pages():
    client = Client(answer(WHOLE))
    await client.ask("POST", f"{V1}/chat/completions", CHAT | {"store": True})
    path = f"{V1}/chat/completions/chatcmpl-1/messages"
    _, listed = await client.ask("GET", f"{path}?limit=1")
    assert ([each["content"] for each in listed["data"]], listed["has_more"]) == (["Be brief."], True)
    _, listed = await client.ask("GET", f"{path}?after={listed['last_id']}")
    assert ([each["content"] for each in listed["data"]], listed["has_more"]) == (["Hi?"], False)
    _, listed = await client.ask("GET", f"{path}?order=desc")
    assert [each["role"] for each in listed["data"]] == ["user", "system"]
    _, refused = await client.ask("GET", f"{path}?after=x")
    assert refused["error"]["param"] == "after"


@pytest.mark.parametrize(("other", "own"), [(DEFAULT, SALES), (SALES, V1), (V1, DEFAULT)])
async def test_what_is_elsewhere_is_answered_as_what_nobody_has(other, own):
    client = Client(answer(WHOLE))
    await client.ask("POST", f"{other}/chat/completions", CHAT | {"store": True})
    for method, path in (
        ("GET", "/chat/completions/{}"),
        ("POST", "/chat/completions/{}"),
        ("DELETE", "/chat/completions/{}"),
        ("GET", "/chat/completions/{}/messages"),
        ("GET", "/chat/completions?after={}"),
    ):
        status, found = await client.ask(method, own + path.format("chatcmpl-1"), {"metadata": {}})
        nobodys_status, nobodys = await client.ask(method, own + path.format("chatcmpl-0"), {"metadata": {}})
        assert status == nobodys_status >= 400
        assert json.dumps(found) == json.dumps(nobodys).replace("chatcmpl-0", "chatcmpl-1")
    assert (await client.ask("GET", f"{own}/chat/completions"))[1]["data"] == []
    assert (await client.ask("GET", f"{other}/chat/completions/chatcmpl-1"))[0] == 200


async def test_each_thing_takes_its_own_permission():
    client = Client(answer(WHOLE))
    await client.ask("POST", f"{V1}/chat/completions", CHAT | {"store": True})
    path = f"{V1}/chat/completions"
    reading = [("GET", path), ("GET", f"{path}/chatcmpl-1"), ("GET", f"{path}/chatcmpl-1/messages")]
    changing = [("POST", f"{path}/chatcmpl-1"), ("DELETE", f"{path}/chatcmpl-1")]
    for who, allowed in (("reader", reading), ("changer", changing), ("chatter", [])):
        for method, target in (*reading, *changing):
            status, _ = await client.ask(method, target, {"metadata": {}}, who=who)
            assert (status != 403) is ((method, target) in allowed)


async def test_other_methods_are_told_all_that_the_path_takes():
    client = Client(answer(WHOLE))
    status, refused = await client.ask("DELETE", f"{V1}/chat/completions")
    assert (status, refused["error"]["message"]) == (405, "This path takes GET and POST.")


@pytest.mark.parametrize(
    ("uncertain", "expected", "retry"),
    [(False, 503, (b"retry-after", b"1")), (True, 502, (b"x-should-retry", b"false"))],
)
async def test_a_store_that_is_away_is_told_as_such(uncertain, expected, retry):
    client = Client(answer(WHOLE))
    client.documents.away = StoreFailed("secret words of the store", uncertain=uncertain)
    accepted = client.door.gateway.accept(head(f"{V1}/chat/completions/x", method="GET", authorization="Bearer t"))
    reply = await accepted.answer(b"")
    assert reply.status == expected
    assert retry in reply.headers
    assert b"secret" not in reply.body

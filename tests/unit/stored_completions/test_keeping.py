"""Who is kept what of, when, and what becomes of the call where that cannot be."""

import json
import logging

import pytest

from forehearth.core.call import Call, Operation
from forehearth.core.document import StoreFailed
from forehearth.core.errors import Broken, NotFound
from forehearth.core.exchange import Reply
from forehearth.core.place import Place
from forehearth.documents.repository import Order
from forehearth.stored_completions import keeping
from forehearth.stored_completions.keeping import Keeping
from forehearth.stored_completions.service import LARGEST, StoredCompletions, answer, messages
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock
from tests.unit.doors import principal
from tests.unit.stored_completions.test_assembly import EVENTS, WHOLE, stream

HERE = Place(resource="here")
ASKED = [{"role": "user", "content": "Hi?"}]


class Away(MemoryDocuments):
    """A store that is away."""

    async def insert(self, document):
        raise StoreFailed("the store does not answer")


def call(metadata=None, said=ASKED):
    return Call(
        request_id="r",
        surface="openai_v1",
        operation=Operation.CHAT,
        name="chat",
        body=json.dumps({"model": "chat", "messages": said}).encode(),
        keep=metadata or {},
        principal=principal(),
        started=0.0,
    )


def whole(**rest):
    return Reply(status=200, body=json.dumps(WHOLE | rest).encode())


class Source:
    """A host's stream; an exception among the pieces is raised in its place."""

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.closed = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.pieces:
            raise StopAsyncIteration
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def aclose(self):
        self.closed += 1


@pytest.fixture
def stored():
    return StoredCompletions(MemoryDocuments(), clock=VirtualClock(unix=1_800_000_000.0))


@pytest.fixture
def keep(stored):
    return Keeping(stored)


async def names(stored, **rest):
    found = await stored.list(HERE, Order(newest_first=False), **{"model": None, "metadata": {}} | rest)
    return [each.id for each in found.documents]


async def test_a_whole_answer_is_there_when_it_goes_out(stored, keep):
    reply = whole(metadata={"the": "host's"})
    assert await keep(HERE, call({"a": "1"}), reply) is reply
    found = await stored.get(HERE, "chatcmpl-1")
    assert json.loads(answer(found)) == WHOLE | {"metadata": {"a": "1"}}
    assert messages(found) == [
        {
            "id": "chatcmpl-1-0",
            "role": "user",
            "content": "Hi?",
            "refusal": None,
            "name": None,
            "content_parts": None,
        }
    ]


async def test_parts_of_a_message_are_apart_from_its_text(stored, keep):
    parts = [{"type": "text", "text": "Hi?"}]
    await keep(HERE, call(said=[{"role": "user", "content": parts, "name": "me"}]), whole())
    (said,) = messages(await stored.get(HERE, "chatcmpl-1"))
    assert (said["content"], said["content_parts"], said["name"]) == (None, parts, "me")


async def test_a_stream_is_stored_before_its_last_event_goes_out_and_no_byte_is_changed(stored, keep):
    text = stream(*EVENTS)
    pieces = [text[:100], text[100:-10], text[-10:]]
    source = Source(*pieces)
    reply = await keep(HERE, call(), Reply(status=200, headers=[(b"a", b"b")], stream=source))
    assert reply.headers == [(b"a", b"b")]
    seen = []
    async for piece in reply.stream:
        seen.append(piece)
        assert await names(stored) == ([] if len(seen) < 3 else ["chatcmpl-1"])
    assert seen == pieces
    assert json.loads(answer(await stored.get(HERE, "chatcmpl-1"))) == WHOLE | {"metadata": {}}
    await reply.stream.aclose()
    assert source.closed == 1


async def test_a_stream_that_ends_without_saying_so_is_stored(stored, keep):
    reply = await keep(HERE, call(), Reply(status=200, stream=Source(stream(*EVENTS, done=False))))
    assert [piece async for piece in reply.stream]
    assert await names(stored) == ["chatcmpl-1"]


async def test_a_stream_that_breaks_or_is_left_is_not_stored(stored, keep):
    reply = await keep(HERE, call(), Reply(status=200, stream=Source(stream(*EVENTS, done=False), Broken("it broke"))))
    with pytest.raises(Broken):
        assert [piece async for piece in reply.stream]
    left = await keep(HERE, call(), Reply(status=200, stream=Source(stream(*EVENTS))))
    await left.stream.aclose()
    assert await names(stored) == []


async def test_an_answer_that_comes_again_from_a_cache_is_stored_once_with_what_was_said_last(stored, keep):
    await keep(HERE, call({"a": "1"}), whole())
    await keep(HERE, call({"b": "2"}), whole())
    assert await names(stored) == ["chatcmpl-1"]
    assert (await stored.get(HERE, "chatcmpl-1")).metadata == {"b": "2"}


@pytest.mark.parametrize("place", [Place(resource="here", project="default"), Place(resource="there")])
async def test_elsewhere_there_is_nothing(stored, keep, place):
    await keep(HERE, call(), whole())
    for act in (
        stored.get(place, "chatcmpl-1"),
        stored.update(place, "chatcmpl-1", {}),
        stored.delete(place, "chatcmpl-1"),
    ):
        with pytest.raises(NotFound, match="Chat completion with id 'chatcmpl-1' not found"):
            await act
    found = await stored.list(place, Order(), model=None, metadata={})
    assert found.documents == ()
    await keep(place, call({"mine": "1"}), whole())
    assert (await stored.get(HERE, "chatcmpl-1")).metadata == {}


async def test_model_and_metadata_choose(stored, keep):
    for number, model in enumerate("aab"):
        await keep(HERE, call({"n": str(number)}), whole(id=f"c{number}", model=model))
    assert await names(stored) == ["c0", "c1", "c2"]
    assert await names(stored, model="a") == ["c0", "c1"]
    assert await names(stored, model="a", metadata={"n": "1"}) == ["c1"]
    assert await names(stored, model="c") == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=200, body=b"no JSON"),
        Reply(status=200, body=b"[]"),
        Reply(status=200, body=b'{"object": "chat.completion", "model": "m"}'),
        Reply(status=200, body=b'{"id": 5, "model": "m"}'),
        Reply(status=200, body=b'{"id": "x"}'),
        Reply(status=200, body=json.dumps({"id": "x" * 300, "model": "m"}).encode()),
        Reply(status=200, body=json.dumps({"id": "x", "model": "m" * LARGEST}).encode()),
        Reply(status=200, body=b"[" * 100_000),
    ],
)
async def test_what_cannot_be_stored_goes_out_all_the_same_and_is_logged(stored, keep, reply, caplog):
    with caplog.at_level(logging.WARNING):
        assert await keep(HERE, call(), reply) is reply
    assert "a chat completion was not stored" in caplog.text
    assert await names(stored) == []


async def test_a_store_that_is_away_costs_no_answer(caplog):
    keep = Keeping(StoredCompletions(Away(), clock=VirtualClock(unix=1.0)))
    reply = whole()
    assert await keep(HERE, call(), reply) is reply
    assert "a chat completion was not stored: the store does not answer" in caplog.text
    assert "Hi?" not in caplog.text
    streamed = await keep(HERE, call(), Reply(status=200, stream=Source(stream(*EVENTS))))
    assert [piece async for piece in streamed.stream] == [stream(*EVENTS)]


async def test_a_stream_is_put_together_up_to_a_bound(stored, keep, monkeypatch, caplog):
    monkeypatch.setattr(keeping, "LONGEST_STREAM", 200)
    text = stream(*EVENTS)
    reply = await keep(HERE, call(), Reply(status=200, stream=Source(text[:300], text[300:])))
    assert b"".join([piece async for piece in reply.stream]) == text
    assert await names(stored) == []
    assert "too long" in caplog.text


async def test_metadata_is_changed_and_the_answer_stays(stored, keep):
    await keep(HERE, call({"a": "1"}), whole())
    changed = await stored.update(HERE, "chatcmpl-1", {"b": "2"})
    assert json.loads(answer(changed)) == WHOLE | {"metadata": {"b": "2"}}
    await stored.delete(HERE, "chatcmpl-1")
    assert await names(stored) == []

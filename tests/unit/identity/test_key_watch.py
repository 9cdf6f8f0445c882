"""A change of the keys reaches the ring within seconds; a store that is away takes no good key with it."""

import asyncio
import contextlib
import logging

import pytest

from forehearth.core.document import Document, StoreFailed
from forehearth.core.place import Place
from forehearth.identity.key_records import KIND, encode
from forehearth.identity.key_watch import INTERVAL, STALE, KeyWatch
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock
from tests.unit.identity.keyed import DEVELOPMENT, NOW, RESOURCE, head, record, ring

FIRST, SECOND = "k" * 20, "q" * 20


class Store(MemoryDocuments):
    """A store that can be away, and counts who reads all of it."""

    def __init__(self):
        super().__init__()
        self.away = None
        self.read = 0

    async def version(self, kind):
        if self.away is not None:
            raise self.away
        return await super().version(kind)

    async def of_all_places(self, kind):
        self.read += 1
        return await super().of_all_places(kind)

    async def put(self, *records):
        for each in records:
            document = Document(
                place=Place(resource=each.resource), kind=KIND, id=each.name, created=0, updated=0, body=encode(each)
            )
            await self.insert(document)


class Watched:
    def __init__(self):
        self.clock = VirtualClock(unix=NOW)
        self.store = Store()
        self.ring = ring()
        self.told = []
        self.watch = KeyWatch(self.store, self.ring, self.clock, self.told.append)

    def knows(self, key):
        return self.ring.identify(head(key), RESOURCE, self.clock.unix()) is not None


@pytest.fixture
async def watched():
    found = Watched()
    task = asyncio.create_task(found.watch.run(found.clock.sleep))
    await found.clock.advance(0)
    yield found
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_new_key_and_a_revoked_one_within_one_look(watched):
    await watched.store.put(record(FIRST))
    assert not watched.knows(FIRST)
    await watched.clock.advance(INTERVAL)
    assert watched.knows(FIRST)
    await watched.store.delete(Place(resource=RESOURCE), KIND, "shop")
    await watched.clock.advance(INTERVAL)
    assert not watched.knows(FIRST)
    assert watched.knows(DEVELOPMENT)


def test_looks_come_often_enough():
    assert INTERVAL < 5


async def test_what_did_not_change_is_not_read_again(watched):
    await watched.store.put(record(FIRST))
    await watched.clock.advance(100 * INTERVAL)
    assert watched.store.read == 2


async def test_a_change_while_all_is_read_is_not_missed():
    watched = Watched()

    class Busy(Store):
        async def of_all_places(self, kind):
            found = await super().of_all_places(kind)
            if self.read == 1:
                await self.put(record(SECOND, name="till", id="key-2"))
            return found

    watched.store = Busy()
    await watched.store.put(record(FIRST))
    watch = KeyWatch(watched.store, watched.ring, watched.clock)
    await watch.refresh()
    assert not watched.knows(SECOND)
    await watch.refresh()
    assert watched.knows(SECOND)


@pytest.mark.parametrize("error", [StoreFailed("the disk is full"), RuntimeError("fh-secret")])
async def test_while_the_store_is_away_the_known_keys_go_on_and_it_is_said(watched, error, caplog):
    caplog.set_level(logging.WARNING)
    await watched.store.put(record(FIRST, expires=NOW + 90))
    await watched.clock.advance(INTERVAL)
    watched.store.away = error
    await watched.clock.advance(STALE - INTERVAL)
    assert caplog.records == []
    await watched.clock.advance(30)
    assert watched.knows(FIRST)
    assert len(caplog.records) == 1
    assert "revoked ones among them" in caplog.text
    assert "fh-secret" not in caplog.text
    assert watched.told[-1] == pytest.approx(STALE - INTERVAL + 30, abs=INTERVAL)
    await watched.clock.advance(60)
    assert len(caplog.records) == 2
    assert not watched.knows(FIRST), "an end is reached without the store"
    watched.store.away = None
    await watched.store.put(record(SECOND, name="till", id="key-2"))
    await watched.clock.advance(INTERVAL)
    assert watched.knows(SECOND)
    assert watched.told[-1] == 0
    assert "read again" in caplog.records[-1].message


async def test_the_first_look_fails_aloud():
    watched = Watched()
    watched.store.away = StoreFailed("away")
    with pytest.raises(StoreFailed):
        await watched.watch.refresh()


@pytest.mark.parametrize(("others", "seconds"), [(False, 0), (True, INTERVAL)])
async def test_spread_returns_when_all_have_looked(others, seconds):
    watched = Watched()
    await watched.store.put(record(FIRST))
    began = watched.clock.monotonic()
    spread = asyncio.create_task(watched.watch.spread(watched.clock.sleep, others=others))
    await watched.clock.advance(0)
    assert watched.knows(FIRST)
    assert spread.done() is not others
    await watched.clock.advance(2 * INTERVAL)
    await spread
    assert watched.clock.monotonic() - began >= seconds


async def test_a_document_that_is_no_record_hides_no_other(watched, caplog):
    odd = Document(place=Place(resource=RESOURCE), kind=KIND, id="odd", created=0, updated=0, body=b'{"shape": "new"}')
    await watched.store.insert(odd)
    await watched.store.put(record(FIRST))
    await watched.clock.advance(INTERVAL)
    assert watched.knows(FIRST)
    assert "the key odd in here cannot be read" in caplog.text

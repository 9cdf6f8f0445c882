"""A change of documents is learnt within seconds; a store that is away takes nothing that was known with it."""

import asyncio
import contextlib
import logging

import pytest

from forehearth.core.document import Document, StoreFailed
from forehearth.core.place import Place
from forehearth.documents.watch import INTERVAL, STALE, Watch
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock

HERE = Place(resource="here")
FIRST, SECOND = "first", "second"


class Store(MemoryDocuments):
    """A store that can be away, and counts who reads all of it."""

    def __init__(self):
        super().__init__()
        self.away = None
        self.lost_kind = None
        self.read = []

    async def version(self, kind):
        if self.away is not None or kind == self.lost_kind:
            raise self.away or StoreFailed("half away")
        return await super().version(kind)

    async def of_all_places(self, kind):
        self.read.append(kind)
        return await super().of_all_places(kind)

    async def put(self, *ids, kind=FIRST):
        for each in ids:
            await self.insert(Document(place=HERE, kind=kind, id=each, created=0, updated=0, body=b"{}"))


class Watched:
    def __init__(self, store=None):
        self.clock = VirtualClock()
        self.store = store or Store()
        self.known = {}
        self.order = []
        self.told = []
        followed = {kind: lambda documents, kind=kind: self.learn(kind, documents) for kind in (FIRST, SECOND)}
        self.watch = Watch(self.store, followed, self.clock, what="things", told=self.told.append)

    def learn(self, kind, documents):
        self.order.append(kind)
        self.known[kind] = {each.id for each in documents}


@pytest.fixture
async def watched():
    found = Watched()
    task = asyncio.create_task(found.watch.run(found.clock.sleep))
    await found.clock.advance(0)
    yield found
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_is_new_and_what_is_gone_within_one_look(watched):
    await watched.store.put("one")
    assert watched.known[FIRST] == set()
    await watched.clock.advance(INTERVAL)
    assert watched.known[FIRST] == {"one"}
    await watched.store.delete(HERE, FIRST, "one", 0.0)
    await watched.clock.advance(INTERVAL)
    assert watched.known[FIRST] == set()


def test_looks_come_often_enough():
    assert INTERVAL < 5


async def test_each_kind_is_learnt_by_itself_and_in_order(watched):
    assert watched.order == [FIRST, SECOND]
    await watched.store.put("one", kind=SECOND)
    await watched.clock.advance(INTERVAL)
    assert watched.known == {FIRST: set(), SECOND: {"one"}}
    assert watched.order == [FIRST, SECOND, SECOND]


async def test_what_did_not_change_is_not_read_again(watched):
    await watched.store.put("one")
    await watched.clock.advance(100 * INTERVAL)
    assert watched.store.read == [FIRST, SECOND, FIRST]


async def test_a_change_while_all_is_read_is_not_missed():
    class Busy(Store):
        async def of_all_places(self, kind):
            found = await super().of_all_places(kind)
            if self.read == [FIRST]:
                await self.put("two")
            return found

    watched = Watched(Busy())
    await watched.store.put("one")
    await watched.watch.refresh()
    assert watched.known[FIRST] == {"one"}
    await watched.watch.refresh()
    assert watched.known[FIRST] == {"one", "two"}


@pytest.mark.parametrize("error", [StoreFailed("the disk is full"), RuntimeError("fh-secret")])
async def test_while_the_store_is_away_what_was_known_goes_on_and_it_is_said(watched, error, caplog):
    caplog.set_level(logging.WARNING)
    await watched.store.put("one")
    await watched.clock.advance(INTERVAL)
    watched.store.away = error
    await watched.clock.advance(STALE - INTERVAL)
    assert caplog.records == []
    await watched.clock.advance(30)
    assert watched.known[FIRST] == {"one"}
    assert len(caplog.records) == 1
    assert "things could not be read" in caplog.text
    assert "revoked ones among them" in caplog.text
    assert "fh-secret" not in caplog.text
    assert watched.told[-1] == pytest.approx(STALE - INTERVAL + 30, abs=INTERVAL)
    await watched.clock.advance(60)
    assert len(caplog.records) == 2
    watched.store.away = None
    await watched.store.put("two")
    await watched.clock.advance(INTERVAL)
    assert watched.known[FIRST] == {"one", "two"}
    assert watched.told[-1] == 0
    assert "read again" in caplog.records[-1].message


async def test_a_look_that_fails_half_way_is_none(watched, caplog):
    """The age of what is known is that of its oldest part; what could be read of it is known all the same."""
    watched.store.lost_kind = SECOND
    await watched.store.put("one")
    await watched.clock.advance(STALE + INTERVAL)
    assert watched.known[FIRST] == {"one"}
    assert watched.told[-1] >= STALE
    assert "half away" in caplog.text
    watched.store.lost_kind = None
    await watched.store.put("two", kind=SECOND)
    await watched.clock.advance(INTERVAL)
    assert watched.known[SECOND] == {"two"}


async def test_the_first_look_fails_aloud():
    watched = Watched()
    watched.store.away = StoreFailed("away")
    with pytest.raises(StoreFailed):
        await watched.watch.refresh()


@pytest.mark.parametrize(("others", "seconds"), [(False, 0), (True, INTERVAL)])
async def test_spread_returns_when_all_have_looked(others, seconds):
    watched = Watched()
    await watched.store.put("one")
    began = watched.clock.monotonic()
    spread = asyncio.create_task(watched.watch.spread(watched.clock.sleep, others=others))
    await watched.clock.advance(0)
    assert watched.known[FIRST] == {"one"}
    assert spread.done() is not others
    await watched.clock.advance(2 * INTERVAL)
    await spread
    assert watched.clock.monotonic() - began >= seconds

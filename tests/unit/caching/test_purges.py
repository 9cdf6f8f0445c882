"""A purge reaches every worker, whoever asked for it."""

from itertools import count

import pytest

from forehearth.caching.answers import Answer
from forehearth.caching.cache import Cache
from forehearth.caching.caches import Caches, Purge
from forehearth.caching.fingerprint import fingerprint
from forehearth.caching.purges import KIND, Purges
from forehearth.caching.scope import Chosen, Scope
from forehearth.core.cache_settings import CacheSettings, ExactCacheSettings
from forehearth.core.document import Document, StoreFailed
from forehearth.documents.watch import INTERVAL, SPREAD_SECONDS
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock
from tests.unit.caching.calls import call, chat

WANTED = CacheSettings(exact=ExactCacheSettings())


class Store(MemoryDocuments):
    """A store that can be away."""

    away = False

    async def insert(self, document: Document) -> Document:
        if self.away:
            raise StoreFailed("away")
        return await super().insert(document)

    async def version(self, kind: str) -> int:
        if self.away:
            raise StoreFailed("away")
        return await super().version(kind)


class Worker:
    """A worker with a cache for `chat` and one for `code`, and answers in both."""

    numbers = count()

    def __init__(self, store: Store, clock: VirtualClock, *, others: bool = True) -> None:
        self.clock = clock
        self.caches = Caches()
        self.cache = {name: Cache(WANTED, None, clock) for name in ("chat", "code")}
        for name, cache in self.cache.items():
            self.caches.add("here", name, name, WANTED, cache)
        new_id = lambda: f"purge_{next(self.numbers)}"  # noqa: E731 - as short as it says
        self.purges = Purges(store, self.caches, clock, new_id=new_id, others=others)

    def fill(self) -> None:
        for cache in self.cache.values():
            for project in ("", "sales"):
                found = fingerprint(call(chat(project)), max_temperature=1.0)
                answer = Answer(headers=(), made=self.clock.monotonic())
                cache.keep(Scope(project=project), found, None, answer, cache.generation)

    @property
    def entries(self) -> list[int]:
        return [cache.entries for cache in self.cache.values()]


@pytest.fixture
async def pair():
    store, clock = Store(), VirtualClock()
    workers = Worker(store, clock), Worker(store, clock)
    for each in workers:
        await each.purges.begin()
        each.fill()
    return workers


async def purged(worker: Worker, **wanted) -> None:
    """Ask for it, and let the time pass that it takes."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await worker.purges.purge(Purge(**{"resource": "here"} | wanted), sleep)
    assert slept == ([SPREAD_SECONDS] if worker.purges._others else [])


async def test_both_workers_do_it(pair):
    one, other = pair
    await purged(one, deployment="chat")
    assert one.entries == [0, 2]
    assert other.entries == [2, 2]
    await other.purges.look()
    assert other.entries == [0, 2]


async def test_only_what_is_meant_goes(pair):
    one, other = pair
    await purged(one, chosen=Chosen(project="sales"))
    await purged(one, resource="there")
    await other.purges.look()
    assert one.entries == other.entries == [1, 1]


async def test_a_purge_is_done_once(pair):
    one, other = pair
    await purged(one)
    await other.purges.look()
    other.fill()
    one.fill()
    await other.purges.look()
    await one.purges.look()
    assert other.entries == [2, 2]
    assert one.entries == [2, 2]


async def test_a_worker_that_starts_does_not_repeat_what_is_over():
    store, clock = Store(), VirtualClock()
    await purged(Worker(store, clock))
    late = Worker(store, clock)
    await late.purges.begin()
    late.fill()
    await late.purges.look()
    assert late.entries == [2, 2]


async def test_every_worker_looks_within_the_time_that_is_waited(pair):
    one, other = pair
    assert INTERVAL < SPREAD_SECONDS < 5.0
    rounds = 0

    async def sleep(seconds: float) -> None:
        nonlocal rounds
        assert seconds == INTERVAL
        rounds += 1
        if rounds == 1:
            await purged(one)
        if rounds == 2:
            raise ZeroDivisionError  # the test's way out of an endless loop

    with pytest.raises(ZeroDivisionError):
        await other.purges.run(sleep)
    assert other.entries == [0, 0]


async def test_who_could_not_look_for_long_empties_everything(pair):
    _, other = pair
    other.purges._store.away = True
    await other.clock.advance(1_000)
    with pytest.raises(StoreFailed):
        await other.purges.look()
    assert other.entries == [2, 2]
    await other.clock.advance(1_000)
    other.purges._store.away = False
    await other.purges.look()
    assert other.entries == [0, 0]


async def test_alone_nobody_is_waited_for_and_nothing_stays_written_down_for_ever():
    store, clock = Store(), VirtualClock()
    alone = Worker(store, clock, others=False)
    await alone.purges.begin()
    await purged(alone)
    await clock.advance(4_000)
    await purged(alone)
    assert await store.remove_expired(clock.unix(), 10) == 1  # as the server sweeps all that has expired
    assert len(await store.of_all_places(KIND)) == 1


async def test_a_purge_that_cannot_be_written_down_is_said(pair):
    one, _ = pair
    one.purges._store.away = True
    with pytest.raises(StoreFailed):
        await purged(one)

"""Nobody who records something waits for the store, and nothing is lost in silence."""

import asyncio

import pytest

from forehearth.admin.audit import MOST_WAITING, TOGETHER, Audit
from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.core.document import StoreFailed
from forehearth.identity.key_text import new_key
from forehearth.stores.memory import MemoryAudit
from forehearth.testing.clock import VirtualClock


class Store(MemoryAudit):
    """A store that can be away, refuse a record, or be slow."""

    def __init__(self):
        super().__init__()
        self.away = False
        self.refused = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches = []

    async def append(self, records):
        await self.gate.wait()
        if self.away:
            raise StoreFailed("the disk is full")
        if self.refused & {each.target for each in records}:
            raise ValueError("a secret")
        self.batches.append(len(records))
        await super().append(records)

    async def targets(self):
        return [each.target for each in reversed(await self.page(AuditQuery(limit=100_000)))]


def entry(target, **rest):
    base = {"at": 1_800_000_000.0, "request_id": "r", "resource": "here", "actor": "maria", "actor_kind": "user"}
    return AuditRecord(**base | {"action": "keys.create", "target": str(target), "allowed": True, "status": 201} | rest)


@pytest.fixture
async def store():
    return Store()


@pytest.fixture
async def clock():
    return VirtualClock()


async def test_records_are_kept_in_order(store, clock):
    async with Audit(store, clock, sleep=clock.sleep) as audit:
        for number in range(3):
            audit.record(entry(number))
        assert audit.waiting == 3
        assert await audit.flush()
        assert audit.waiting == 0
        assert await store.targets() == ["0", "1", "2"]
        assert [each.target for each in await audit.page(AuditQuery(limit=2))] == ["2", "1"]


async def test_many_are_written_together(store, clock):
    async with Audit(store, clock, sleep=clock.sleep) as audit:
        for number in range(TOGETHER + 10):
            audit.record(entry(number))
        assert await audit.flush()
    assert store.batches == [TOGETHER, 10]


async def test_what_is_recorded_during_a_write_is_written_next(store, clock):
    async with Audit(store, clock, sleep=clock.sleep) as audit:
        store.gate.clear()
        audit.record(entry("first"))
        await asyncio.sleep(0)
        audit.record(entry("second"))
        assert not await audit.flush(0.01)
        store.gate.set()
        assert await audit.flush()
        assert await store.targets() == ["first", "second"]


async def test_records_wait_while_the_store_is_away(store, clock, caplog):
    async with Audit(store, clock, sleep=clock.sleep) as audit:
        store.away = True
        audit.record(entry("first"))
        await clock.advance(100)
        assert not await audit.flush(0.01)
        assert "1 audit records wait: the disk is full" in caplog.text
        audit.record(entry("second"))
        store.away = False
        await clock.advance(60)
        assert await audit.flush()
    assert await store.targets() == ["first", "second"]
    assert audit.lost == 0


async def test_beyond_the_bound_they_are_lost_aloud_and_counted(store, clock, caplog):
    told = []
    async with Audit(store, clock, sleep=clock.sleep, lost=told.append) as audit:
        store.away = True
        for number in range(MOST_WAITING + 3):
            audit.record(entry(number))
        assert audit.lost == sum(told) == 3
        assert "audit records are lost, 1 until now" in caplog.text
        store.away = False
        await clock.advance(60)
        assert await audit.flush()
    assert await store.targets() == [str(number) for number in range(MOST_WAITING)]


async def test_one_that_the_store_does_not_take_is_in_nobodys_way(store, clock, caplog):
    store.refused = {"bad"}
    async with Audit(store, clock, sleep=clock.sleep) as audit:
        for target in ("first", "bad", "last"):
            audit.record(entry(target))
        assert await audit.flush()
    assert await store.targets() == ["first", "last"]
    assert audit.lost == 1
    assert "a secret" not in caplog.text


async def test_the_end_writes_what_waits(store, clock):
    async with Audit(store, clock, sleep=clock.sleep) as audit:
        audit.record(entry("last words"))
    assert await store.targets() == ["last words"]


async def test_an_end_without_a_store_is_counted(store, clock, caplog):
    store.away = True
    async with Audit(store, clock, sleep=clock.sleep, last_seconds=0.01) as audit:
        audit.record(entry("last words"))
    assert audit.lost == 1
    assert "until the end" in caplog.text


async def test_old_records_are_removed_at_once_and_every_hour(store, clock):
    for days in (91, 89.99, 1):
        await store.append([entry(days, at=clock.unix() - days * 86_400)])
    async with Audit(store, clock, sleep=clock.sleep):
        await clock.advance(0)
        assert await store.targets() == ["89.99", "1"]
        await clock.advance(3_600)
        assert await store.targets() == ["1"]


async def test_how_long_they_are_kept_can_be_said(store, clock):
    await store.append([entry("old", at=clock.unix() - 8 * 86_400)])
    async with Audit(store, clock, sleep=clock.sleep, kept_days=7):
        await clock.advance(0)
        assert await store.targets() == []


async def test_what_others_wrote_cannot_move_a_terminal_or_fill_a_disk(store, clock):
    async with Audit(store, clock, sleep=clock.sleep) as audit:
        audit.record(entry("\x1b[2Jx\ny\u202e\ud800", actor="m" * 100_000, detail="é 🔥"))
        assert await audit.flush()
        (kept,) = await audit.page(AuditQuery())
    assert kept.target == "?[2Jx?y??"
    assert len(kept.actor) == 512
    assert kept.detail == "é 🔥"


async def test_a_key_that_was_pasted_where_it_does_not_belong_is_not_kept(store, clock):
    key = new_key(bytes).reveal()
    async with Audit(store, clock, sleep=clock.sleep) as audit:
        audit.record(entry(key, detail=f"'{key[:-3]}' is no network", actor="a" * 500 + key))
        assert await audit.flush()
        (kept,) = await audit.page(AuditQuery())
    assert kept.target == "fh-***"
    assert kept.detail == "'fh-***' is no network"
    assert "fh-A" not in kept.actor

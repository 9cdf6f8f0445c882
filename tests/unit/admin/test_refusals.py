"""Refused calls in the audit log: the first at once, repeats as one, and bounds that no storm gets beyond."""

import asyncio

import msgspec
import pytest

from forehearth.admin.audit import MOST_WAITING, Audit
from forehearth.admin.refusals import MOST_KNOWN, MOST_UNKNOWN, WINDOW, Refusals
from forehearth.core.audit import AuditQuery
from forehearth.core.document import StoreFailed
from forehearth.core.principal import Principal
from forehearth.core.refusal import Refusal
from forehearth.identity.key_text import new_key
from forehearth.stores.memory import MemoryAudit
from forehearth.testing.clock import VirtualClock

SHOP = Principal(name="shop", kind="key", id="key_1")


class Away(MemoryAudit):
    """A store that is away, or slow for ever."""

    def __init__(self):
        super().__init__()
        self.slow = False

    async def append(self, records):
        if self.slow:
            await asyncio.Event().wait()
        raise StoreFailed("away")


class Log:
    """Refusals on their way to a store in memory."""

    def __init__(self, store=None):
        self.clock = VirtualClock()
        self.store = store or MemoryAudit()
        self.audit = Audit(self.store, self.clock, sleep=self.clock.sleep, last_seconds=0.01)
        self.refusals = Refusals(self.clock)
        self.unrecorded = 0

    def count(self, number):
        self.unrecorded += number

    def recorded(self):
        return self.refusals.recorded_in(self.audit, self.count, self.clock.sleep)

    def refuse(self, times=1, **rest):
        for _ in range(times):
            self.refusals.refused(refusal(**rest))

    async def records(self, **query):
        assert await self.audit.flush()
        return list(reversed(await self.store.page(AuditQuery(**query))))


def refusal(**rest):
    base = {"request_id": "r-1", "resource": "here", "operation": "openai_v1.chat_completions", "principal": None}
    base |= {"address": "10.0.0.1", "status": 401, "reason": "who are you"}
    return Refusal(**base | rest)


@pytest.fixture
async def log():
    found = Log()
    async with found.audit, found.recorded():
        yield found


async def test_the_first_is_recorded_at_once_with_all_that_is_known(log):
    log.refuse(principal=SHOP, status=403, reason="lacks it", project="sales", deployment="chat", request_id="r-7")
    (record,) = await log.records()
    assert msgspec.structs.asdict(record) == {
        "sequence": 1,
        "at": log.clock.unix(),
        "request_id": "r-7",
        "resource": "here",
        "project": "sales",
        "actor": "shop",
        "actor_kind": "key",
        "action": "openai_v1.chat_completions",
        "target": "chat",
        "allowed": False,
        "status": 403,
        "detail": "by key_1; from 10.0.0.1; lacks it",
    }


@pytest.mark.parametrize(("address", "actor"), [("10.0.0.1", "10.0.0.1"), ("", "unknown")])
async def test_whom_nobody_knows_is_called_by_the_address(log, address, actor):
    log.refuse(address=address)
    (record,) = await log.records()
    assert (record.actor, record.actor_kind, record.detail) == (actor, "address", "who are you")


async def test_repeats_within_a_minute_are_one_record_with_the_count(log):
    log.refuse()
    await log.clock.advance(10)
    log.refuse(99, request_id="r-2")
    await log.clock.advance(WINDOW - 11)
    assert len(await log.records()) == 1
    await log.clock.advance(2)
    first, more = await log.records()
    assert more.detail == "99 more within 10 s: who are you"
    assert (first.request_id, more.request_id) == ("r-1", "r-2")
    assert more.at == first.at + 10
    assert log.unrecorded == 0


async def test_one_that_comes_later_is_a_first_one_again(log):
    log.refuse()
    await log.clock.advance(WINDOW + 1)
    log.refuse()
    await log.clock.advance(WINDOW + 1)
    assert [each.detail for each in await log.records()] == ["who are you"] * 2


async def test_what_goes_on_is_two_records_a_minute_at_the_most(log):
    for _ in range(600):
        log.refuse(10)
        await log.clock.advance(1)
    records = await log.records(limit=1_000)
    assert len(records) <= 2 * (600 / WINDOW + 1)
    counted = sum(int(each.detail.split(" more")[0]) if " more" in each.detail else 1 for each in records)
    assert counted + sum(each.count for each in log.refusals._unknown.values()) == 6_000


@pytest.mark.parametrize(
    "other",
    [
        {"address": "10.0.0.2"},
        {"operation": "openai_v1.embeddings"},
        {"reason": "your key has ended"},
        {"status": 403},
        {"resource": "there"},
        {"principal": SHOP},
    ],
)
async def test_another_caller_endpoint_or_reason_is_no_repeat(log, other):
    log.refuse()
    log.refuse(**other)
    assert len(await log.records()) == 2


@pytest.mark.parametrize(
    "other", [{"id": "key_2"}, {"kind": "user"}, {"tenant": "t"}], ids=["another id", "another kind", "another tenant"]
)
async def test_callers_are_told_apart_by_more_than_their_name(log, other):
    log.refuse(principal=SHOP)
    log.refuse(principal=msgspec.structs.replace(SHOP, **other))
    assert len(await log.records()) == 2


async def test_a_known_caller_is_the_same_from_everywhere(log):
    log.refuse(principal=SHOP)
    log.refuse(principal=SHOP, address="10.0.0.2")
    assert len(await log.records()) == 1


async def test_other_deployments_are_told_of_in_the_count(log):
    log.refuse(deployment="chat")
    log.refuse(2, deployment="other")
    await log.clock.advance(WINDOW + 1)
    (_, more) = await log.records()
    assert more.detail == "2 more within 1 s, some for other deployments or projects: who are you"
    assert more.target == "other"


async def test_a_storm_of_addresses_is_bounded_and_what_is_dropped_is_counted(log):
    for number in range(10_000):
        log.refuse(address=f"10.{number >> 8}.{number & 255}.1")
    assert len(await log.records(limit=100_000)) == MOST_UNKNOWN
    assert log.unrecorded == 10_000 - MOST_UNKNOWN
    assert len(log.refusals._unknown) == MOST_UNKNOWN
    await log.clock.advance(WINDOW + 1)
    assert len(log.refusals._unknown) == 0
    log.refuse(address="10.99.99.99")
    assert len(await log.records(limit=100_000)) == MOST_UNKNOWN + 1


async def test_a_storm_of_strangers_takes_no_room_of_those_who_are_known(log):
    for number in range(1_000):
        log.refuse(address=f"10.0.{number >> 8}.{number & 255}")
    log.refuse(principal=SHOP, status=403)
    assert (await log.records(limit=100_000))[-1].actor == "shop"


async def test_the_known_are_bounded_too(log):
    for number in range(1_000):
        log.refuse(principal=msgspec.structs.replace(SHOP, id=f"key_{number}"))
    assert len(await log.records(limit=100_000)) == MOST_KNOWN
    assert log.unrecorded == 1_000 - MOST_KNOWN


@pytest.mark.parametrize("slow", [True, False])
async def test_nobody_waits_for_a_store_that_is_away_and_operators_keep_their_room(slow):
    store = Away()
    store.slow = slow
    log = Log(store)
    async with log.audit, log.recorded():
        for number in range(MOST_WAITING):
            log.refuse(principal=msgspec.structs.replace(SHOP, id=f"key_{number}"))
            if number % MOST_KNOWN == MOST_KNOWN - 1:
                await log.clock.advance(WINDOW + 1)
        assert log.audit.waiting == MOST_WAITING // 2
        assert log.unrecorded == MOST_WAITING // 2
        assert log.audit.lost == 0


async def test_what_is_folded_is_recorded_at_the_end():
    log = Log()
    async with log.audit:
        async with log.recorded():
            log.refuse(5)
        assert [each.detail for each in await log.records()] == ["who are you", "4 more within 1 s: who are you"]
        log.refuse()
        assert len(await log.records()) == 2, "after the end nobody is told"


async def test_no_record_has_a_key(log):
    key = new_key(lambda size: b"k" * size).reveal()
    log.refuse(deployment=key, project=key, reason=f"no {key}", operation="x")
    (record,) = await log.records()
    assert key[:12] not in repr(record)

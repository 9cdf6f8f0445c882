"""The counter stores behind one suite: nothing is granted twice; windows, shares and turns are what they should be."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from forehearth.core.counter import Ask, Demand
from forehearth.core.windows import Period
from forehearth.ports.counters import CounterStore
from forehearth.stores.counting import KEPT
from forehearth.stores.memory_counters import MemoryCounters
from forehearth.stores.sqlite.counters import SqliteCounters
from forehearth.stores.sqlite.database import open_database
from forehearth.testing.clock import VirtualClock

HOUR = 3_600.0


class Hands(VirtualClock):
    """A clock whose two readings are set by the test."""

    def set(self, *, monotonic: float | None = None, unix: float | None = None) -> None:
        unix = self.unix() if unix is None else unix
        self._monotonic = self._monotonic if monotonic is None else monotonic
        self._offset = unix - self._monotonic


@pytest.fixture
def clock() -> Hands:
    return Hands(monotonic=1_030.0, unix=1_800_000_000.0)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path, clock: Hands) -> AsyncIterator[CounterStore]:
    if request.param == "memory":
        yield MemoryCounters(clock)
        return
    database = open_database(tmp_path / "counters.db", schema="counters")
    yield SqliteCounters(database, clock)
    await database.aclose()


def asks(*needs: int, period: Period | None = Period.MINUTE, limit: int = 100, **rest: Any) -> Ask:
    demands = tuple(need if isinstance(need, Demand) else Demand(need, need) for need in needs)
    return Ask(**{"counter": "c", "period": period, "limit": limit, "demands": demands, "lasts": 5.0} | rest)


async def one(store: CounterStore, worker: str, ask: Ask) -> Any:
    (grant,) = await store.exchange(worker, [ask])
    return grant


async def test_no_more_is_granted_than_there_is(store):
    assert (await one(store, "a", asks(60))).granted == (60,)
    grant = await one(store, "b", asks(50, 30, 20))
    assert (grant.granted, grant.left) == ((0, 30, 0), 10)


async def test_what_is_given_back_can_be_had_again_and_first(store):
    first = await one(store, "a", asks(100))
    assert (await one(store, "b", asks(1))).granted == (0,)
    again = await one(store, "a", asks(40, given=60, window=first.window))
    assert (again.granted, again.left) == ((40,), 20)


async def test_less_is_granted_where_less_will_do(store):
    await one(store, "a", asks(70))
    assert (await one(store, "b", asks(Demand(50, 31)))).granted == (0,)
    assert (await one(store, "b", asks(Demand(50, 30)))).granted == (30,)


async def test_something_to_spare_shrinks_with_what_is_left(store):
    assert (await one(store, "a", asks(spare=10, workers=2))).spare == 10
    assert (await one(store, "a", asks(78, spare=10, workers=2))).spare == 0
    grant = await one(store, "b", asks(spare=10, workers=2))
    assert (grant.spare, grant.left) == (3, 9)
    assert (await one(store, "b", asks(20, spare=10, workers=2))).spare == 0


async def test_a_debt_counts_whatever_is_left(store):
    first = await one(store, "a", asks(90))
    grant = await one(store, "a", asks(1, over=30, window=first.window))
    assert (grant.granted, grant.left) == ((0,), -20)


async def test_a_minute_ends_by_the_clock_that_never_goes_back(store, clock):
    first = await one(store, "a", asks(100))
    assert (first.window, first.ends_in) == (1_020, 50.0)
    clock.set(unix=1_800_000_000.0 + 2 * HOUR)
    assert (await one(store, "a", asks(1))).granted == (0,)
    clock.set(monotonic=1_080.0)
    second = await one(store, "a", asks(1, given=100, window=first.window))
    assert (second.granted, second.window, second.left) == ((1,), 1_080, 99)


async def test_a_calendars_window_never_comes_again(store, clock):
    begins = 1_800_000_000
    first = await one(store, "a", asks(100, period=Period.HOUR))
    assert (first.window, first.ends_in) == (begins, HOUR)
    clock.set(unix=begins + HOUR)
    assert (await one(store, "a", asks(70, period=Period.HOUR))).granted == (70,)
    clock.set(unix=begins + 10.0)
    late = await one(store, "a", asks(40, period=Period.HOUR))
    assert (late.granted, late.left, late.window) == ((0,), 30, begins + HOUR)
    assert late.ends_in == 2 * HOUR - 10.0


async def test_after_a_restart_of_the_machine_the_first_minute_is_closed(store, clock):
    await one(store, "a", asks(1))
    clock.set(monotonic=20.0)
    early = await one(store, "a", asks(1))
    assert (early.granted, early.ends_in) == ((0,), 40.0)
    clock.set(monotonic=61.0)
    assert (await one(store, "a", asks(100))).granted == (100,)


async def test_a_share_is_held_until_it_lapses_and_counts_a_tail_longer(store, clock):
    share = {"period": None, "tail": 60.0}
    assert (await one(store, "a", asks(80, **share))).held == 80
    assert (await one(store, "b", asks(30, **share))).granted == (0,)
    clock.set(monotonic=1_030.0 + 4.0)
    assert (await one(store, "a", asks(**share))).held == 80
    clock.set(monotonic=1_030.0 + 4.0 + 64.9)
    assert (await one(store, "b", asks(30, **share))).granted == (0,)
    clock.set(monotonic=1_030.0 + 4.0 + 65.0)
    assert (await one(store, "b", asks(100, **share))).granted == (100,)


async def test_a_share_can_be_given_back_and_left(store):
    await one(store, "a", asks(80, period=None))
    assert (await one(store, "a", asks(period=None, given=50))).held == 30
    assert (await one(store, "b", asks(70, period=None))).granted == (70,)
    await store.leave("b")
    assert (await one(store, "a", asks(70, period=None))).held == 100


async def test_turns_go_round_among_tenants_of_all_workers(store):
    """One slot. It is the flood's; then it is the turn of whoever was served longest ago, wherever they wait."""
    slot = {"period": None, "limit": 1, "waits": True}
    flood, calm = Demand(1, 1, "flood"), Demand(1, 1, "calm")
    assert (await one(store, "a", asks(flood, flood, **slot))).granted == (1, 0)
    waiting = await one(store, "b", asks(calm, **slot))
    assert (waiting.granted, waiting.others) == ((0,), True)
    back = await one(store, "a", asks(flood, given=1, **slot))
    assert (back.granted, back.others) == ((0,), True)
    assert (await one(store, "b", asks(calm, **slot))).granted == (1,)
    assert (await one(store, "b", asks(calm, given=1, **slot))).granted == (0,)
    assert (await one(store, "a", asks(flood, **slot))).granted == (1,)


async def test_who_gave_up_waiting_is_waited_for_no_longer(store, clock):
    slot = {"period": None, "limit": 1, "waits": True}
    await one(store, "a", asks(Demand(1, 1, "flood"), **slot))
    await one(store, "b", asks(Demand(1, 1, "calm"), **slot))
    clock.set(monotonic=clock.monotonic() + 0.3)
    assert (await one(store, "a", asks(Demand(1, 1, "flood"), given=1, **slot))).granted == (1,)


async def test_many_at_once_get_what_there_is(store):
    grants = await asyncio.gather(*(one(store, f"w{index}", asks(7)) for index in range(30)))
    assert sum(sum(grant.granted) for grant in grants) == 98


async def test_what_counts_no_longer_is_forgotten(store, clock):
    await one(store, "a", asks(100))
    await one(store, "a", asks(100, period=Period.DAY, counter="d"))
    await one(store, "a", asks(100, period=None, counter="s", tail=60.0))
    clock.set(monotonic=2_000.0, unix=clock.unix() + 86_400.0)
    await store.prune()
    clock.set(unix=clock.unix() - 86_400.0)
    assert (await one(store, "b", asks(1, period=Period.DAY, counter="d"))).granted == (0,)
    assert (await one(store, "b", asks(100, period=None, counter="s"))).granted == (100,)
    clock.set(unix=clock.unix() + KEPT + 86_400.0)
    await store.prune()
    assert (await one(store, "b", asks(100, period=Period.DAY, counter="d"))).granted == (100,)

"""Leases: how seldom the store is asked, what is kept and given back, and what becomes of those who wait."""

import asyncio
from collections.abc import Sequence
from typing import Self

import pytest

from forehearth.accounting.counted import Counted, Denied, Hold
from forehearth.accounting.leases import DENIED, IDLE, ROUND, Lease, Leases
from forehearth.core.counter import Ask, Demand, Grant
from forehearth.core.document import StoreFailed
from forehearth.core.windows import Period
from forehearth.stores.memory_counters import MemoryCounters
from tests.unit.accounting.virtual_time import Clock, run

MINUTE = Counted(counter="c", limit=10_000, period=Period.MINUTE)


class Asked(MemoryCounters):
    """A store that keeps what it was asked, takes a moment to answer, and may fail."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asks: list[Ask] = []
        self.failure: StoreFailed | None = None

    async def exchange(self, worker: str, asks: Sequence[Ask]) -> list[Grant]:
        self.asks += asks
        await asyncio.sleep(0.001)
        if self.failure is not None:
            raise self.failure
        return await super().exchange(worker, asks)

    @property
    def demands(self) -> int:
        """Questions for somebody who waited."""
        return sum(bool(ask.demands) for ask in self.asks)


class Bench:
    """A worker with one lease. To be entered."""

    def __init__(self, clock: Clock, counted: Counted = MINUTE, store: Asked | None = None, worker: str = "a") -> None:
        self.clock = clock
        self.store = store or Asked(clock)
        self.leases = Leases(self.store, clock, worker=worker, workers=2)
        self._counted = counted

    @property
    def lease(self) -> Lease:
        return self.leases.lease(self._counted, "x")

    async def __aenter__(self) -> Self:
        await self.leases.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leases.__aexit__()

    async def take(self, amount: int, *, patience: float = 0.0, tenant: str = "t") -> Hold:
        until = self.clock.monotonic() + patience if patience else float("-inf")
        return await self.lease.wait(Demand(amount, amount, tenant), until)

    async def left(self) -> int:
        """What the store has."""
        (grant,) = await MemoryCounters.exchange(
            self.store, "x", [Ask(counter="c x", period=Period.MINUTE, limit=10_000)]
        )
        return grant.left


def test_what_is_to_spare_is_spent_without_asking() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            await bench.take(10)
            for _ in range(9):
                assert bench.lease.take(10, clock.monotonic()) is not None
            assert len(bench.store.asks) == 1
            assert bench.lease.take(10, clock.monotonic()) is None

    run(work)


def test_one_question_serves_all_who_wait() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            first = asyncio.create_task(bench.take(100))
            await asyncio.sleep(0)
            others = [asyncio.create_task(bench.take(100)) for _ in range(50)]
            await asyncio.gather(first, *others)
            assert bench.store.demands == 2

    run(work)


def test_a_denial_is_remembered_for_a_moment() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            await bench.take(9_950)
            for _ in range(20):
                with pytest.raises(Denied) as denied:
                    await bench.take(100)
            assert bench.store.demands == 2
            assert 0 <= denied.value.left <= 50
            assert denied.value.frees_in == pytest.approx(20.0, abs=0.1)
            await asyncio.sleep(DENIED + 0.001)
            with pytest.raises(Denied):
                await bench.take(100)
            assert bench.store.demands == 3

    run(work)


def test_what_calls_give_back_goes_back_to_the_store() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            hold = await bench.take(5_000)
            hold.settle(1_000)
            assert bench.lease.left() > 8_000
            await asyncio.sleep(2 * ROUND)
            assert await bench.left() == 10_000 - 1_000 - 100
            await asyncio.sleep(IDLE + 2 * ROUND)
            assert await bench.left() == 9_000
            asked = len(bench.store.asks)
            await asyncio.sleep(10.0)
            assert len(bench.store.asks) == asked

    run(work, monotonic=1_020.0)


def test_more_than_was_taken_is_counted_too() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            hold = await bench.take(1_000)
            hold.settle(3_000)
            await asyncio.sleep(IDLE + 2 * ROUND)
            assert await bench.left() == 7_000

    run(work, monotonic=1_020.0)


def test_leaving_gives_everything_back() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            (await bench.take(500)).settle(200)
        assert await bench.left() == 9_800

    run(work, monotonic=1_020.0)


def test_who_waits_gets_what_another_worker_gives_back() -> None:
    async def work(clock: Clock) -> None:
        store = Asked(clock)
        counted = Counted(counter="c", limit=10_000, period=Period.MINUTE, waits=True)
        async with Bench(clock, counted, store) as one, Bench(clock, counted, store, "b") as other:
            hold = await one.take(10_000)
            waiting = asyncio.create_task(other.take(6_000, patience=5.0))
            await asyncio.sleep(1.0)
            assert not waiting.done()
            hold.settle(4_000)
            assert (await waiting).amount == 6_000
            assert clock.monotonic() < 1_022.0

    run(work, monotonic=1_020.0)


def test_patience_ends() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock, Counted(counter="c", limit=2, waits=True)) as bench:
            hold = await bench.take(2)
            with pytest.raises(Denied):
                await bench.take(1, patience=3.0)
            assert clock.monotonic() == pytest.approx(1_003.0, abs=0.1)
            hold.settle(0)
            assert bench.lease.take(1, clock.monotonic()) or await bench.take(1)

    run(work)


def test_who_leaves_while_waiting_leaves_nothing_behind() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock, Counted(counter="c", limit=2, waits=True)) as bench:
            hold = await bench.take(2)
            gone = asyncio.create_task(bench.take(2, patience=60.0))
            await asyncio.sleep(0.2)
            gone.cancel()
            hold.settle(0)
            assert (await bench.take(2, patience=1.0)).amount == 2

    run(work)


def test_a_grant_for_somebody_who_left_at_that_moment_is_not_lost() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            gone = asyncio.create_task(bench.take(10_000))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert bench.store.asks
            gone.cancel()
            await asyncio.sleep(IDLE + 2 * ROUND)
            assert await bench.left() == 10_000

    run(work, monotonic=1_020.0)


def test_a_share_in_use_is_made_to_last() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock, Counted(counter="c", limit=2)) as bench:
            hold = await bench.take(2)
            await asyncio.sleep(60.0)
            with pytest.raises(Denied):
                await Bench(clock, Counted(counter="c", limit=2), bench.store, "b").take(1)
            hold.settle(0)

    run(work)


def test_a_store_that_fails_is_told_to_who_waits_and_the_keeper_goes_on() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            hold = await bench.take(5_000)
            bench.store.failure = StoreFailed("away")
            with pytest.raises(StoreFailed):
                await asyncio.gather(bench.take(9_000), bench.take(9_000))
            hold.settle(0)
            await asyncio.sleep(1.0)
            bench.store.failure = None
            assert (await bench.take(3_000)).amount == 3_000

    run(work, monotonic=1_020.0)


def test_a_hold_is_taken_anew_where_its_window_is_over() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            hold = await bench.take(5_000)
            assert hold.renew()
            await asyncio.sleep(1.5)
            assert not hold.renew()
            assert hold.amount == 0
            other = await bench.take(100)
            hold.settle(0)
            assert other.renew()
            await asyncio.sleep(2 * ROUND)
            assert await bench.left() == 10_000 - 100

    run(work, monotonic=1_079.0)


def test_leases_that_nobody_uses_are_forgotten() -> None:
    async def work(clock: Clock) -> None:
        async with Bench(clock) as bench:
            for index in range(100):
                (await bench.leases.lease(MINUTE, str(index)).wait(Demand(1, 1))).settle(1)
            await asyncio.sleep(130.0)
            (await bench.take(1)).settle(1)
            await asyncio.sleep(1.0)
            assert len(bench.leases._leases) <= 1

    run(work)

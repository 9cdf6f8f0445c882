"""Where calls wait, turns go round among tenants: one at fifty times its share takes nothing from the other."""

import asyncio
import random

import pytest

from forehearth.core.errors import TooManyRequests
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import LimitSettings
from forehearth.stores.memory_counters import MemoryCounters
from tests.unit.accounting.limited import Cluster, Host, a_call
from tests.unit.accounting.virtual_time import Clock, run

LONGEST = 2.0
"""Seconds of the longest call."""


@pytest.mark.parametrize(("workers", "theirs"), [(1, (0,)), (2, (0,)), (4, (1, 2))])
def test_a_tenant_at_fifty_times_its_share(workers: int, theirs: tuple[int, ...]) -> None:
    """Four calls at a time; the flood comes to all workers, the other's calls only to some of them."""
    host = Host(random.Random(workers), seconds=(0.5, LONGEST))
    settings = LimitSettings(concurrent_calls=4, wait_up_to=30.0)
    waits: list[float] = []
    refused: dict[str, int] = {"flood": 0, "calm": 0}
    answered: dict[str, int] = {"flood": 0, "calm": 0}

    async def simulate(clock: Clock) -> None:
        async def caller(who: str, index: int, pause: float) -> None:
            await clock.sleep(host.dice.random())
            while clock.monotonic() < 1_030.0:
                call = a_call(who=who, max_tokens=10)
                answer = await cluster.workers[index % workers].call(call)
                counted = answered if isinstance(answer, Reply) else refused
                counted[who] += 1
                if who == "calm":
                    waits.append(call.record.queued)
                await clock.sleep(pause if isinstance(answer, Reply) else 1.0)

        async with Cluster(MemoryCounters(clock), clock, host, settings, workers=workers) as cluster:
            flood = [caller("flood", index, 0.0) for index in range(100)]
            calm = [caller("calm", theirs[index % len(theirs)], 0.2) for index in range(2)]
            await asyncio.gather(*flood, *calm)

    run(simulate)
    assert host.most_in_flight == 4
    assert refused["calm"] == 0
    assert answered["flood"] > answered["calm"] > 20
    # One turn: until the next call ends, and a moment until all workers know that somebody waits.
    assert max(waits) < LONGEST + 0.3
    assert sum(waits) / len(waits) < 0.6


@pytest.mark.parametrize("workers", [1, 2])
def test_tokens_of_a_minute_go_round_too(workers: int) -> None:
    """A flood has used up the minute, and its queue is long. With the next one everybody has a turn at once."""
    host = Host(random.Random(3))
    settings = LimitSettings(tokens_per_minute=3_000, wait_up_to=90.0)
    served: list[str] = []

    async def simulate(clock: Clock) -> None:
        async def one(who: str, index: int) -> None:
            answer = await cluster.workers[index % workers].call(a_call(who=who, max_tokens=200))
            if isinstance(answer, Reply) and clock.monotonic() >= 1_080.0:
                served.append(who)

        async with Cluster(MemoryCounters(clock), clock, host, settings, workers=workers) as cluster:
            flood = [asyncio.create_task(one("flood", index)) for index in range(100)]
            await clock.sleep(10.0)
            calm = [asyncio.create_task(one("calm", 0)) for _ in range(4)]
            await clock.sleep(75.0)
            assert all(task.done() for task in calm)
            for task in flood:
                task.cancel()
            await asyncio.gather(*flood, return_exceptions=True)

    run(simulate, monotonic=1_050.0)
    assert served.count("calm") == 4
    assert host.most_in_fixed_minutes() <= 3_000


def test_a_queue_that_is_full_is_the_flooders_own() -> None:
    host = Host(random.Random(4), seconds=(5.0, 6.0))
    settings = LimitSettings(concurrent_calls=1, wait_up_to=600.0)

    async def simulate(clock: Clock) -> tuple[int, Reply | Exception]:
        async with Cluster(MemoryCounters(clock), clock, host, settings) as cluster:
            worker = cluster.workers[0]
            flood = [asyncio.create_task(worker.call(a_call(who="flood", max_tokens=1))) for _ in range(1_100)]
            await clock.sleep(0.1)
            refused = sum(task.done() and isinstance(task.result(), TooManyRequests) for task in flood)
            answer = await worker.call(a_call(who="calm", max_tokens=1))
            for task in flood:
                task.cancel()
            await asyncio.gather(*flood, return_exceptions=True)
            return refused, answer

    refused, answer = run(simulate)
    assert 50 <= refused < 1_100
    assert isinstance(answer, Reply)


class Queue:
    """Two workers, eight calls at a time of half a second each, and tenants who call as often as they are told to."""

    def __init__(self, **limit: object) -> None:
        self.host = Host(random.Random(1), seconds=(0.5, 0.5))
        self.settings = LimitSettings(concurrent_calls=8, wait_up_to=30.0, **limit)
        self.waits: dict[str, list[float]] = {}
        self.answered: dict[str, int] = {}

    def run(self, seconds: float, **per_second: float) -> None:
        """Each tenant calls at its pace; those that wait at the end are left."""

        async def one(cluster: Cluster, who: str) -> None:
            call = a_call(who=who, max_tokens=10)
            answer = await cluster.workers[self.host.dice.randrange(2)].call(call)
            self.answered[who] = self.answered.get(who, 0) + isinstance(answer, Reply)
            self.waits.setdefault(who, []).append(call.record.queued)

        async def tenant(cluster: Cluster, clock: Clock, who: str, pace: float) -> None:
            calls = []
            for _ in range(int(seconds * pace)):
                calls.append(asyncio.create_task(one(cluster, who)))
                await clock.sleep(1 / pace)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

        async def simulate(clock: Clock) -> None:
            async with Cluster(MemoryCounters(clock), clock, self.host, self.settings, workers=2) as cluster:
                await asyncio.gather(*(tenant(cluster, clock, *each) for each in per_second.items()))

        run(simulate)


def test_who_was_here_lately_finds_a_place_that_is_kept_free() -> None:
    """The first call finds the flood's calls everywhere and waits a turn; those after it do not wait."""
    queue, without = Queue(), Queue(kept_free=0)
    for each in (queue, without):
        each.run(10.0, flood=24, calm=1.3)
        assert each.host.most_in_flight == 8
    assert max(queue.waits["calm"][1:]) < 0.02
    assert max(without.waits["calm"]) > 0.2
    # It costs one place of eight while the other is around, and not more.
    assert without.answered["flood"] * 7 / 8 * 0.97 < queue.answered["flood"] < without.answered["flood"]


def test_nothing_is_kept_free_from_who_is_alone_or_for_who_waits_as_well() -> None:
    alone, both, neither = Queue(), Queue(), Queue(kept_free=0)
    alone.run(5.0, flood=24)
    both.run(5.0, one=12, other=12)
    neither.run(5.0, one=12, other=12)
    whole = sum(neither.answered.values())
    assert alone.answered["flood"] >= whole * 0.97
    assert sum(both.answered.values()) >= whole * 0.97
    assert abs(both.answered["one"] - both.answered["other"]) <= 8

"""Limits are exact: many callers, several workers, all kinds of windows, against a host that keeps its own count.

`FOREHEARTH_LIMIT_SEEDS=20` runs every cell with so many seeds; without it there is one for each of a few cells.
"""

import asyncio
import os
import random
from collections.abc import Sequence

import pytest

from forehearth.core.counter import Ask, Grant
from forehearth.core.errors import ForehearthError, TooManyRequests
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import LimitSettings
from forehearth.stores import counting
from forehearth.stores.counting import CounterState
from forehearth.stores.memory_counters import MemoryCounters
from tests.unit.accounting.limited import Cluster, Host, a_call
from tests.unit.accounting.virtual_time import Clock, run

SEEDS = int(os.environ.get("FOREHEARTH_LIMIT_SEEDS", "0"))
CALLERS, CALLS = 200, 50
WORKERS = (1, 2, 4, 8) if SEEDS else (1, 8)
CELLS = [
    (seed, workers, max_tokens)
    for seed in range(SEEDS or 1)
    for workers in WORKERS
    for max_tokens in ((200, None) if SEEDS else (200,))
]
OVERHEAD = 64


def bound(max_tokens: int | None) -> int:
    """What one call reserves."""
    call = a_call(max_tokens=max_tokens)
    return len(call.body) + OVERHEAD + (4_096 if max_tokens is None else max_tokens)


async def storm(cluster: Cluster, max_tokens: int | None, until: float, callers: int = CALLERS) -> None:
    """Everybody calls, comes back when refused, and calls again when answered: there is always more than may pass."""
    clock, dice = cluster.clock, cluster.host.dice

    async def caller(index: int) -> None:
        await clock.sleep(dice.uniform(0, 2))
        while clock.monotonic() < until and index % len(cluster.workers) not in cluster.killed:
            worker = cluster.workers[index % len(cluster.workers)]
            answer = await worker.call(a_call(max_tokens=max_tokens))
            if not isinstance(answer, Reply):
                assert isinstance(answer, TooManyRequests), answer
                await clock.sleep(dice.uniform(2, 10))

    await asyncio.gather(*(caller(index) for index in range(callers)))


@pytest.mark.parametrize(("seed", "workers", "max_tokens"), CELLS)
def test_a_fixed_minute(seed: int, workers: int, max_tokens: int | None) -> None:
    host, limit = Host(random.Random(seed)), bound(max_tokens) * CALLS
    settings = LimitSettings(tokens_per_minute=limit)

    async def simulate(clock: Clock) -> None:
        async with Cluster(MemoryCounters(clock), clock, host, settings, workers=workers) as cluster:
            await storm(cluster, max_tokens, until=1_090.0)

    run(simulate, monotonic=1_045.0)
    assert host.most_in_fixed_minutes() <= limit
    # The first minute, which the callers met in its last quarter, was used up but for less than what one call needs.
    assert limit - host.used_in(1_020, 1_080) < bound(max_tokens) + limit // 100
    assert host.used_in(1_080, 1_140) > 0


@pytest.mark.parametrize(("seed", "workers", "max_tokens"), CELLS)
def test_any_sliding_minute(seed: int, workers: int, max_tokens: int | None) -> None:
    host, limit = Host(random.Random(seed)), bound(max_tokens) * CALLS
    settings = LimitSettings(tokens_per_minute=limit, window="sliding")

    async def simulate(clock: Clock) -> None:
        async with Cluster(MemoryCounters(clock), clock, host, settings, workers=workers) as cluster:
            await storm(cluster, max_tokens, until=1_125.0)

    run(simulate, monotonic=1_045.0)
    assert host.most_in_any_minute() <= limit
    # After a minute the calls of the first seconds make room again, and it is taken.
    assert limit - host.used_in(1_045, 1_105) < bound(max_tokens) + limit // 100
    assert host.used_in(1_105, 1_125) > 0


@pytest.mark.parametrize("window", ["fixed", "sliding"])
@pytest.mark.parametrize("seed", range(SEEDS or 1))
def test_a_worker_that_is_killed(seed: int, window: str) -> None:
    """What it had leased counts as used. A share of a sliding minute comes back when nobody can be using it."""
    host, limit = Host(random.Random(seed)), bound(200) * CALLS
    settings = LimitSettings(tokens_per_minute=limit, window=window)

    async def simulate(clock: Clock) -> None:
        async def murder() -> None:
            await clock.sleep(1.0 + host.dice.random())
            assert host.in_flight > 0
            cluster.kill(1)

        async with Cluster(MemoryCounters(clock), clock, host, settings, workers=4) as cluster:
            await asyncio.gather(murder(), storm(cluster, 200, until=1_152.0, callers=100))

    run(simulate, monotonic=1_022.0)
    if window == "fixed":
        assert host.most_in_fixed_minutes() <= limit
        assert limit - host.used_in(1_080, 1_140) < bound(200) + limit // 100
    else:
        assert host.most_in_any_minute() <= limit
        # 91 s after its end its share is there for the others.
        assert host.used_in(1_092, 1_152) > limit * 9 // 10


@pytest.mark.parametrize("seed", range(SEEDS or 1))
def test_clock_steps(seed: int) -> None:
    """A minute is a minute whatever the calendar says; and an hour that is over never comes again."""
    host, limit = Host(random.Random(seed)), bound(200) * CALLS
    settings = (LimitSettings(tokens_per_minute=limit), LimitSettings(tokens_per_hour=limit // 3))
    steps = (3_600.0, -3_600.0, 86_400.0, -86_400.0, -1_800.0, 1_800.0)
    fired: list[float] = []
    hours: dict[int, int] = {}

    async def simulate(clock: Clock) -> None:
        async def caller(index: int) -> None:
            await clock.sleep(host.dice.uniform(0, 2))
            while clock.monotonic() < 1_222.0:
                answer = await cluster.workers[index % 4].call(a_call(max_tokens=200))
                if isinstance(answer, ForehearthError):
                    await clock.sleep(host.dice.uniform(2, 8))

        async def hands() -> None:
            for seconds in steps:
                await clock.sleep(25 + host.dice.random())
                clock.step(seconds)
                fired.append(seconds)

        def note(tokens: int) -> None:
            """Which hour it is for a call: the latest that there ever was."""
            hour = max([int(clock.unix() // 3_600), *hours])
            hours[hour] = hours.get(hour, 0) + tokens

        host.on_call = note
        async with Cluster(MemoryCounters(clock), clock, host, *settings, workers=4) as cluster:
            await asyncio.gather(hands(), *(caller(index) for index in range(60)))

    run(simulate, monotonic=1_022.0)
    assert len(fired) == len(steps)
    assert host.most_in_fixed_minutes() <= limit
    assert len(hours) >= 3
    assert max(hours.values()) <= limit // 3


class Careless:
    """A counter store that reads, and writes a little later what it made of that: the mistake that limiters make."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, CounterState] = {}

    async def exchange(self, worker: str, asks: Sequence[Ask]) -> list[Grant]:
        grants = []
        for ask in asks:
            known = self._states.get(ask.counter, CounterState())
            read = CounterState(period=known.period, window=known.window, ends=known.ends, taken=known.taken)
            await self._clock.sleep(0.01)
            grants.append(counting.answer(read, ask, worker, self._clock))
            self._states[ask.counter] = read
        return grants

    async def leave(self, worker: str) -> None:
        """It has no shares."""

    async def prune(self) -> None:
        """It never does."""


def test_a_broken_limiter_is_noticed() -> None:
    host, limit = Host(random.Random(1)), bound(200) * CALLS

    async def simulate(clock: Clock) -> None:
        settings = LimitSettings(tokens_per_minute=limit)
        async with Cluster(Careless(clock), clock, host, settings, workers=8) as cluster:
            await storm(cluster, 200, until=1_060.0)

    run(simulate, monotonic=1_045.0)
    assert host.most_in_fixed_minutes() > limit

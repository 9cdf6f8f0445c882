"""Workers that share a limit, simulated on a virtual clock: what each window let pass, beside what it may.

Many callers come again and again, so that there is always more than may pass. The host honours the bound that it is
sent, and keeps its own count; the limits are judged by that count alone.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from forehearth.core.counter import Ask, Grant
from forehearth.core.errors import ForehearthError, TooManyRequests
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import LimitSettings
from forehearth.ports.counters import CounterStore
from forehearth.stores import counting
from forehearth.stores.counting import CounterState
from forehearth.stores.memory_counters import MemoryCounters
from tests.unit.accounting.limited import Cluster, Host, a_call
from tests.unit.accounting.virtual_time import Clock, run

CALLERS, CALLS = 200, 50
OVERHEAD, OUTPUT = 64, 4_096
Window = Literal["fixed", "sliding"]
STEPS = (3_600.0, -3_600.0, 86_400.0, -86_400.0, -1_800.0, 1_800.0)
"""Seconds by which the calendar is set, one after the other."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulation let pass. Tokens."""

    limit: int
    need: int
    """What one call reserves: less than that may be left over."""
    most: int
    """What passed in the fullest window: of all offsets, where it slides."""
    first: int
    """What passed in the first window, which there was always too much for."""
    later: int
    """What passed after it, or after a fault."""
    calls: int

    @property
    def over(self) -> int:
        """Tokens above the limit."""
        return max(0, self.most - self.limit)

    @property
    def under(self) -> float:
        """The share of the limit that was refused to callers though a whole call would have fitted."""
        return max(0, self.limit - self.first - self.need) / self.limit


def bound(max_tokens: int | None) -> int:
    """What one call reserves."""
    return len(a_call(max_tokens=max_tokens).body) + OVERHEAD + (OUTPUT if max_tokens is None else max_tokens)


async def storm(cluster: Cluster, max_tokens: int | None, until: float, callers: int = CALLERS) -> None:
    """Everybody calls, comes back when refused, and calls again when answered."""
    clock, dice = cluster.clock, cluster.host.dice

    async def caller(index: int) -> None:
        await clock.sleep(dice.uniform(0, 2))
        while clock.monotonic() < until and index % len(cluster.workers) not in cluster.killed:
            worker = cluster.workers[index % len(cluster.workers)]
            answer = await worker.call(a_call(max_tokens=max_tokens))
            if not isinstance(answer, Reply):
                assert isinstance(answer, TooManyRequests), answer  # noqa: S101 - anything else is no refusal
                await clock.sleep(dice.uniform(2, 10))

    await asyncio.gather(*(caller(index) for index in range(callers)))


def minute(
    seed: int,
    workers: int,
    max_tokens: int | None,
    window: Window,
    store: Callable[[Clock], CounterStore] = MemoryCounters,
) -> Found:
    """A limit of tokens a minute; the callers meet a fixed one in its last quarter, and stay for the next."""
    host, limit = Host(random.Random(seed)), bound(max_tokens) * CALLS
    settings = LimitSettings(tokens_per_minute=limit, window=window)

    async def simulate(clock: Clock) -> None:
        async with Cluster(store(clock), clock, host, settings, workers=workers) as cluster:
            await storm(cluster, max_tokens, until=1_090.0 if window == "fixed" else 1_125.0)

    run(simulate, monotonic=1_045.0)
    fixed = window == "fixed"
    return Found(
        limit=limit,
        need=bound(max_tokens),
        most=host.most_in_fixed_minutes() if fixed else host.most_in_any_minute(),
        first=host.used_in(1_020, 1_080) if fixed else host.used_in(1_045, 1_105),
        later=host.used_in(1_080, 1_140) if fixed else host.used_in(1_105, 1_125),
        calls=len(host.log),
    )


def killed(seed: int, window: Window) -> Found:
    """One of four workers is killed while it has calls under way; `first` is the window after that.

    What it had leased counts as used. A share of a sliding minute comes back when nobody can be using it, which is
    91 seconds after its end.
    """
    host, limit = Host(random.Random(seed)), bound(200) * CALLS
    settings = LimitSettings(tokens_per_minute=limit, window=window)

    async def simulate(clock: Clock) -> None:
        async def murder() -> None:
            await clock.sleep(1.0 + host.dice.random())
            if not host.in_flight:
                raise RuntimeError("nothing was under way")
            cluster.kill(1)

        async with Cluster(MemoryCounters(clock), clock, host, settings, workers=4) as cluster:
            await asyncio.gather(murder(), storm(cluster, 200, until=1_152.0, callers=100))

    run(simulate, monotonic=1_022.0)
    fixed = window == "fixed"
    return Found(
        limit=limit,
        need=bound(200),
        most=host.most_in_fixed_minutes() if fixed else host.most_in_any_minute(),
        first=host.used_in(1_080, 1_140) if fixed else host.used_in(1_092, 1_152),
        later=host.used_in(1_080, 1_140),
        calls=len(host.log),
    )


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """What passed while the calendar was set ahead and back."""

    minute: Found
    hour_limit: int
    hours: dict[int, int]
    """Tokens by hour. An hour that is over never comes again: what passes then counts in the latest there was."""
    fired: tuple[float, ...]


def steps(seed: int) -> Stepped:
    """A limit a minute and one an hour, and a calendar that is set by hours and days."""
    host, limit = Host(random.Random(seed)), bound(200) * CALLS
    settings = (LimitSettings(tokens_per_minute=limit), LimitSettings(tokens_per_hour=limit // 3))
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
            for seconds in STEPS:
                await clock.sleep(25 + host.dice.random())
                clock.step(seconds)
                fired.append(seconds)

        def note(tokens: int) -> None:
            hour = max([int(clock.unix() // 3_600), *hours])
            hours[hour] = hours.get(hour, 0) + tokens

        host.on_call = note
        async with Cluster(MemoryCounters(clock), clock, host, *settings, workers=4) as cluster:
            await asyncio.gather(hands(), *(caller(index) for index in range(60)))

    run(simulate, monotonic=1_022.0)
    used = host.most_in_fixed_minutes()
    found = Found(limit=limit, need=bound(200), most=used, first=used, later=used, calls=len(host.log))
    return Stepped(minute=found, hour_limit=limit // 3, hours=hours, fired=tuple(fired))


class Careless:
    """A counter store that reads, and writes a little later what it made of that: the mistake that limiters make."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, CounterState] = {}

    async def exchange(self, worker: str, asks: Sequence[Ask]) -> list[Grant]:
        """See `ports.counters`; several at once read the same, and the last one's word is kept."""
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

"""One worker's leases of the shared counters: calls are answered from memory, and the store is asked in between.

    take    what is leased and free, at once; the way of nearly every call
    wait    in a fair queue, until the store has granted more, or has none. One question at a time goes to the store for
            each counter, for all who wait; a refusal is remembered for a moment
    keep    what ended calls gave back, and what has been idle, goes back to the store within a moment; shares that are
            in use are made to last

So what a worker holds without using it is bounded: one hundredth of the limit (`SPARE`) until it has been idle for
`IDLE` seconds, and besides that for `ROUND` seconds what calls gave back that ended below their bound.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Self

import msgspec

from forehearth.accounting.counted import Counted, Denied, Hold
from forehearth.accounting.counters import Holding, LaidDown, Sliding, Slots, Windowed
from forehearth.accounting.turns import Turns
from forehearth.core.clock import Clock
from forehearth.core.counter import Ask, Demand, Grant
from forehearth.core.document import StoreFailed
from forehearth.ports.counters import CounterStore

SPARE = 100
"""A worker leases at most this part of a limit beyond what it needs."""
IDLE = 0.25
"""Seconds after which a lease that nobody took from is given back."""
ROUND = 0.05
"""Seconds between two looks at what can be given back, and between two questions of those who wait."""
DENIED = 0.03
"""Seconds for which it is remembered that there was nothing left."""
RENEW = 4
"""A share in use is made to last when this part of its time is over."""
PRUNE = 60.0
"""Seconds between two looks at what can be forgotten."""
TOGETHER = 256
"""Demands in one question, and counters in one exchange."""
FEW = 16
"""Demands in one question while there is nothing: those whose turn it is."""
LONGEST_LINE = 1_000
"""Calls of one tenant that wait for one counter; further ones are refused at once."""

Sleep = Callable[[float], Awaitable[None]]
_log = logging.getLogger("forehearth.limits")


class _Waiting:
    """A call in the queue, up to a time on the monotonic clock."""

    __slots__ = ("asked", "demand", "taken", "until")

    def __init__(self, demand: Demand, until: float) -> None:
        self.demand = demand
        self.until = until
        self.asked = False
        self.taken: asyncio.Future[Hold] = asyncio.get_running_loop().create_future()


class Lease:
    """What this worker holds of one counter."""

    def __init__(self, counted: Counted, leases: "Leases") -> None:
        self._counted = counted
        self._leases = leases
        self._clock = leases.clock
        self._holding = _holding(counted, leases.clock)
        self.frees_in = self._holding.frees_in
        """Seconds until so much may be free, as far as this worker knows: `(amount, now)`."""
        self._turns: Turns[_Waiting] = Turns()
        self._pump: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._contended = False
        self._denied_until = -math.inf
        self._denied: frozenset[str] = frozenset()
        self._left, self._kept = counted.limit, 0
        self._together = TOGETHER
        self._taken_at = self._asked_at = -math.inf
        self.is_watched = False
        """Whether the keeper looks after it."""
        self.lock = asyncio.Lock()
        """Held by whoever asks the store about this counter."""

    def take(self, amount: int, now: float, *, in_turn: bool = False) -> Hold | None:
        """What is free here, at once; None where it is not enough, or others come first, unless it is `in_turn`."""
        if (self._contended or self._pump is not None) and not in_turn:
            return None
        holding = self._holding
        left = holding.spend(amount, now)
        if left is None:
            return None
        self._taken_at = now
        if not self.is_watched:
            self._leases.watch(self)
        return Hold(self, amount, holding.stamp, self._left + left)

    def may_have(self, amount: int, now: float) -> bool:
        """Whether so much is free here, or the store may have it: no refusal is remembered."""
        return self._holding.free(now) >= amount or now >= self._denied_until or amount <= self.left()

    def _room(self, demand: Demand) -> int:
        """What is left for a demand: what is kept free is not for tenants who were just denied it."""
        return self.left() - (self._kept if demand.tenant in self._denied else 0)

    async def wait(self, demand: Demand, until: float = -math.inf) -> Hold:
        """The same, after the store was asked, and in turn; until that time (monotonic) where there is not enough now.

        Raises `Denied`, or `StoreFailed`.
        """
        now = self._clock.monotonic()
        if (hold := self.take(demand.need, now)) is not None:
            return hold
        is_patient = until > now
        if not is_patient and not self._turns and self._is_known_to_lack(demand):
            raise self.denied(demand)
        if is_patient and self._turns.length(demand.tenant) >= LONGEST_LINE:
            raise self.denied(demand)
        waiting = _Waiting(demand, until)
        self._turns.add(demand.tenant, waiting)
        self._stirred.set()
        if self._pump is None:
            self._pump = self._leases.begin(self._serve_all())
        try:
            return await waiting.taken
        except asyncio.CancelledError:
            if waiting.taken.cancelled():
                self._turns.remove(demand.tenant, waiting)
                self._stirred.set()
            elif waiting.taken.exception() is None:
                waiting.taken.result().settle(0)
            raise

    def give(self, amount: int, stamp: float) -> None:
        """Take back some of what was taken then."""
        self._holding.give(amount, stamp)
        if not self.is_watched:
            self._leases.watch(self)
        if self._pump is not None:
            self._stirred.set()

    def retake(self, amount: int, stamp: float) -> float | None:
        """Let what was taken then count from now on; None, and it is given back, where that does not fit."""
        now = self._clock.monotonic()
        if self._holding.counts(stamp, now):
            return stamp
        self.give(amount, stamp)
        return self._holding.take(amount, now) if self._holding.free(now) >= amount else None

    def left(self) -> int:
        """What is left of the limit, as far as this worker knows."""
        return max(0, self._left + self._holding.free(self._clock.monotonic()))

    def denied(self, demand: Demand) -> Denied:
        """That there is not enough for it, as it is now."""
        return Denied(self.left(), self.frees_in(demand.least, self._clock.monotonic()))

    def is_idle(self) -> bool:
        """Whether there is nothing to look after: nothing free, nothing owed, nobody waits, and no share is in use."""
        now, holding = self._clock.monotonic(), self._holding
        return not self._turns and holding.free(now) == 0 and not holding.in_use(now)

    def in_passing(self) -> Ask | None:
        """What there is to tell the store although no call waits: surplus, debts, a share that has to last."""
        now = self._clock.monotonic()
        since_taken = now - self._taken_at
        keep = 0 if since_taken >= IDLE else self._counted.limit // SPARE
        free, in_use = self._holding.free(now), self._holding.in_use(now)
        is_due = in_use > 0 and now - self._asked_at >= self._holding.lasts / RENEW
        looks = self._counted.waits and (in_use > 0 or since_taken < IDLE)
        if self._turns or not (free > keep or free < 0 or is_due or looks):
            return None
        return self._ask((), self._holding.lay_down(now, keep))

    def last_words(self) -> Ask | None:
        """What there is to give back, and what is owed, when nothing more will be taken."""
        laid_down = self._holding.lay_down(self._clock.monotonic())
        return self._ask((), laid_down) if laid_down.given or laid_down.over else None

    def heard(self, grant: Grant, asked: float) -> None:
        """The store's answer to a question of that time."""
        self._holding.pick_up(grant, asked)
        self._left, self._kept, self._contended, self._asked_at = grant.left, grant.kept, grant.others, asked
        self._leases.watch(self)

    async def _serve_all(self) -> None:
        """As long as somebody waits: ask, hand out, refuse who does not wait any longer, and pause."""
        try:
            while self._turns:
                self._stirred.clear()
                if self._may_ask():
                    await self._ask_for_all()
                self._refuse()
                if self._turns:
                    await self._pause()
        except Exception as error:  # noqa: BLE001 - a border: it is raised where it is waited for
            for waiting in list(self._turns):
                self._end(waiting, error)
        finally:
            self._pump = None

    def _may_ask(self) -> bool:
        return (
            self._clock.monotonic() >= self._denied_until
            or self._holding.free(self._clock.monotonic()) > 0
            or any(waiting.demand.least <= self._room(waiting.demand) for waiting in self._turns)
        )

    async def _ask_for_all(self) -> None:
        """One question to the store, for those whose turn it is; what it grants is handed out."""
        async with self.lock:
            asked = self._clock.monotonic()
            asked_for = self._next(asked)
            ask = self._ask(tuple(each.demand for each in asked_for), self._holding.lay_down(asked))
            (grant,) = await self._leases.exchange([ask])
            self.heard(grant, asked)
        now = self._clock.monotonic()
        if not all(grant.granted):
            self._denied_until = now + DENIED
            denied = zip(asked_for, grant.granted, strict=True)
            self._denied = frozenset(each.demand.tenant for each, amount in denied if not amount)
        self._together = TOGETHER if any(grant.granted) else FEW
        for waiting, amount in zip(asked_for, grant.granted, strict=True):
            if waiting.taken.done():
                continue
            waiting.asked = amount == 0
            if amount and (hold := self.take(amount, now, in_turn=True)) is not None:
                self._turns.served(waiting.demand.tenant, waiting)
                waiting.taken.set_result(hold)

    def _next(self, now: float) -> list[_Waiting]:
        """Those whose turn it is, and those who wait no longer: without an answer they could not be refused."""
        line = list(self._turns)
        hurried = [each for each in line[self._together :] if each.until <= now]
        return [*line[: self._together], *hurried[:TOGETHER]]

    def _ask(self, demands: tuple[Demand, ...], laid_down: LaidDown) -> Ask:
        counted, holding = self._counted, self._holding
        return Ask(
            counter=counted.counter,
            period=None if counted.sliding else counted.period,
            limit=counted.limit,
            demands=demands,
            spare=counted.limit // SPARE if demands else 0,
            workers=self._leases.workers,
            given=laid_down.given,
            over=laid_down.over,
            window=laid_down.window,
            waits=counted.waits,
            kept=counted.kept,
            lasts=holding.lasts,
            tail=holding.tail,
        )

    def _is_known_to_lack(self, demand: Demand) -> bool:
        return self._clock.monotonic() < self._denied_until and demand.least > self._room(demand)

    def _refuse(self) -> None:
        now = self._clock.monotonic()
        lacks = now < self._denied_until
        for waiting in list(self._turns):
            if waiting.until <= now and (
                waiting.asked or (lacks and waiting.demand.least > self._room(waiting.demand))
            ):
                self._end(waiting, self.denied(waiting.demand))

    def _end(self, waiting: _Waiting, error: Exception) -> None:
        self._turns.remove(waiting.demand.tenant, waiting)
        if not waiting.taken.done():
            waiting.taken.set_exception(error)

    async def _pause(self) -> None:
        """Until something was given back here, or it is time to ask again."""
        soonest = min(waiting.until for waiting in self._turns) - self._clock.monotonic()
        await self._leases.sleep_until(self._stirred, min(ROUND, max(0.0, soonest)))


class Leases:
    """All of them. To be entered once, and left when no call is in flight any more: then everything is given back."""

    def __init__(
        self, store: CounterStore, clock: Clock, *, worker: str, workers: int = 1, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.clock = clock
        self.workers = workers
        self._store, self._worker, self._sleep = store, worker, sleep
        self._leases: dict[tuple[str, str], Lease] = {}
        self._watched: dict[Lease, None] = {}
        self._pumps: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._pruned = clock.monotonic()
        self.generation = 0  # rises when leases are forgotten: who remembers any asks for them anew

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._pumps, *([] if self._keeper is None else [self._keeper])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._tell([(lease, ask) for lease in self._leases.values() if (ask := lease.last_words())])
            await self._store.leave(self._worker)
        except StoreFailed as error:
            _log.warning("what this worker had leased of limits was not given back: %s", error)

    def lease(self, counted: Counted, value: str) -> Lease:
        """What this worker holds of one of the counters that are counted alike: the one for `value`."""
        found = self._leases.get((counted.counter, value))
        if found is None:
            own = msgspec.structs.replace(counted, counter=f"{counted.counter} {value}")
            found = self._leases[counted.counter, value] = Lease(own, self)
        return found

    def watch(self, lease: Lease) -> None:
        """Look after it, until it is idle."""
        lease.is_watched = True
        self._watched[lease] = None
        self._awake.set()

    def begin(self, serving: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Serve a queue."""
        task = asyncio.create_task(serving)
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)
        return task

    async def exchange(self, asks: Sequence[Ask]) -> list[Grant]:
        """Ask the store. Raises `StoreFailed`."""
        return await self._store.exchange(self._worker, asks)

    async def sleep_until(self, event: asyncio.Event, seconds: float) -> None:
        """Until it happens, for so many seconds at the most."""
        tasks = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(event.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _keep(self) -> None:
        while True:
            await self._awake.wait()
            await self._sleep(ROUND)
            try:
                await self._round()
            except StoreFailed as error:
                # What was to be given back may be lost: that much less is there until the window ends.
                _log.warning("the counters of limits cannot be reached: %s", error)
            except Exception as error:  # noqa: BLE001 - a border: leases are looked after whatever happens to one
                _log.error("the leases of limits were not looked after", exc_info=error)

    async def _round(self) -> None:
        told: list[tuple[Lease, Ask]] = []
        for lease in list(self._watched):
            if lease.lock.locked():
                continue
            ask = lease.in_passing()
            if ask is not None:
                told.append((lease, ask))
            elif lease.is_idle():
                lease.is_watched = False
                del self._watched[lease]
        if not self._watched:
            self._awake.clear()
        await self._tell(told)
        if self.clock.monotonic() - self._pruned >= PRUNE:
            self._pruned = self.clock.monotonic()
            self._leases = {name: lease for name, lease in self._leases.items() if not lease.is_idle()}
            self.generation += 1
            await self._store.prune()

    async def _tell(self, told: Sequence[tuple[Lease, Ask]]) -> None:
        for first in range(0, len(told), TOGETHER):
            some = told[first : first + TOGETHER]
            for lease, _ in some:
                await lease.lock.acquire()
            try:
                asked = self.clock.monotonic()
                grants = await self.exchange([ask for _, ask in some])
                for (lease, _), grant in zip(some, grants, strict=True):
                    lease.heard(grant, asked)
            finally:
                for lease, _ in some:
                    lease.lock.release()


def _holding(counted: Counted, clock: Clock) -> Holding:
    if counted.period is None:
        return Slots()
    return Sliding() if counted.sliding else Windowed(clock, counted.period)

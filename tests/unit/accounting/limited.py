"""Workers, callers and a model host on one virtual clock: limits as they work, and a host that keeps its own count.

The host honours the bound that it is sent. What it counts is the truth: the limits are checked against it alone.
"""

import asyncio
import functools
import json
import random
from collections.abc import Callable
from typing import Any, Self

from forehearth.accounting.budgets import Budget, PriceOf
from forehearth.accounting.leases import Leases
from forehearth.accounting.tokens import TokenBounds, TokenCounter
from forehearth.core.call import Call, Operation
from forehearth.core.errors import ForehearthError
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import LimitSettings, TokenSettings
from forehearth.core.principal import Principal
from forehearth.core.usage import Usage
from forehearth.policies.limits import HoldToLimits
from forehearth.policies.onion import Proceed, compose
from forehearth.policies.standing import LimitsOf
from forehearth.policies.usage import CountUsage
from forehearth.ports.counters import CounterStore
from tests.unit.accounting.virtual_time import Clock

MINUTE = 60.0


class Counts:
    """A `LimitMeter` and a `Meter` that keep what they are told."""

    def __init__(self) -> None:
        self.refusals: list[str] = []
        self.waits: list[float] = []
        self.excess: list[tuple[str, int]] = []
        self.usages: list[Usage] = []

    def refused(self, limit: str) -> None:
        self.refusals.append(limit)

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)

    def exceeded(self, limit: str, amount: int) -> None:
        self.excess.append((limit, amount))

    def tokens(self, deployment: str, usage: Usage) -> None:
        self.usages.append(usage)

    def request(self, *told: Any) -> None:
        """Not looked at."""

    def attempt(self, *told: Any) -> None:
        """Not looked at."""


class Host:
    """A model host. `log` has when each call was admitted, and what it used."""

    def __init__(self, dice: random.Random, *, seconds: tuple[float, float] = (0.2, 2.0)) -> None:
        self.now: Callable[[], float] = float
        self.on_call: Callable[[int], None] = lambda tokens: None
        self.dice = dice
        self.seconds = seconds
        self.log: list[tuple[float, int]] = []
        self.in_flight = self.most_in_flight = 0

    async def __call__(self, call: Call) -> Reply:
        admitted = self.now()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        asked = json.loads(call.body)
        bound = asked.get("max_tokens") or asked.get("max_completion_tokens") or 0
        prompt = self.dice.randint(1, len(call.body) // 2)
        completion = sum(self.dice.randint(bound // 3, bound) for _ in range(call.choices))
        self.log.append((admitted, prompt + completion))
        self.on_call(prompt + completion)
        try:
            await asyncio.sleep(self.dice.uniform(*self.seconds))
        finally:
            self.in_flight -= 1
        usage = {"prompt_tokens": prompt, "completion_tokens": completion}
        return Reply(status=200, body=json.dumps({"choices": [], "usage": usage}).encode())

    @property
    def used(self) -> int:
        """All tokens."""
        return sum(tokens for _, tokens in self.log)

    def most_in_fixed_minutes(self) -> int:
        """Of all minutes on the clock the one with most tokens."""
        minutes: dict[int, int] = {}
        for when, tokens in self.log:
            minutes[int(when // MINUTE)] = minutes.get(int(when // MINUTE), 0) + tokens
        return max(minutes.values(), default=0)

    def used_in(self, begins: float, ends: float) -> int:
        """Tokens of the calls that were admitted then."""
        return sum(tokens for when, tokens in self.log if begins <= when < ends)

    def most_in_any_minute(self) -> int:
        """Of all spans of 60 seconds, wherever they begin, the one with most tokens: each call begins one."""
        most, used, first = 0, 0, 0
        log = sorted(self.log)
        for when, tokens in log:
            used += tokens
            while log[first][0] <= when - MINUTE:
                used -= log[first][1]
                first += 1
            most = max(most, used)
        return most


class Worker:
    """One worker process, as far as limits go."""

    def __init__(self, onion: Proceed, leases: Leases, counts: Counts) -> None:
        self.onion = onion
        self.leases = leases
        self.counts = counts

    async def call(self, call: Call) -> Reply | ForehearthError:
        """Answer it, as the gateway would."""
        try:
            return await self.onion(call)
        except ForehearthError as error:
            return error
        finally:
            call.record.close()


class Cluster:
    """Some workers that share counters, in front of one host. To be entered. `kill` ends one as `kill -9` does."""

    def __init__(
        self,
        store: CounterStore,
        clock: Clock,
        host: Host,
        *limits: LimitSettings,
        workers: int = 1,
        tokens: TokenSettings | None = None,
        vocabulary: TokenCounter | None = None,
        price_of: PriceOf = lambda call, usage: None,
    ) -> None:
        self.host = host
        self.store = store
        self.clock = clock
        host.now = clock.monotonic
        self._limits = limits
        self._count = workers
        self._tokens = tokens or TokenSettings()
        self._vocabulary = vocabulary
        self._price_of = price_of
        self.killed: set[int] = set()
        self.workers: list[Worker] = []

    async def __aenter__(self) -> Self:
        for index in range(self._count):
            worker = self.make(f"worker-{index}")
            await worker.leases.__aenter__()
            self.workers.append(worker)
        return self

    async def __aexit__(self, *_: object) -> None:
        for index, worker in enumerate(self.workers):
            if index not in self.killed:
                await worker.leases.__aexit__()

    def kill(self, index: int) -> None:
        """Its keeper stops where it is, and nothing is given back."""
        leases = self.workers[index].leases
        assert leases._keeper is not None
        leases._keeper.cancel()
        self.killed.add(index)

    def make(self, name: str) -> Worker:
        """A worker that nobody has entered yet."""
        leases = Leases(
            self.store, self.clock, worker=name, workers=self._count, sleep=getattr(self.clock, "sleep", asyncio.sleep)
        )
        counts = Counts()
        budgets = [
            Budget(limit, resource="", section="deployments", place="chat", index=index, price_of=self._price_of)
            for index, limit in enumerate(self._limits)
            if limit.output_tokens is None
        ]
        longest = min((each.output_tokens for each in self._limits if each.output_tokens), default=None)
        tokens = TokenBounds(self._tokens, "", self._vocabulary)
        limits = LimitsOf(deployment=budgets, longest_of_deployment=longest)
        held = HoldToLimits("chat", limits, tokens=tokens, leases=leases, meter=counts)
        return Worker(compose([held, CountUsage("chat", counts, tokens=tokens)], self.host), leases, counts)


@functools.cache
def _holder(who: str) -> Principal:
    """The very same object at each call, as a server has it."""
    return Principal(name=who, kind="key", id=who)


def a_call(*, who: str = "key-1", max_tokens: int | None = 200, text: str = "hello", **rest: Any) -> Call:
    """A chat completion."""
    body: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": text}]}
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    given: dict[str, Any] = {
        "request_id": "req-1",
        "surface": "openai_v1",
        "operation": Operation.CHAT,
        "name": "chat",
        "body": json.dumps(body).encode(),
        "principal": _holder(who),
        "output": max_tokens,
        "output_members": () if max_tokens is None else ("max_tokens",),
        "started": 0.0,
    }
    return Call(**given | rest)

"""What a run may use, held to before anything is sent: a call's most is reserved, and settled to what it was."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import msgspec

from forehearth.accounting.prices import Tariff
from forehearth.core.enrichment_settings import JobLimits
from forehearth.core.money import units
from forehearth.core.usage import Usage


class LimitReached(Exception):
    """A limit leaves no room for another call. `limit` is its key in the job file."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the limit of {limit} is reached")
        self.limit = limit


class Spent(msgspec.Struct, kw_only=True):
    """What a run has used."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    """As `core.money` has it."""
    unpriced: int = 0
    """Answers whose cost is not known."""
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Of prompts and answers."""
        return self.prompt_tokens + self.completion_tokens


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a call may use."""

    tokens: int
    cost: int


class Budget:
    """Counts. `tariff` is what tokens cost, None where that is not known."""

    def __init__(self, limits: JobLimits, spent: Spent, tariff: Tariff | None, monotonic: Callable[[], float]) -> None:
        self.spent = spent
        self._limits = limits
        self._most_cost = None if limits.usd is None else units(Decimal(limits.usd))
        self._tariff = tariff
        self._monotonic = monotonic
        self._began = monotonic() - spent.seconds
        self._reserved_tokens = self._reserved_cost = self._in_flight = 0
        self._settled = asyncio.Event()

    async def reserve(self, prompt_bytes: int, output_tokens: int) -> Reservation:
        """Hold the most that a call can use. Waits while others may give back what is missing.

        A token is at least one byte, so that is what bounds a prompt. Raises `LimitReached`.
        """
        most = self._most(Usage(prompt=prompt_bytes, completion=output_tokens))
        while True:
            exceeded = self._exceeded(most)
            if exceeded is None:
                break
            if exceeded in ("requests", "seconds") or not self._in_flight:
                raise LimitReached(exceeded)
            self._settled.clear()
            await self._settled.wait()
        self.spent.requests += 1
        self._in_flight += 1
        self._reserved_tokens += most.tokens
        self._reserved_cost += most.cost
        return most

    def settle(self, held: Reservation, usage: Usage | None) -> None:
        """Book what a call used; None where it used nothing."""
        self._free(held)
        if usage is not None:
            self.spent.prompt_tokens += usage.prompt
            self.spent.completion_tokens += usage.completion
            price = self._tariff.price(usage) if self._tariff is not None else None
            if price is not None:
                self.spent.cost += price.amount
            else:
                self.spent.unpriced += 1
        self.spent.seconds = self._monotonic() - self._began
        self._settled.set()

    def settle_untold(self, held: Reservation) -> None:
        """Book an answer of which the host does not say what it used: at its most, where a limit is to hold."""
        self.spent.unpriced += 1
        if self._limits.tokens is None and self._most_cost is None:
            self.settle(held, None)
        else:
            self.book_most(held)

    def book_most(self, held: Reservation) -> None:
        """Book all that was held: the host may have done the work, and its answer did not come."""
        self._free(held)
        self.spent.prompt_tokens += held.tokens
        self.spent.cost += held.cost
        self._settled.set()

    def give_back(self, held: Reservation) -> None:
        """Book nothing: the call was never sent."""
        self._free(held)
        self.spent.requests -= 1
        self.spent.seconds = self._monotonic() - self._began
        self._settled.set()

    def _free(self, held: Reservation) -> None:
        self._in_flight -= 1
        self._reserved_tokens -= held.tokens
        self._reserved_cost -= held.cost

    def _most(self, usage: Usage) -> Reservation:
        price = self._tariff.price(usage) if self._tariff is not None else None
        return Reservation(tokens=usage.prompt + usage.completion, cost=price.amount if price is not None else 0)

    def _exceeded(self, most: Reservation) -> str | None:
        limits, spent = self._limits, self.spent
        if limits.seconds is not None and self._monotonic() - self._began >= limits.seconds:
            return "seconds"
        if limits.requests is not None and spent.requests >= limits.requests:
            return "requests"
        if limits.tokens is not None and spent.tokens + self._reserved_tokens + most.tokens > limits.tokens:
            return "tokens"
        if self._most_cost is not None and spent.cost + self._reserved_cost + most.cost > self._most_cost:
            return "usd"
        return None

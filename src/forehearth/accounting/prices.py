"""What tokens cost: by the configuration, or by the price list that comes with the program. Exact, and dated.

The list is a file that `scripts/write-prices` makes of the package genai-prices. A price that is not known stays
unknown; nothing here guesses one, and nothing is rounded.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources
from typing import Any

import msgspec

from forehearth.accounting.served import Price
from forehearth.core.money import UNIT, units
from forehearth.core.price_settings import PriceSettings
from forehearth.core.usage import Usage

MOST = 9_000_000 * UNIT
"""More than that no call costs, in whatever currency: a host that tells of so many tokens tells nonsense."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one token costs, as `core.money` has it, where the prompt has more than so many."""

    over: int = 0
    input: int
    cached_input: int
    output: int | None = None


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of one model, from a day on."""

    since: float = 0.0
    """Unix seconds."""
    steps: Sequence[Step]
    """The shortest prompts first."""
    currency: str
    version: str
    """Which prices these are, so that an amount can be told from one by others."""

    def price(self, usage: Usage) -> Price | None:
        """What these tokens cost. None where a kind of them has no price, and where nothing can cost so much.

        Tokens from the host's cache are a part of the prompt's, and are not paid twice; no more of them than that.
        """
        step = self.steps[0]
        for each in self.steps:
            if usage.prompt > each.over:
                step = each
        cached = min(usage.cached, usage.prompt)
        amount = (usage.prompt - cached) * step.input + cached * step.cached_input
        if usage.completion:
            if step.output is None:
                return None
            amount += usage.completion * step.output
        if amount > MOST:
            return None
        return Price(amount, self.currency, self.version)


Tariffs = Sequence[Tariff]
"""A model's prices by the day from which they are good, the oldest first."""


def at(tariffs: Tariffs, now: float) -> Tariff | None:
    """The one that is good at a time (Unix seconds)."""
    found = None
    for each in tariffs:
        if each.since <= now:
            found = each
    return found


def configured(prices: PriceSettings) -> Tariff:
    """What the configuration says."""
    rates = "/".join(each for each in (prices.input, prices.cached_input or prices.input, prices.output or "?"))
    step = Step(
        input=units(prices.of_one(prices.input)),
        cached_input=units(prices.of_one(prices.cached_input or prices.input)),
        output=None if prices.output is None else units(prices.of_one(prices.output)),
    )
    return Tariff(steps=(step,), currency=prices.currency, version=f"configured: {rates} per {prices.per}")


class _ListedStep(msgspec.Struct, frozen=True):
    input: Decimal
    over: int = 0
    cached_input: Decimal | None = None
    output: Decimal | None = None


class _ListedPrices(msgspec.Struct, frozen=True):
    since: str
    steps: tuple[_ListedStep, ...]


class _ListedModel(msgspec.Struct, frozen=True):
    id: str
    match: dict[str, Any]
    prices: tuple[_ListedPrices, ...]


class _Provider(msgspec.Struct, frozen=True):
    id: str
    address: str
    others: tuple[str, ...]
    models: msgspec.Raw


class _List(msgspec.Struct, frozen=True):
    source: str
    version: str
    dated: str
    currency: str
    per: int
    providers: tuple[_Provider, ...]


class PriceList:
    """The list. Of a provider's models nothing is read before one of them is asked for."""

    def __init__(self, content: bytes) -> None:
        found = msgspec.json.decode(content, type=_List)
        self.version = f"{found.source} {found.version}, {found.dated}"
        self._currency = found.currency
        self._per = found.per
        self._providers = {each.id: each for each in found.providers}
        self._models: dict[str, tuple[_ListedModel, ...]] = {}

    @classmethod
    def shipped(cls) -> "PriceList":
        """The one that comes with the program."""
        return cls(resources.files("forehearth.accounting").joinpath("prices.json").read_bytes())

    @property
    def providers(self) -> Collection[str]:
        """Whose models it has."""
        return self._providers.keys()

    def provider_at(self, url: str) -> str | None:
        """Whose address that is."""
        found = (each.id for each in self._providers.values() if re.match(each.address, url))
        return next(found, None)

    def models(self, provider: str) -> Sequence[str]:
        """The ids of a provider's models that have a price."""
        return [each.id for each in self._of(provider) if each.prices]

    def find(self, provider: str, model: str) -> Tariffs:
        """The prices of a provider's model, by one of the names that it is known by. Empty where there are none."""
        about = self._providers.get(provider)
        if about is None:
            return ()
        name = model.lower()
        for each in (provider, *about.others):
            for listed in self._of(each):
                if matches(listed.match, name):
                    return tuple(map(self._tariff, listed.prices))
        return ()

    def _of(self, provider: str) -> tuple[_ListedModel, ...]:
        if provider not in self._models:
            about = self._providers.get(provider)
            models = () if about is None else msgspec.json.decode(about.models, type=tuple[_ListedModel, ...])
            self._models[provider] = models
        return self._models[provider]

    def _tariff(self, listed: _ListedPrices) -> Tariff:
        def one(amount: Decimal) -> int:
            return units(amount / self._per)

        steps = tuple(
            Step(
                over=each.over,
                input=one(each.input),
                cached_input=one(each.input if each.cached_input is None else each.cached_input),
                output=None if each.output is None else one(each.output),
            )
            for each in listed.steps
        )
        return Tariff(since=_midnight(listed.since), steps=steps, currency=self._currency, version=self.version)


def matches(clause: Mapping[str, Any], name: str) -> bool:
    """Whether a model of that name, in small letters, is meant."""
    ((kind, value),) = clause.items()
    return _MATCHES[kind](value, name)


_MATCHES: Mapping[str, Callable[[Any, str], bool]] = {
    "equals": lambda value, name: bool(name == value),
    "starts_with": lambda value, name: name.startswith(value),
    "ends_with": lambda value, name: name.endswith(value),
    "contains": lambda value, name: value in name,
    "regex": lambda value, name: re.search(value, name) is not None,
    "or": lambda value, name: any(matches(each, name) for each in value),
    "and": lambda value, name: all(matches(each, name) for each in value),
}


def _midnight(day: str) -> float:
    if not day:
        return 0.0
    found = date.fromisoformat(day)
    return datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp()

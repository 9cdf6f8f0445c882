"""Limits, as calls are held against them: what a call needs of each, whose it is, and what it used in the end."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from forehearth.accounting.bounds import Bounds
from forehearth.accounting.counted import Counted, Hold
from forehearth.core.call import Call
from forehearth.core.errors import Misconfigured
from forehearth.core.exchange import Header
from forehearth.core.limit_settings import LimitSettings
from forehearth.core.record import CallRecord
from forehearth.core.usage import Usage
from forehearth.core.windows import Period

BILLIONTHS = 1_000_000_000
"""Money is counted in billionths of the currency's unit, each call's rounded up."""
_LONGEST_VALUE = 128

PriceOf = Callable[[Call, Usage], Decimal | None]
"""What a call costs that used so much; None where no price is known."""
Section = Literal["deployments", "products", "projects"]
_COUNTED: Mapping[str, tuple[str, str]] = {
    "requests": ("request", "requests"),
    "tokens": ("token", "tokens"),
    "calls": ("call at the same time", "calls at the same time"),
}
_OWN_KEY: dict[Section, str] = {"deployments": "deployment", "products": "product", "projects": "project"}


class Budget:
    """One limit that is a sum: not the one on the length of answers, which is a bound."""

    def __init__(
        self, settings: LimitSettings, *, resource: str, section: Section, place: str, index: int, price_of: PriceOf
    ) -> None:
        self.settings = settings
        self.unit, self.period = settings.measure
        self.in_tokens = self.unit == "tokens"
        self.is_settled = self.unit in ("tokens", "amount")
        """Whether it is known in the end only what a call takes of it."""
        self.name = f"{section}.{place}.limits[{index}].{settings.key}"
        if resource:
            self.name = f"resources.{resource}.{self.name}"
        self.keys = (_OWN_KEY[section],) if settings.counter_key is None else settings.counter_key
        self.limit = int(settings.most * BILLIONTHS) if self.unit == "amount" else int(settings.most)
        self.counted = Counted(
            counter=f"{resource}/{section}/{place} {settings.key} {settings.window} {'+'.join(sorted(self.keys))}",
            limit=self.limit,
            period=self.period,
            sliding=settings.window == "sliding",
            waits=settings.wait_up_to is not None,
            kept=settings.places_kept,
        )
        self.is_rate = self.period in (None, Period.MINUTE)
        self.rate_headers = _rate_headers(self)
        """`x-ratelimit-limit-*`, and the names of what remains and of when it is reset; None where there are none."""
        self.left_header, self.used_header = _named_headers(self)
        """The names that the settings give to what is left, and to what a call used."""
        self.is_named = self.left_header is not None or self.used_header is not None
        self._price_of = price_of
        self._value_of = _VALUES.get(self.keys[0]) if len(self.keys) == 1 else None

    @property
    def is_of_caller(self) -> bool:
        """Whether all calls that a caller makes of a deployment in a project are held against one counter of it."""
        return all(each in _VALUES for each in self.keys)

    @property
    def breadth(self) -> int:
        """How many callers share one counter of it, roughly: the lower the fewer."""
        return -sum({"key": 4, "caller": 4, "product": 2, "project": 2}.get(each, 1) for each in self.keys)

    def value(self, call: Call, deployment: str) -> str:
        """Which of its counters a call is held against."""
        if self._value_of is not None:
            return self._value_of(call, deployment)
        return "\n".join(_value(each, call, deployment) for each in self.keys)

    def need(self, call: Call, bounds: Bounds) -> int:
        """What a call may use of it. Raises `Misconfigured` where that is money, and its price is not known."""
        if self.unit == "tokens":
            return bounds.total
        if self.unit == "amount":
            return self._amount(call, Usage(prompt=bounds.prompt, completion=bounds.answer))
        return 1

    def least(self, call: Call, bounds: Bounds) -> int:
        """With the shortest answer that is of use."""
        if self.unit == "tokens":
            return bounds.least
        if self.unit == "amount":
            return self.need(call, bounds.within(bounds.least))
        return 1

    def within(self, call: Call, bounds: Bounds, got: int) -> Bounds:
        """The bounds with an answer that is short enough for what was got."""
        if self.unit == "tokens":
            return bounds.within(got)
        bare = self._amount(call, Usage(prompt=bounds.prompt))
        full = self.need(call, bounds)
        while full > got and bounds.output:
            share = max(0, got - bare) / (full - bare)
            bounds = msgspec.structs.replace(bounds, output=min(bounds.output - 1, int(bounds.output * share)))
            full = self.need(call, bounds)
        return bounds

    def used(self, call: Call, usage: Usage) -> int:
        """What a call used of it."""
        if self.unit == "tokens":
            return usage.prompt + usage.completion
        return self._amount(call, usage) if self.unit == "amount" else 1

    def whose(self, call: Call, deployment: str) -> str:
        """For whom it is counted, in words."""
        words = [_in_words(each, call, deployment) for each in self.keys]
        return " and ".join(words) or "all callers together"

    def amount_in_words(self, amount: int) -> str:
        """So much of what it counts."""
        if self.unit == "amount":
            return f"an amount of {Decimal(amount) / BILLIONTHS:f}"
        one, many = _COUNTED[self.unit]
        return f"{amount} {one if amount == 1 else many}"

    def left_in_words(self, amount: int) -> str:
        """That so much of it is left."""
        return f"{self.amount_in_words(amount)} {'is' if amount == 1 or self.unit == 'amount' else 'are'} left"

    def _amount(self, call: Call, usage: Usage) -> int:
        price = self._price_of(call, usage)
        if price is None:
            raise Misconfigured(
                f"The limit {self.name} is in money, and no price is known for this deployment's model."
            )
        return math.ceil(price * BILLIONTHS)


Held = Sequence[tuple[Budget, Hold]]
"""What a call holds of each of its limits."""


class Reservation:
    """All that one call holds. Settled once, when its record closes; what it did not use is free again.

    `exceeded` is told of what was used beyond what was reserved.
    """

    __slots__ = ("call", "exceeded", "held")

    def __init__(self, call: Call, held: Held, exceeded: Callable[[str, int], None]) -> None:
        self.call = call
        self.held = held
        self.exceeded = exceeded

    def release(self) -> None:
        """Nothing was carried out, and somebody else may be asked: give everything back."""
        held, self.held = self.held, ()
        for _, hold in held:
            hold.settle(0)

    def settle(self, record: CallRecord) -> None:
        """Book what was used: what the record says; what was reserved, where nobody knows."""
        held, self.held = self.held, ()
        usage = record.usage or used(record)
        tokens = 0 if usage is None else usage.prompt + usage.completion
        for budget, hold in held:
            if usage is not None and budget.is_settled:
                unused = hold.amount - (tokens if budget.in_tokens else budget.used(self.call, usage))
                if unused:
                    hold.lease.give(unused, hold.stamp)
                if unused < 0:
                    self.exceeded(budget.name, -unused)
            elif budget.unit == "calls":
                hold.settle(0)


def used(record: CallRecord) -> Usage | None:
    """What a call used; None where that is not known, because an attempt may have been carried out."""
    if record.usage is not None:
        return record.usage
    return None if any(each.may_have_used for each in record.attempts) else Usage(prompt=0)


def _rate_headers(budget: Budget) -> tuple[Header, bytes, bytes] | None:
    if budget.period is not Period.MINUTE or budget.unit not in ("tokens", "requests"):
        return None
    kind = budget.unit.encode()
    limit = (b"x-ratelimit-limit-" + kind, b"%d" % budget.limit)
    return limit, b"x-ratelimit-remaining-" + kind, b"x-ratelimit-reset-" + kind


def _named_headers(budget: Budget) -> tuple[bytes | None, bytes | None]:
    if budget.unit != "tokens":
        return None, None
    settings = budget.settings
    left = settings.remaining_tokens_header_name if budget.is_rate else settings.remaining_quota_tokens_header_name
    used = settings.tokens_consumed_header_name
    return (None if left is None else left.lower().encode()), (None if used is None else used.lower().encode())


def _key(call: Call, _deployment: str) -> str:
    principal = call.principal
    return principal.id if principal.kind == "key" else ""


def _caller(call: Call, _deployment: str) -> str:
    principal = call.principal
    return f"{principal.kind}:{principal.tenant}:{principal.id}"


_VALUES: Mapping[str, Callable[[Call, str], str]] = {
    "key": _key,
    "caller": _caller,
    "deployment": lambda _, deployment: deployment,
    "product": lambda call, _: call.principal.product,
    "project": lambda call, _: call.project,
}


def _value(key: str, call: Call, deployment: str) -> str:
    known = _VALUES.get(key)
    return known(call, deployment) if known is not None else _header(key, call)


def _header(key: str, call: Call) -> str:
    """The value of a header; of a long one its hash, so that callers cannot fill the store."""
    value = call.headers.get(key[len("header:") :].lower().encode(), b"")
    if len(value) > _LONGEST_VALUE:
        return "#" + hashlib.blake2b(value, digest_size=16).hexdigest()
    return value.decode("latin-1")


def _in_words(key: str, call: Call, deployment: str) -> str:
    principal = call.principal
    if key in ("key", "caller"):
        is_key = principal.kind == "key"
        return f"the key '{principal.name}'" if is_key else "callers without a key" if key == "key" else "this caller"
    if key.startswith("header:"):
        return f"this value of the header {key[len('header:') :]}"
    value = _value(key, call, deployment)
    return f"the {key} '{value}'" if value else f"callers without a {key}"

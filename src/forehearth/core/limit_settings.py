"""What the configuration says of limits: how many calls, tokens and how much money, for whom, and in which time."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

import msgspec

from forehearth.core.routing_settings import Count, HeaderName
from forehearth.core.settings_types import Name, Seconds, Text, Unfit, Values
from forehearth.core.windows import Period

CounterKey = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(key|caller|deployment|product|project|header:[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100})$",
        description="key, caller, deployment, product, project or header:NAME",
    ),
]
Amount = Annotated[float, msgspec.Meta(gt=0, le=1_000_000_000)]
Unit = Literal["requests", "tokens", "amount", "calls", "output"]
Vocabulary = Literal["o200k", "cl100k"]


class Measure(NamedTuple):
    """What one of a limit's keys counts, and in which time; None for a limit that is no sum over time."""

    unit: Unit
    period: Period | None


MEASURES = {
    "requests_per_minute": Measure("requests", Period.MINUTE),
    "tokens_per_minute": Measure("tokens", Period.MINUTE),
    "tokens_per_hour": Measure("tokens", Period.HOUR),
    "tokens_per_day": Measure("tokens", Period.DAY),
    "tokens_per_week": Measure("tokens", Period.WEEK),
    "tokens_per_month": Measure("tokens", Period.MONTH),
    "tokens_per_year": Measure("tokens", Period.YEAR),
    "amount_per_day": Measure("amount", Period.DAY),
    "amount_per_month": Measure("amount", Period.MONTH),
    "concurrent_calls": Measure("calls", None),
    "output_tokens": Measure("output", None),
}
"""The keys of which a limit has exactly one."""


_PART_KEPT = 8
_HEADER_HINTS = {
    "remaining_tokens_header_name": "it goes with tokens_per_minute",
    "remaining_quota_tokens_header_name": "it goes with tokens_per_hour, _day, _week, _month or _year",
    "tokens_consumed_header_name": "it goes with limits of tokens",
}


class LimitSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One limit: exactly one of the keys that say how much, and for whom it is counted.

    A call that is over a rate (a minute, or calls at the same time) is refused with 429, one that is over a quota
    (longer periods, money) with 403; both say when it frees. Tokens are those of prompt and answer together. They are
    reserved before the call, and what it did not use is given back at its end.
    """

    counter_key: tuple[CounterKey, ...] | None = None
    """For whom it is counted: one counter for each value, or combination of values, of `key` (the API key; whoever
    comes with a token shares one), `caller` (a key, user or application), `deployment`, `product`, `project` and
    `header:NAME`. Unless given, one counter for what the limit stands at. An empty list: one for all."""
    requests_per_minute: Count | None = None
    """Calls in a minute."""
    tokens_per_minute: Count | None = None
    """Tokens in a minute."""
    tokens_per_hour: Count | None = None
    """Tokens in an hour of the clock, in UTC."""
    tokens_per_day: Count | None = None
    """Tokens in a day, in UTC."""
    tokens_per_week: Count | None = None
    """Tokens in a week, from Monday on, in UTC."""
    tokens_per_month: Count | None = None
    """Tokens in a month of the calendar, in UTC."""
    tokens_per_year: Count | None = None
    """Tokens in a year, in UTC."""
    amount_per_day: Amount | None = None
    """Money in a day, in the currency of the prices."""
    amount_per_month: Amount | None = None
    """Money in a month of the calendar."""
    concurrent_calls: Count | None = None
    """Calls at the same time, streams included."""
    output_tokens: Count | None = None
    """Tokens of one answer, of each of its choices. A call that asks for more is answered with so many at the most."""
    window: Literal["fixed", "sliding"] = "fixed"
    """`fixed`: minute by minute. `sliding`: in any 60 seconds, wherever they begin. Longer periods are always fixed."""
    wait_up_to: Seconds | None = None
    """For rates and calls at the same time: so many seconds a call may wait for its turn before it is refused. Turns go
    round among products, or callers without one, so that nobody waits behind another one's queue."""
    kept_free: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """With `concurrent_calls` and `wait_up_to`: so many places at the most are kept free while others wait, one for
    each tenant who called in the last 10 seconds and does not wait itself, so that its next call need not wait. An
    eighth of them, unless given; 0 keeps none."""
    retry_after_header_name: HeaderName = "Retry-After"
    """The header of a refusal that says in how many seconds to come back."""
    remaining_tokens_header_name: HeaderName | None = None
    """A header for the tokens that are left in this minute; none, unless given."""
    remaining_quota_tokens_header_name: HeaderName | None = None
    """A header for the tokens that are left of a quota; none, unless given."""
    tokens_consumed_header_name: HeaderName | None = None
    """A header for the tokens that a call used, prompt and answer. Streams begin before that is known, and have none;
    none, unless given."""

    def __post_init__(self) -> None:
        """Refuse no limit, two of them, and what goes together with none of its kind. Raises `Unfit`."""
        given = [name for name in MEASURES if getattr(self, name) is not None]
        if len(given) != 1:
            problem = f"this is more than one limit: {' and '.join(given)}" if given else "nothing is limited"
            hint = "make it two limits" if given else f"add one of {', '.join(MEASURES)}"
            raise Unfit(problem, member=given[1] if given else None, hint=hint)
        measure = self.measure
        if self.window == "sliding" and measure.period is not Period.MINUTE:
            raise Unfit(f"{given[0]} has no sliding window", member="window", hint="leave it out")
        if self.wait_up_to is not None and not (measure.period is Period.MINUTE or measure.unit == "calls"):
            hint = "leave it out: a call does not wait for the end of a day"
            raise Unfit(f"nobody waits for {given[0]}", member="wait_up_to", hint=hint)
        self._check_headers(measure)
        if self.kept_free is not None and (self.concurrent_calls is None or self.wait_up_to is None):
            hint = "it goes with concurrent_calls and wait_up_to"
            raise Unfit("nothing can be kept free here", member="kept_free", hint=hint)
        if self.kept_free is not None and self.kept_free >= self.most:
            raise Unfit("nothing would be left for those who wait", member="kept_free", hint="give it a lower number")
        if measure.unit == "output" and self.counter_key is not None:
            hint = "leave it out: it bounds each answer by itself"
            raise Unfit("output_tokens has no counter", member="counter_key", hint=hint)
        twice = next((each for each, other in pairwise(sorted(self.counter_key or ())) if each == other), None)
        if twice is not None:
            raise Unfit(f"{twice} is there twice", member="counter_key", hint="leave it out once")

    def _check_headers(self, measure: Measure) -> None:
        """Refuse names of headers that this limit never sends. Raises `Unfit`."""
        is_rate = measure.period is Period.MINUTE
        sent = {
            "remaining_tokens_header_name": measure.unit == "tokens" and is_rate,
            "remaining_quota_tokens_header_name": measure.unit == "tokens" and not is_rate,
            "tokens_consumed_header_name": measure.unit == "tokens",
        }
        for member, is_sent in sent.items():
            if getattr(self, member) is not None and not is_sent:
                raise Unfit(f"{self.key} has no such header", member=member, hint=_HEADER_HINTS[member])

    @property
    def key(self) -> str:
        """Which of the keys it has."""
        return next(name for name in MEASURES if getattr(self, name) is not None)

    @property
    def measure(self) -> Measure:
        """What it counts."""
        return MEASURES[self.key]

    @property
    def places_kept(self) -> int:
        """How many places may be kept free for tenants who do not wait."""
        if self.concurrent_calls is None or self.wait_up_to is None:
            return 0
        return self.concurrent_calls // _PART_KEPT if self.kept_free is None else self.kept_free

    @property
    def most(self) -> Decimal:
        """How much of that is allowed."""
        return Decimal(repr(getattr(self, self.key)))


class TokenSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many tokens a call may use is known before it only as a bound. This is what the bound is made of."""

    output: Count = 4_096
    """The longest answer where the caller sets no bound, of each choice. The backend is told, so that it holds."""
    output_member: Literal["max_tokens", "max_completion_tokens"] | None = None
    """The member in which it is sent. Unless given, `max_completion_tokens` for models that take no other (named o1,
    o3, o4, gpt-5 and their like), and `max_tokens`, which all other hosts know."""
    vocabulary: Vocabulary | None = None
    """The model's vocabulary: then a prompt is counted where its length in bytes would not fit, and so is what a
    backend did not report. Needs `pip install 'forehearth[tokens]'`. `o200k`: GPT-4o and later; `cl100k`: GPT-4,
    GPT-3.5 and the embedding models of OpenAI."""
    image: Count = 1_445
    """Tokens that an image may count as: 1,445 are the most for GPT-4o in high detail."""
    overhead: Annotated[int, msgspec.Meta(ge=0)] = 64
    """Tokens that the host adds to a prompt: its template, and a system prompt of its own."""


class ProductSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bundle of deployments and limits, handed to callers with their keys: `forehearth keys create --product`."""

    description: Text | None = None
    """What it is, in your words."""
    deployments: Annotated[tuple[Name, ...] | None, msgspec.Meta(description="a list of deployments")] = None
    """The deployments that its keys may call; all, unless given."""
    limits: tuple[LimitSettings, ...] = ()
    """Limits for the calls of its keys."""

    def __post_init__(self) -> None:
        """Refuse limits that contradict one another. Raises `Unfit`."""
        check_limits(self.limits)


def check_room(limits: Iterable[LimitSettings], tokens: TokenSettings) -> None:
    """Refuse limits of a deployment into which not even its shortest call fits. Raises `Unfit`."""
    for limit in limits:
        if limit.measure.unit == "tokens" and limit.most <= tokens.overhead:
            problem = f"no call fits into {limit.key}: {limit.most}, as tokens.overhead is {tokens.overhead}"
            raise Unfit(problem, member="limits", hint="give it a higher number")


def check_limits(limits: Iterable[LimitSettings]) -> None:
    """Refuse limits of one place of which one can never be reached, or never be kept. Raises `Unfit`."""
    seen: dict[tuple[Unit, Period | None, object, str], LimitSettings] = {}
    for limit in limits:
        unit, period = limit.measure
        who = None if limit.counter_key is None else frozenset(limit.counter_key)
        for (other_unit, other_period, other_who, window), other in seen.items():
            if (other_unit, other_who) != (unit, who):
                continue
            if other_period is period and window == limit.window:
                raise Unfit(
                    f"there are two limits {limit.key} for the same", member="limits", hint="the lower one counts"
                )
            short, long = (limit, other) if _length(period) < _length(other_period) else (other, limit)
            if short.most >= long.most and period is not other_period:
                problem = f"{short.key}: {short.most} is never reached beside {long.key}: {long.most}"
                raise Unfit(problem, member="limits", hint="leave it out, or give it a lower number")
        seen[unit, period, who, limit.window] = limit
    _check_output(list(seen.values()))


def _check_output(limits: list[LimitSettings]) -> None:
    longest = next((each for each in limits if each.measure.unit == "output"), None)
    if longest is None:
        return
    for limit in limits:
        if limit.measure.unit == "tokens" and limit.most <= longest.most:
            problem = f"an answer of {longest.key}: {longest.most} never fits into {limit.key}: {limit.most}"
            raise Unfit(problem, member="limits", hint="give output_tokens a lower number")


def _length(period: Period | None) -> int:
    return -1 if period is None else list(Period).index(period)

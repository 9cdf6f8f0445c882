"""Usage as the admin API shows it, as JSON and as a table for spreadsheets, and single requests, explained."""

import csv
import io
from collections.abc import Mapping
from typing import cast, get_args

import msgspec

from forehearth.admin.office import Office
from forehearth.admin.usage import LedgerOffice, Total
from forehearth.config.nearest import suggestion
from forehearth.core.errors import Conflict, InvalidField
from forehearth.core.exchange import Header
from forehearth.core.ledger import Grouping, Span
from forehearth.core.money import plain
from forehearth.wire.admin_bodies import since
from forehearth.wire.envelope import JSON

PARAMETERS = frozenset({"resource", "from", "to", "by", "key", "product", "deployment", "project", "format"})
CSV_COUNTS = (
    "calls",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "unpriced_calls",
    "flagged_calls",
)
"""What is counted of a group, by the names of the columns."""
_CSV: Header = (b"content-type", b"text/csv; charset=utf-8")
_GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
_NO_LEDGER = "No calls are recorded here: the configuration says ledger: {enabled: false}."
_SHOWN = 100


class UsageView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the calls of one group used."""

    group: dict[str, str]
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    amounts: dict[str, str]
    unpriced_calls: int
    flagged_calls: int
    cache_hits: int
    failed_calls: int


class UsagePage(msgspec.Struct, frozen=True, kw_only=True):
    """All groups, in the order of their names."""

    by: tuple[Grouping, ...]
    value: tuple[UsageView, ...]


def ledger_of(office: Office) -> LedgerOffice:
    """The ledger. Raises `Conflict` where there is none."""
    if office.ledger is None:
        raise Conflict(_NO_LEDGER)
    return office.ledger


async def usage(office: Office, resource: str, query: Mapping[str, str]) -> tuple[Header, bytes]:
    """What a query asks for, and its media type.

    Raises `InvalidField`, `StoreFailed`, or `Conflict` where no calls are recorded.
    """
    form = query.get("format", "json")
    if form not in ("json", "csv"):
        raise InvalidField("Invalid value for 'format': expected json or csv.", param="format")
    by = _by(query.get("by", "deployment"))
    totals = await ledger_of(office).totals(span(resource, query), by)
    if form == "csv":
        return _CSV, _table(by, totals)
    return JSON, msgspec.json.encode(UsagePage(by=by, value=tuple(map(_view, totals))))


def span(resource: str, query: Mapping[str, str]) -> Span:
    """Which calls a query means. Raises `InvalidField`."""
    return Span(
        resource=resource,
        since=since(query.get("from"), "from") or 0.0,
        until=since(query.get("to"), "to"),
        key=query.get("key"),
        product=query.get("product"),
        deployment=query.get("deployment"),
        project=query.get("project"),
    )


def _table(by: tuple[Grouping, ...], totals: list[Total]) -> bytes:
    """A line for each group and currency; the tokens of a group stand in its first one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow((*by, *CSV_COUNTS, "amount", "currency"))
    for total in totals:
        group = [harmless(total.group[name]) for name in by]
        counted = [total.calls, total.prompt, total.cached, total.completion, total.reasoning]
        counted += [total.unpriced, total.flagged]
        for amount, currency in _amounts(total):
            writer.writerow((*group, *counted, amount, currency))
            counted = [0] * len(counted)
    return text.getvalue().encode()


def _amounts(total: Total) -> list[tuple[str, str]]:
    if total.amounts:
        return [(plain(amount), currency) for currency, amount in total.amounts.items()]
    return [("unknown" if total.unpriced else "0", "")]


def _view(total: Total) -> UsageView:
    return UsageView(
        group=cast("dict[str, str]", dict(total.group)),
        calls=total.calls,
        prompt_tokens=total.prompt,
        cached_tokens=total.cached,
        completion_tokens=total.completion,
        reasoning_tokens=total.reasoning,
        amounts={currency: plain(amount) for currency, amount in total.amounts.items()},
        unpriced_calls=total.unpriced,
        flagged_calls=total.flagged,
        cache_hits=total.hits,
        failed_calls=total.failed,
    )


def _by(text: str) -> tuple[Grouping, ...]:
    names = [each.strip() for each in text.split(",") if each.strip()]
    for name in names:
        if name not in _GROUPINGS:
            hint = suggestion(name, _GROUPINGS, "there are")
            raise InvalidField(f"Invalid value for 'by': '{name[:_SHOWN]}'; {hint}.", param="by")
        if names.count(name) > 1:
            raise InvalidField(f"Invalid value for 'by': {name} is there twice.", param="by")
    return cast("tuple[Grouping, ...]", tuple(names))


def harmless(text: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text

"""Usage as a table with bars in a terminal, and as CSV."""

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import click

from forehearth.wire.admin_usage import CSV_COUNTS, harmless

CHARTS: Final = ("tokens", "calls", "amount", "none")
COUNTS: Final = (
    "calls",
    "promptTokens",
    "cachedTokens",
    "completionTokens",
    "reasoningTokens",
    "unpricedCalls",
    "flaggedCalls",
)
_FULL, _PARTS = "\u2588", ("", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589")
_WIDTH: Final = 24
_HEADS: Final = ("CALLS", "PROMPT", "CACHED", "OUTPUT", "AMOUNT")

Column = tuple[str, Callable[[Any], str]]
"""A further one: its head, and what it says of a group."""


def show(found: Any, chart: str, *columns: Column) -> None:
    """Print a table of the groups, a bar behind each, and what all of them come to."""
    groups = found["value"]
    if not groups:
        click.echo("no calls in that time", err=True)
        return
    names = found["by"]
    rows = [(*map(str.upper, names), *_HEADS, *(head for head, _ in columns))]
    rows += [(*(each["group"][name] or "-" for name in names), *_figures(each, columns)) for each in groups]
    sizes = [_size(each, chart) for each in groups]
    bars = ["", *(bar(size, max(sizes)) for size in sizes)]
    if len(groups) > 1:
        rows.append((*("" for _ in names), *_figures(_whole(groups), columns)))
        bars.append("")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, drawn in zip(rows, bars, strict=True):
        cells = [
            cell.ljust(width) if index < len(names) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join([*cells, drawn]).rstrip())
    flagged = sum(each["flaggedCalls"] for each in groups)
    if flagged:
        click.echo(f"forehearth: {flagged} of the calls are flagged: their usage is a bound, or a part", err=True)


def bar(size: Decimal, most: Decimal, width: int = _WIDTH) -> str:
    """A bar as long as its share of the longest one, in eighths of a character; what is not zero is seen."""
    if size <= 0 or most <= 0:
        return ""
    eighths = max(1, round(size * width * 8 / most))
    return _FULL * (eighths // 8) + _PARTS[eighths % 8]


def _size(group: Any, chart: str) -> Decimal:
    if chart == "calls":
        return Decimal(group["calls"])
    if chart == "tokens":
        return Decimal(group["promptTokens"] + group["completionTokens"])
    if chart == "amount" and len(group["amounts"]) == 1:
        return next(Decimal(amount) for amount in group["amounts"].values())
    return Decimal(0)


def _figures(group: Any, columns: Sequence[Column]) -> tuple[str, ...]:
    tokens = (group["promptTokens"], group["cachedTokens"], group["completionTokens"])
    others = (tell(group) for _, tell in columns)
    return (f"{group['calls']:,}", *(f"{each:,}" for each in tokens), amount_of(group), *others)


def amount_of(group: Any) -> str:
    """What it cost, in each currency; with a mark where some of it is not known."""
    known = " + ".join(f"{rounded(Decimal(amount))} {currency}" for currency, amount in group["amounts"].items())
    if not group["unpricedCalls"]:
        return known or "0"
    return f"{known} +?" if known else "unknown"


def rounded(amount: Decimal) -> str:
    """An amount to the hundredth; a smaller one to its first two figures."""
    places = 2 if amount == 0 or amount >= Decimal("0.1") else 1 - amount.adjusted()
    return f"{amount:,.{places}f}"


def _whole(groups: Sequence[Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {name: sum(each[name] for each in groups) for name in COUNTS}
    whole["amounts"] = added(each["amounts"] for each in groups)
    if "recomputed" in groups[0]:
        recomputed = [each["recomputed"] for each in groups]
        unpriced = sum(each["unpricedCalls"] for each in recomputed)
        whole["recomputed"] = {"amounts": added(each["amounts"] for each in recomputed), "unpricedCalls": unpriced}
    return whole


def added(amounts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Sums of money by currency, exactly."""
    sums: dict[str, Decimal] = {}
    for each in amounts:
        for currency, amount in each.items():
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(amount)
    return {currency: f"{amount:f}" for currency, amount in sums.items()}


def write_csv(found: Any) -> None:
    """Print a line for each group and currency, as the admin API does; a group's counts stand in its first one."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow((*found["by"], *CSV_COUNTS, "amount", "currency"))
    for each in found["value"]:
        counted = [each[name] for name in COUNTS]
        for currency, amount in each["amounts"].items() or [("", "unknown" if each["unpricedCalls"] else "0")]:
            writer.writerow((*(harmless(each["group"][name]) for name in found["by"]), *counted, amount, currency))
            counted = [0] * len(counted)

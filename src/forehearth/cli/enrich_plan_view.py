"""How a plan of enrichment is shown: what is to be asked, what it is likely to cost, and some results."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
import msgspec

from forehearth.cli.output import say_table
from forehearth.core.money import plain

_LONGEST: Final = 40
"""Characters of a value in the table of results."""


def say_plan(plan: Any) -> None:
    """Print a plan."""
    lines = {
        "rows": f"{plan.rows:,}, of which {plan.landed:,} have landed and {plan.empty:,} are not asked about",
        "prompts": f"{plan.prompts:,} that differ, of which {plan.known:,} are answered already",
        "sample": f"{plan.sampled:,} asked, {plan.failed:,} of them failed" if plan.sampled else "nothing was asked",
        "to ask": f"{plan.requests:,} requests",
        "tokens": f"{_between(plan.prompt_tokens)} of prompts, {_between(plan.completion_tokens)} of answers",
        "cost": _cost(plan),
    }
    if plan.limits:
        lines["limits"] = f"likely to be reached: {', '.join(plan.limits)}"
    for name, words in lines.items():
        click.echo(f"{name:<8} {words}")
    if plan.results:
        click.echo("")
        _say_results(plan.results)


def plan_as_json(plan: Any) -> dict[str, Any]:
    """A plan as JSON has it: money as text, so that it stays exact; values of rows that JSON has not as text."""
    found: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(plan, results=()))
    cost = found.pop("cost")
    results = [msgspec.to_builtins(dict(row), builtin_types=(), enc_hook=str) for row in plan.results]
    exact = cost and {end: plain(amount) for end, amount in cost.items()}
    return found | {"usd" if plan.currency == "USD" else "cost": exact, "results": results}


def _cost(plan: Any) -> str:
    if plan.cost is None:
        return "not known: the job has no prices"
    low, high = plain(_cents(plan.cost.low)), plain(_cents(plan.cost.high))
    return f"{low} {plan.currency}" if low == high else f"{low} to {high} {plan.currency}"


def _cents(amount: int) -> int:
    """To the ten-thousandth of a dollar: an estimate has no more places than that."""
    step = 100_000_000
    return -(-amount // step) * step


def _between(tokens: Any) -> str:
    return f"{tokens.low:,}" if tokens.low == tokens.high else f"{tokens.low:,} to {tokens.high:,}"


def _say_results(rows: Sequence[Mapping[str, Any]]) -> None:
    names = [name for name in rows[0] if not name.startswith("_") or (name == "_error" and any(r[name] for r in rows))]
    say_table([[name.upper() for name in names], *([_short(row[name]) for name in names] for row in rows)])


def _short(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

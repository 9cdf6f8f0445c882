"""Makes the price list that Forehearth brings of the package genai-prices, which runs here and nowhere else.

Usage: scripts/write-prices. Prints JSON with a model a line, so that a new release can be read as a difference. What
the gateway cannot count is left out: prices of sound, images, pages, hours and requests, and prices that depend on the
time of day. A model that has such a price is in the list without any, because a part of the price would be a wrong one.
"""

import datetime as dt
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices.data_snapshot import get_snapshot  # type: ignore[import-not-found]  # only where this script runs

PACKAGE = "genai-prices"
KINDS = {"input_mtok": "input", "cache_read_mtok": "cached_input", "output_mtok": "output"}
UNCOUNTED = frozenset({"cache_write_mtok", "cache_write_1h_mtok", "web_searches_kcount", "storage_searches_kcount"})
"""Prices of what a call of the gateway does not have, or does not tell of."""
PLACES = 6
"""Decimals of a price for a million tokens. More of them, and sums of amounts would not be exact any more."""
NOISE = Decimal("1e-12")
"""What is left of a price that somebody multiplied as a binary fraction."""
MOST = Decimal(1_000)

Rates = dict[str, str | int]


def main() -> int:
    """Print the list."""
    providers = [each for each in get_snapshot().providers if each.models]
    unpriced = 0
    lines = []
    for provider in sorted(providers, key=lambda each: str(each.id)):
        models = [_model(each) for each in provider.models]
        unpriced += sum(not each["prices"] for each in models)
        about = {"id": provider.id, "address": provider.api_pattern, "others": provider.fallback_model_providers or []}
        written = ",\n    ".join(json.dumps(each) for each in models)
        lines.append(f'  {json.dumps(about)[:-1]}, "models": [\n    {written}\n  ]}}')
    head = {
        "source": PACKAGE,
        "licence": "MIT",
        "version": version(PACKAGE),
        "dated": dt.datetime.now(dt.UTC).date().isoformat(),
        "currency": "USD",
        "per": 1_000_000,
    }
    body = ",\n".join(lines)
    print(f'{json.dumps(head)[:-1]}, "providers": [\n{body}\n]}}')
    print(f"{unpriced} models have no price: the gateway cannot count what they are priced by", file=sys.stderr)
    return 0


def _model(model: Any) -> dict[str, Any]:
    """One model. Where it has no price that can be used it stands there all the same: its name is no other's."""
    prices = model.prices if isinstance(model.prices, list) else [model]
    dated = [_dated(getattr(each, "constraint", None), each.prices) for each in prices]
    usable = list(_not_over([each for each in dated if each is not None])) if None not in dated else []
    return {"id": model.id, "match": _clause(model.match), "prices": usable}


def _dated(constraint: Any, prices: Any) -> dict[str, Any] | None:
    steps = _steps(prices)
    if steps is None or not (constraint is None or hasattr(constraint, "start_date")):
        return None
    return {"since": "" if constraint is None else constraint.start_date.isoformat(), "steps": steps}


def _not_over(dated: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The prices of today and of days to come."""
    dated.sort(key=lambda each: str(each["since"]))
    today = dt.datetime.now(dt.UTC).date().isoformat()
    begun = [each for each in dated if each["since"] <= today]
    yield from begun[-1:]
    yield from dated[len(begun) :]


def _steps(prices: Any) -> list[Rates] | None:
    """The rates for short prompts, then those for prompts of more than so many tokens."""
    given = {name: value for name, value in vars(prices).items() if value is not None and not name.startswith("_")}
    if "input_mtok" not in given or not given.keys() <= KINDS.keys() | UNCOUNTED:
        return None
    counted = {KINDS[name]: value for name, value in given.items() if name in KINDS}
    bounds = sorted({tier.start for value in counted.values() for tier in getattr(value, "tiers", ())})
    return [{"over": bound, **{name: _rate(value, bound) for name, value in counted.items()}} for bound in [0, *bounds]]


def _rate(value: Any, bound: int) -> str:
    """What a million tokens cost in prompts just above a bound."""
    found = value if isinstance(value, Decimal) else value.base
    for tier in getattr(value, "tiers", ()):
        if bound >= tier.start and bound > 0:
            found = tier.price
    exact = round(found, PLACES)
    if found > MOST or abs(found - exact) > NOISE:
        raise ValueError(f"a price of {found} cannot be kept exactly")
    return f"{exact.normalize():f}"


def _clause(clause: Any) -> dict[str, Any]:
    """How a model is known by its name."""
    (name,) = (field for field in vars(clause) if field.rstrip("_") in _CLAUSES)
    value = getattr(clause, name)
    return {name.rstrip("_"): [_clause(each) for each in value] if isinstance(value, list) else value}


_CLAUSES = frozenset({"equals", "starts_with", "ends_with", "contains", "regex", "or", "and"})

if __name__ == "__main__":
    sys.exit(main())

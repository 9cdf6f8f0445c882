"""`forehearth usage`: what calls used and what they cost."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from forehearth.accounting.prices import Tariff, configured
from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.keys import json_option, resource_option
from forehearth.cli.moments import Moment
from forehearth.cli.output import say_json
from forehearth.cli.usage_table import CHARTS, added, amount_of, show, write_csv
from forehearth.config.loader import load_as
from forehearth.core.money import plain
from forehearth.core.price_settings import PriceSettings
from forehearth.core.settings_types import Name
from forehearth.core.usage import Usage

_WAYS: Final = "key, product, project, deployment, model, backend, operation, outcome, day, month"

_SPAN = (
    click.option(
        "--from",
        "since",
        type=Moment(time.time, past=True),
        default="30d",
        help="From then on: 7d ago, or a date.  [default: 30d]",
    ),
    click.option("--to", "until", type=Moment(time.time, past=True), help="Up to, but without, then.  [default: now]"),
    click.option("--by", default="deployment", help=f"What to tell apart, by commas: {_WAYS}.  [default: deployment]"),
    click.option("--only-key", metavar="KEY", help="Only calls of this key, user or application, by name or id."),
    click.option("--only-product", metavar="NAME", help="Only calls of the keys of this product."),
    click.option("--only-deployment", metavar="NAME", help="Only calls of this deployment."),
    click.option("--only-project", metavar="NAME", help="Only calls in this project."),
)


def _spanned(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which calls are meant."""
    for option in reversed(_SPAN):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@_spanned
@click.option("--chart", type=click.Choice(CHARTS), default="tokens", help="What the bars show.  [default: tokens]")
@click.option("--csv", "as_csv", is_flag=True, help="Answer in CSV.")
@resource_option
@json_option
@on_target
@click.pass_context
def usage(context: click.Context, /, *, target: Target, chart: str, as_csv: bool, as_json: bool, **asked: Any) -> None:
    r"""Show what calls used: how many there were, their tokens, what they cost.

    An amount that is 'unknown' is one whose price is not known; with '+?' some of the calls have none. Calls are
    flagged where their usage is not the truth: a process ended before they did, their clients left, or their backends
    did not say; what was reserved, or what came, is booked.

    \b
    Examples:
      forehearth usage --from 7d --by day
      forehearth usage --by key,deployment --chart amount
      forehearth usage --from 2027-01-01 --to 2027-02-01 --by product --csv
    """
    if context.invoked_subcommand is not None:
        return

    async def act(api: AdminApi) -> Any:
        return await api.call("GET", "/admin/usage", query=_query(asked))

    found = run(target, act)
    if as_json:
        say_json(found)
    elif as_csv:
        write_csv(found)
    else:
        show(found, chart)


@usage.command()
@click.option("--prices", type=click.Path(path_type=Path), required=True, help="A YAML file: prices by deployment.")
@_spanned
@resource_option
@json_option
@on_target
def recompute(*, target: Target, prices: Path, as_json: bool, **asked: Any) -> None:
    r"""Show what the same calls would have cost by other prices. What is recorded stays as it is.

    The file has for each deployment what the key prices of the configuration has: input, cached_input, output, per,
    currency. A deployment that it does not name has no known price in the sum.

    \b
    Examples:
      forehearth usage recompute --prices contract.yaml --from 2027-01-01 --to 2027-02-01
      forehearth usage recompute --prices contract.yaml --by key --json
    """
    tariffs = {name: configured(each) for name, each in load_as(prices, dict[Name, PriceSettings]).items()}

    async def act(api: AdminApi) -> Any:
        query = _query(asked)
        finer = query | {"by": ",".join(dict.fromkeys([*query["by"].split(","), "deployment"])).strip(",")}
        return await api.call("GET", "/admin/usage", query=query), await api.call("GET", "/admin/usage", query=finer)

    found, finer = run(target, act)
    parts: dict[tuple[str, ...], list[Any]] = {}
    for part in finer["value"]:
        parts.setdefault(tuple(part["group"][name] for name in found["by"]), []).append(part)
    for each in found["value"]:
        each["recomputed"] = recomputed(parts.get(tuple(each["group"].values()), ()), tariffs)
    if as_json:
        say_json(found)
    else:
        show(found, "none", ("RECOMPUTED", lambda group: amount_of(group["recomputed"])))


def recomputed(parts: Sequence[Any], tariffs: Mapping[str, Tariff]) -> dict[str, Any]:
    """What calls cost by other prices. Each part has the calls of one deployment.

    The price of their sum is the sum of their prices, because these have no steps.
    """
    amounts, unpriced = [], 0
    for part in parts:
        tariff = tariffs.get(part["group"]["deployment"])
        used = Usage(prompt=part["promptTokens"], cached=part["cachedTokens"], completion=part["completionTokens"])
        price = None if tariff is None else tariff.price(used)
        if price is not None:
            amounts.append({price.currency: plain(price.amount)})
        elif used.prompt or used.completion:
            unpriced += part["calls"]
    return {"amounts": added(amounts), "unpricedCalls": unpriced}


def _query(asked: Mapping[str, Any]) -> dict[str, str]:
    filters = ("key", "product", "deployment", "project")
    names = {"resource": "resource", **{name: f"only_{name}" for name in filters}}
    query = {name: str(asked[member]) for name, member in names.items() if asked[member] is not None}
    query |= {"by": asked["by"], "from": _moment(asked["since"])}
    if asked["until"] is not None:
        query["to"] = _moment(asked["until"])
    return query


def _moment(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat()

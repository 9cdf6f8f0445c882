"""`forehearth explain`: what became of one request, and why."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import click

from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.keys import json_option, resource_option
from forehearth.cli.output import say_json
from forehearth.cli.usage_table import rounded

_WIDTH: Final = 48
_EDGE, _FULL, _POINT = "\u2502", "\u2588", "\u2506"
_FLAGS: Final = {
    "crashed": "the process ended before the call did: what was reserved is booked",
    "cut": "the answer broke off before its usage was known: what came is booked, or what was reserved",
    "unreported": "the backend did not say what it used: what was reserved is booked",
}


@click.command()
@click.argument("request_id", metavar="REQUEST_ID")
@resource_option
@json_option
@on_target
def explain(*, target: Target, request_id: str, resource: str | None, as_json: bool) -> None:
    r"""Show what became of a request: who asked, where it went, what it used and cost, and what each policy said.

    REQUEST_ID is the one that the answer had in x-request-id, and that a refusal names. Attempts and words are kept
    for ledger.explained_days, the rest as long as the record.

    \b
    Examples:
      forehearth explain 10d3527d-064e-40d5-afe5-d1b83de27006
      forehearth explain 10d3527d-064e-40d5-afe5-d1b83de27006 --json | jq .words
    """
    query = {} if resource is None else {"resource": resource}

    async def act(api: AdminApi) -> Any:
        return await api.call("GET", f"/admin/requests/{quote(request_id, safe='')}", query=query)

    found = run(target, act)
    if as_json:
        say_json(found)
        return
    for line in (*_facts(found), "", *_waterfall(found), *_words(found)):
        click.echo(line)


def _facts(found: Any) -> Iterator[str]:
    caller, tokens, cost = found["caller"], found["tokens"], found["cost"]
    status = "no status" if found["status"] is None else f"status {found['status']}"
    product = f", product {caller['product']}" if caller["product"] else ""
    project = f", project {found['project']}" if found["project"] else ""
    served = f"deployment {found['deployment']}, {found['backend'] or 'no backend'}"
    streamed = ", streamed" if found["stream"] else ""
    facts = {
        "request": f"{found['id']}, {found['time'][:19].replace('T', ' ')}Z",
        "caller": f"{caller['kind']} {caller['name']}{product}{project}",
        "asked": f"{found['operation']}{streamed} of {found['asked']}, by {found['surface']}",
        "served": f"{served}, model {found['model']}" if found["model"] else served,
        "outcome": f"{found['outcome']}, {status}, {found['seconds']['total']:.3f} s",
        "cache": found["cache"] or "not asked",
        "tokens": _tokens(tokens),
        "cost": _cost(cost),
    }
    for name, value in facts.items():
        yield f"{name:<9}{value}"
    if tokens["flag"]:
        yield f"{'flagged':<9}{_FLAGS[tokens['flag']]}"


def _tokens(tokens: Any) -> str:
    held = ""
    if tokens["reserved"]:
        held = f"reserved {tokens['reserved']:,} (prompt at most {tokens['estimated'] or 0:,}); "
    parts = f"prompt {tokens['prompt']:,}"
    if tokens["cached"]:
        parts += f" ({tokens['cached']:,} from the host's cache)"
    parts += f", answer {tokens['completion']:,}"
    if tokens["reasoning"]:
        parts += f" ({tokens['reasoning']:,} of reasoning)"
    return f"{held}used: {parts}{', counted here' if tokens['counted'] else ''}"


def _cost(cost: Any) -> str:
    if cost["amount"] is None:
        return "unknown: there is no price for this model"
    if cost["currency"] is None:
        return "0"
    return f"{rounded(Decimal(cost['amount']))} {cost['currency']} by {cost['priceVersion']}"


def _waterfall(found: Any) -> Iterator[str]:
    """Where the time went, each step a bar from its beginning to its end."""
    total, seconds = found["seconds"]["total"], found["seconds"]
    steps = [("waited", 0.0, seconds["queued"], "")] if seconds["queued"] else []
    for each in found["tried"] or ():
        said = each["outcome"] + (f" {each['status']}" if each["status"] else "")
        steps.append((each["backend"], each["began"], each["seconds"], said))
    answered = bool(found["tried"]) and found["tried"][-1]["outcome"] == "ok"
    if found["stream"] and answered:
        begun = found["tried"][-1]["began"] + found["tried"][-1]["seconds"]
        first = "" if seconds["firstByte"] is None else f"first byte after {seconds['firstByte']:.3f} s"
        steps.append(("stream", begun, max(0.0, total - begun), first))
    if not steps:
        return
    width = max(len(name) for name, *_ in steps)
    for name, began, lasted, said in steps:
        yield f"{name:<{width}}  {_EDGE}{_bar(began, lasted, total)}{_EDGE} {lasted:8.3f} s  {said}".rstrip()
    yield ""


def _bar(began: float, lasted: float, total: float) -> str:
    if total <= 0:
        return " " * _WIDTH
    start = min(_WIDTH - 1, int(began / total * _WIDTH))
    length = max(1, min(_WIDTH - start, round(lasted / total * _WIDTH)))
    return (" " * start + _FULL * length).ljust(_WIDTH)


def _words(found: Any) -> Iterator[str]:
    if found["words"] is None:
        yield "attempts and words are kept no more"
        return
    for limit in found["limits"]:
        yield f"limit    {limit['name']}: held {limit['reserved']:,}, {limit['left']:,} left"
    for each in found["words"]:
        yield f"{each['policy']:<8} {each['word']}"

"""`forehearth runs`: responses and what else is done by jobs, drawn, listed and followed."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import quote

import click

from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.keys import json_option, resource_option
from forehearth.cli.output import Exit, say_json, say_line, say_table
from forehearth.cli.runs_drawing import drawn, facts, shown, told

_MOST: Final = 100
_LOOK_SECONDS: Final = 0.25
"""Between two looks of `tail`."""
_GOOD: Final = frozenset({"completed", "succeeded"})


@click.group()
def runs() -> None:
    """Show responses and other runs: their steps, items, tools, tokens and times.

    What was said in them is not shown, nor what tools were called with and gave.
    """


@runs.command(name="list")
@click.option("--limit", type=click.IntRange(1, _MOST), default=20, show_default=True, help="How many.")
@resource_option
@json_option
@on_target
def list_runs(*, target: Target, limit: int, resource: str | None, as_json: bool) -> None:
    r"""List the newest runs, the latest begun first.

    \b
    Examples:
      forehearth runs list
      forehearth runs list --limit 3 --json
    """
    query = _query(resource) | {"limit": str(limit)}

    async def act(api: AdminApi) -> Any:
        return await api.call("GET", "/admin/runs", query=query)

    found = run(target, act)["value"]
    if as_json:
        say_json(found)
        return
    if not found:
        click.echo("no runs are kept")
        return
    say_table([("ID", "BEGUN", "PROJECT", "STATUS", "MODEL", "AGENT", "TOKENS", "SECONDS"), *map(_row, found)])


@runs.command()
@click.argument("run_id", metavar="ID")
@resource_option
@json_option
@on_target
def show(*, target: Target, run_id: str, resource: str | None, as_json: bool) -> None:
    r"""Draw a run: where its time went, what it made, what it used.

    ID is that of a response, of a classic agent's run, or of another job. On a terminal the picture is as wide as
    that is.

    \b
    Examples:
      forehearth runs show resp_6f1c2a
      forehearth runs show resp_6f1c2a --json | jq .items
    """

    async def act(api: AdminApi) -> Any:
        return await api.call("GET", _path(run_id), query=_query(resource))

    found = run(target, act)
    if as_json:
        say_json(found)
        return
    for line in (*facts(found), "", *drawn(found, _width())):
        click.echo(line)


@runs.command()
@click.argument("run_id", metavar="ID")
@resource_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each event, and for the end.")
@on_target
def tail(*, target: Target, run_id: str, resource: str | None, as_json: bool) -> int:
    r"""Follow a run: what it told, and what it tells, until it ends.

    Exit status: 0 where it completed, 1 where it ended otherwise, 130 after Ctrl-C, which leaves the run alone.

    \b
    Examples:
      forehearth runs tail resp_6f1c2a
      forehearth runs tail resp_6f1c2a --json | jq -r .name
    """
    return run(target, lambda api: followed(api, run_id, _query(resource), as_json=as_json))


async def followed(api: AdminApi, run_id: str, query: dict[str, str], *, as_json: bool) -> Exit:
    """Print what it tells until it ends; with which status the command does then."""
    whole = await api.call("GET", _path(run_id), query=query)
    if not as_json:
        _say(facts(whole))
    pieces = 0
    async for event in _events(api, run_id, query):
        if as_json:
            say_line(event)
        elif event["name"].endswith(".delta"):
            pieces += 1
        else:
            _say(told(event, pieces))
            pieces = 0
    whole = await api.call("GET", _path(run_id), query=query)
    status: str = whole["status"]
    if as_json:
        say_line({"status": status, "seconds": whole["seconds"], "tokens": whole["tokens"]})
    else:
        click.echo(f"{whole['seconds']:9.3f} s  {shown(status)}")
    return Exit.OK if status in _GOOD else Exit.FAILED


async def _events(api: AdminApi, run_id: str, query: dict[str, str]) -> AsyncIterator[Any]:
    """What it tells, each as it comes, until it has ended."""
    after: dict[str, str] = {}
    while True:
        page = await api.call("GET", f"{_path(run_id)}/events", query=query | after | {"limit": str(_MOST)})
        for each in page["value"]:
            yield each
            after = {"after": str(each["number"])}
        if page["ended"] and not page["value"]:
            return
        if not page["value"]:
            await asyncio.sleep(_LOOK_SECONDS)


def _say(lines: Iterator[str]) -> None:
    """Print them now, also where what reads them is a pipe."""
    for line in lines:
        click.echo(line)


def _row(found: Any) -> tuple[str, ...]:
    tokens = found["tokens"]
    return (
        shown(found["id"]),
        found["created"][:19].replace("T", " ") + "Z",
        shown(found["project"] or "-"),
        shown(found["status"]),
        shown(found["model"] or "-"),
        shown(found["agent"] or "-"),
        "-" if tokens is None else f"{tokens['prompt'] + tokens['completion']:,}",
        f"{found['seconds']:.3f}",
    )


def _path(run_id: str) -> str:
    return f"/admin/runs/{quote(run_id, safe='')}"


def _query(resource: str | None) -> dict[str, str]:
    return {} if resource is None else {"resource": resource}


def _width() -> int | None:
    """Columns of the terminal; None where there is none, and nothing needs to fit."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

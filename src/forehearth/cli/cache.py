"""`forehearth cache`: what the caches hold and how often they answer, and emptying them."""

from typing import Any

import click

from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.keys import json_option, resource_option
from forehearth.cli.output import say_json, say_table

_COLUMNS = ("DEPLOYMENT", "EXACT", "SEMANTIC", "ENTRIES", "MB", "HIT RATE", "HITS", "SHADOW", "MISSES", "REFUSED")
_MEGABYTE = 1_000_000


@click.group(no_args_is_help=True)
def cache() -> None:
    """Show what the caches hold and how often they answer, or empty them."""


@cache.command()
@resource_option
@json_option
@on_target
def show(*, target: Target, resource: str | None, as_json: bool) -> None:
    r"""Show the cache of each deployment that has one, in all workers together, since the server started.

    HITS were answered from the cache, SHADOW would have been, REFUSED are near answers that were not given because
    a number, a name or another word differs. The hit rate counts the calls that were looked for.

    \b
    Examples:
      forehearth cache show
      forehearth cache show --json | jq '.value[] | {deployment, hitRate}'
    """

    async def act(api: AdminApi) -> Any:
        return await api.call("GET", "/admin/cache", query={} if resource is None else {"resource": resource})

    found = run(target, act)
    if as_json:
        say_json(found)
        return
    if not found["value"]:
        click.echo("no deployment has a cache", err=True)
        return
    say_table([_COLUMNS, *map(_row, found["value"])])


@cache.command()
@click.option("--deployment", help="Only the cache of this deployment.  [default: all of them]")
@click.option("--project", help="Only answers to calls of this project; '' is what came by no project's path.")
@click.option("--caller", help="Only answers to this key (its name or id), user or application (its id).")
@resource_option
@on_target
def purge(
    *, target: Target, deployment: str | None, project: str | None, caller: str | None, resource: str | None
) -> None:
    r"""Empty the caches, or what they hold of a deployment, a project or a caller.

    When the command returns, every worker has done it. Calls that are being answered meanwhile are not kept.

    \b
    Examples:
      forehearth cache purge
      forehearth cache purge --deployment gpt-4o --caller shop
    """
    query = {"deployment": deployment, "project": project, "caller": caller, "resource": resource}

    async def act(api: AdminApi) -> Any:
        wanted = {name: value for name, value in query.items() if value is not None}
        return await api.call("DELETE", "/admin/cache", query=wanted)

    run(target, act)


def _row(found: Any) -> tuple[str, ...]:
    rate = found["hitRate"]
    return (
        found["deployment"],
        "on" if found["exact"] else "off",
        found["semantic"],
        str(found["entries"]),
        f"{found['bytes'] / _MEGABYTE:.1f}",
        "-" if rate is None else f"{rate:.1%}",
        str(found["hits"]),
        str(found["shadowHits"]),
        str(found["misses"]),
        str(found["refusedByGuards"]),
    )

"""`forehearth status`: how the backends are."""

import time
from datetime import datetime
from typing import Any

import click

from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.keys import json_option, resource_option
from forehearth.cli.output import say_json, say_table

_COLUMNS = (
    "DEPLOYMENT",
    "BACKEND",
    "MODEL",
    "PRIORITY",
    "STATE",
    "WHY",
    "NOW",
    "CALLS",
    "FAILED",
    "BUSY",
    "FIRST BYTE",
)


@click.command()
@resource_option
@json_option
@on_target
def status(*, target: Target, resource: str | None, as_json: bool) -> None:
    r"""Show how the backends are: which are asked, which are not and why, what they have to do, how quick they are.

    STATE is ready, due (the next call tries it), trial (one call does), failing (it is asked last), waiting (the host
    asked to be left alone), full (its limits are reached) or ejected; the last ones with the seconds until it is
    asked again. WHY is what went wrong last. NOW are the calls under way, FIRST BYTE is the median of the last ones.
    With several workers it is told what one of them knows; each has its own experience.

    \b
    Examples:
      forehearth status
      forehearth status --json | jq '.value[] | select(.state != "ready")'
    """
    query = {} if resource is None else {"resource": resource}

    async def act(api: AdminApi) -> Any:
        return await api.call("GET", "/admin/backends", query=query)

    found = run(target, act)
    if as_json:
        say_json(found)
        return
    say_table([_COLUMNS, *(_row(each, time.time()) for each in found["value"])])
    if found["workers"] > 1:
        click.echo(f"forehearth: so worker {found['worker']} of {found['workers']} knows it", err=True)


def _row(backend: Any, now: float) -> tuple[str, ...]:
    state = str(backend["state"])
    if backend["until"] is not None:
        left = datetime.fromisoformat(backend["until"]).timestamp() - now
        state += f" {max(0.0, left):.0f} s"
    first_byte = backend["firstByteSeconds"]
    return (
        backend["deployment"],
        backend["backend"],
        backend["model"],
        str(backend["priority"]),
        state,
        backend["why"] or "-",
        str(backend["inFlight"]),
        str(backend["calls"]),
        str(backend["failures"]),
        str(backend["busy"]),
        "-" if first_byte is None else f"{first_byte:.3f} s",
    )

"""`forehearth connections`: what a project's people use besides models. Credentials are read, and never shown.

None of them is ever an argument: those can be seen by everybody on the machine, and stay in the shell's history.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import quote

import click

from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.keys import json_option, resource_option
from forehearth.cli.output import CommandFailed, Exit, say_json, say_table
from forehearth.config.secrets import NoSecret, fetch
from forehearth.core.connection_settings import ConnectionType

PATH: Final = "/admin/connections"
_MOST_BYTES: Final = 16_384
_FORMS: Final = "- for standard input, ${NAME} for a variable of the environment, or file:PATH"
_TYPES: Final = click.Choice(list(get_args(ConnectionType)))

project_option = click.option("--project", default="default", show_default=True, help="The project that is meant.")


@click.group(no_args_is_help=True)
def connections() -> None:
    """Make, show, list and remove connections, and encrypt their credentials anew."""


@connections.command()
@click.argument("name")
@click.option("--type", "kind", type=_TYPES, required=True, help="What it is, in the service's words.")
@click.option("--target", "address", required=True, help="Where it is.")
@click.option("--default", is_flag=True, help="It is the one that is meant where its type is asked for.")
@click.option("--api-key", "key_from", metavar="SOURCE", help=f"Where its API key is: {_FORMS}.")
@click.option("--sas", "sas_from", metavar="SOURCE", help="Where its shared access signature is; likewise.")
@click.option(
    "--custom",
    multiple=True,
    metavar="NAME=SOURCE",
    help="Where a credential of that name is; more than once for more.",
)
@click.option("--entra", is_flag=True, help="Its clients bring tokens of their own.")
@click.option("--metadata", multiple=True, metavar="NAME=TEXT", help="What else there is to know; more than once.")
@click.option("--replace", is_flag=True, help="There is one of that name: write it anew.")
@project_option
@resource_option
@json_option
@on_target
def create(
    *,
    target: Target,
    name: str,
    kind: str,
    address: str,
    default: bool,
    key_from: str | None,
    sas_from: str | None,
    custom: tuple[str, ...],
    entra: bool,
    metadata: tuple[str, ...],
    replace: bool,
    project: str,
    resource: str | None,
    as_json: bool,
) -> None:
    r"""Make the connection NAME. Its credentials are encrypted before they are kept.

    \b
    Examples:
      forehearth connections create search --type CognitiveSearch --target https://search.example.com --api-key -
      forehearth connections create blobs --type AzureBlob --target https://b.example.com --sas file:sas.txt
      forehearth connections create search --replace --type CognitiveSearch --target … --api-key '${SEARCH_KEY}'
    """
    body: dict[str, object] = {"type": kind, "target": address, "default": default, "entra": entra}
    body |= {"metadata": dict(map(_pair, metadata))}
    if key_from is not None:
        body["key"] = _secret(key_from)
    if sas_from is not None:
        body["sas"] = _secret(sas_from)
    if custom:
        body["keys"] = {member: _secret(source) for member, source in map(_pair, custom)}

    async def act(api: AdminApi) -> Any:
        if replace:
            return await api.call("PUT", _path(name), query=_query(project, resource), body=body)
        return await api.call("POST", PATH, query=_query(project, resource), body=body | {"name": name})

    _tell(run(target, act), as_json=as_json)


@connections.command("list")
@project_option
@resource_option
@json_option
@on_target
def list_(*, target: Target, project: str, resource: str | None, as_json: bool) -> None:
    r"""List the connections of a project, those of the configuration too. No credential is shown.

    \b
    Examples:
      forehearth connections list
      forehearth connections list --project sales --json
    """

    async def act(api: AdminApi) -> Any:
        return await api.call("GET", PATH, query=_query(project, resource))

    found = run(target, act)["value"]
    if as_json:
        say_json(found)
        return
    say_table([("NAME", "TYPE", "TARGET", "CREDENTIALS", "DEFAULT", "SOURCE"), *map(_row, found)])


@connections.command()
@click.argument("name")
@project_option
@resource_option
@json_option
@on_target
def show(*, target: Target, name: str, project: str, resource: str | None, as_json: bool) -> None:
    r"""Show one connection, without its credentials.

    \b
    Example:
      forehearth connections show search
    """

    async def act(api: AdminApi) -> Any:
        return await api.call("GET", _path(name), query=_query(project, resource))

    _tell(run(target, act), as_json=as_json)


@connections.command()
@click.argument("name")
@project_option
@resource_option
@on_target
def delete(*, target: Target, name: str, project: str, resource: str | None) -> None:
    r"""Remove a connection.

    \b
    Example:
      forehearth connections delete search
    """

    async def act(api: AdminApi) -> Any:
        return await api.call("DELETE", _path(name), query=_query(project, resource))

    run(target, act)
    click.echo(f"the connection {name} is removed", err=True)


@connections.command("rotate-key")
@resource_option
@json_option
@on_target
def rotate_key(*, target: Target, resource: str | None, as_json: bool) -> int:
    r"""Encrypt the credentials of all connections anew, with a new key.

    Where the configuration has store.encryption_keys, put the new key first there, start the servers anew, and do this
    then: afterwards the old one can go.

    \b
    Example:
      forehearth connections rotate-key
    """

    async def act(api: AdminApi) -> Any:
        return await api.call("POST", f"{PATH}/reseal", query={} if resource is None else {"resource": resource})

    done = run(target, act)
    if as_json:
        say_json(done)
    else:
        key = "a new key" if done["newKey"] else "the first key of the configuration"
        click.echo(f"{done['resealed']} connections are encrypted anew, with {key}")
        if done["unreadable"]:
            click.echo(f"forehearth: {done['unreadable']} cannot be read: make them anew", err=True)
    return Exit.FAILED if done["unreadable"] else Exit.OK


def _secret(source: str) -> str:
    """The credential that an option refers to. Raises `CommandFailed`; nothing of it is ever said."""
    if source == "-":
        text = sys.stdin.read(_MOST_BYTES + 2)
    else:
        try:
            text = fetch(source, folder=Path.cwd(), environ=os.environ).reveal()
        except NoSecret as error:
            raise CommandFailed(
                "a credential is no argument, or cannot be had", f"Write {_FORMS}.", Exit.USAGE
            ) from error
    found = text.removesuffix("\n").removesuffix("\r")
    if not found or len(found) > _MOST_BYTES:
        raise CommandFailed(f"a credential has 1 to {_MOST_BYTES} characters", "", Exit.USAGE)
    return found


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not (name and mark):
        raise CommandFailed(
            "a name and what belongs to it are joined by '='", "For example --metadata team=search", Exit.USAGE
        )
    return name, value


def _tell(found: Any, *, as_json: bool) -> None:
    if as_json:
        say_json(found)
        return
    rows: Sequence[tuple[str, Callable[[Any], str]]] = (
        ("name", str),
        ("project", str),
        ("type", str),
        ("target", str),
        ("credentials", str),
        ("default", _yes),
        ("source", str),
        ("updated", lambda moment: "-" if moment is None else moment[:19].replace("T", " ") + "Z"),
    )
    for name, worded in rows:
        click.echo(f"{name:<13}{worded(found[name])}")
    for name, text in found["metadata"].items():
        click.echo(f"{'metadata':<13}{name}={text}")


def _row(found: Any) -> tuple[str, ...]:
    return (
        *(str(found[name]) for name in ("name", "type", "target", "credentials")),
        _yes(found["default"]),
        found["source"],
    )


def _yes(whether: Any) -> str:
    return "yes" if whether else "no"


def _path(name: str) -> str:
    return f"{PATH}/{quote(name, safe='')}"


def _query(project: str, resource: str | None) -> dict[str, str]:
    return {"project": project} | ({} if resource is None else {"resource": resource})

"""`forehearth endpoints`: where clients are pointed at, shape by shape, at a server or at an Azure resource."""

import asyncio
from collections.abc import Sequence

import click

from forehearth.cli.calling import Wire
from forehearth.cli.connection import (
    Credential,
    NoCredential,
    Wish,
    address_of,
    auth_of,
    authority_of,
    credential_of,
    on_connection,
)
from forehearth.cli.deployments import Deployment, chosen, deployments
from forehearth.cli.output import CommandFailed, say_json, say_table
from forehearth.connectors import listing
from forehearth.connectors.exports import FAMILIES, Family, exports
from forehearth.connectors.places import Address
from forehearth.connectors.remedies import of_failure
from forehearth.connectors.shapes import SHAPES, ShapeName
from forehearth.core.errors import Failed
from forehearth.server import served
from forehearth.transport.client import HttpClient

_COMPARED: tuple[ShapeName, ...] = ("foundry", "v1", "classic", "project")


@click.command()
@click.option("--shape", "only", type=click.Choice(list(SHAPES)), help="This shape alone.")
@click.option("--compare", is_flag=True, help="Foundry, OpenAI v1, classic and project side by side.")
@click.option("--operations", is_flag=True, help="Every operation, not only the families of them.")
@click.option("--env", "family", type=click.Choice(FAMILIES), help="Print the variables that such programs read.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@on_connection
def endpoints(
    *,
    wish: Wish,
    only: ShapeName | None,
    compare: bool,
    operations: bool,
    family: Family | None,
    markdown: bool,
    as_json: bool,
) -> None:
    r"""Show where clients are pointed at: each shape's base URL, api-version, credentials, SDKs, state, operations.

    For this server, or for an Azure resource by its public addresses; then the operations are those of them that
    Forehearth serves as well. With a credential the deployments are asked for. No key is printed: --env names it by
    the place where it is.

    \b
    Examples:
      forehearth endpoints --compare
      forehearth endpoints --resource my-resource --project my-project --json
      eval "$(forehearth endpoints --env openai)"
    """
    address = address_of(wish, secure=family == "projects", usual=True)
    if family is not None:
        _say_exports(wish, address, family)
        return
    shapes = _COMPARED if compare else (only,) if only else tuple(SHAPES)
    every = [each for each in listing.listed(address, served.endpoints()) if each.shape.name in shapes]
    found = _deployments(wish, address)
    if as_json:
        told = None if isinstance(found, str) else [_told(each) for each in found]
        say_json({"shapes": [listing.as_json(each) for each in every], "deployments": told})
    elif compare:
        table = listing.comparison(every)
        if markdown:
            click.echo(listing.markdown_table(table))
        else:
            _say_columns(table)
    elif markdown:
        click.echo("\n\n".join(listing.markdown(each) for each in every))
    else:
        _say(every, found, operations=operations)


def _say(every: Sequence[listing.Listed], found: Sequence[Deployment] | str, *, operations: bool) -> None:
    for each in every:
        click.echo(f"{each.shape.title}  ({each.shape.name})")
        for name, value in listing.rows(each):
            if name != "operations" or not operations:
                click.echo(f"  {name:<12} {listing.plain(value)}")
        for operation in each.operations if operations else ():
            method, _, path = operation.partition(" ")
            click.echo(f"  {method:<12} {path}")
        click.echo()
    if isinstance(found, str):
        click.echo(f"forehearth: the deployments are not known: {found}", err=True)
    elif found:
        say_table([("DEPLOYMENT", "MODEL", "CHATS"), *((each.name, each.model or "-", _yes(each)) for each in found)])


def _say_columns(table: Sequence[Sequence[str]]) -> None:
    """A table whose cells are long: each row under its name, a line a shape."""
    heads = [listing.plain(each) for each in table[0][1:]]
    width = max(map(len, heads))
    for row in table[1:]:
        click.echo(row[0])
        for head, value in zip(heads, row[1:], strict=True):
            click.echo(f"  {head:<{width}}  {listing.plain(value)}")
        click.echo()


def _deployments(wish: Wish, address: Address) -> Sequence[Deployment] | str:
    """The deployments, or why they are not known."""
    try:
        credential = _credential(wish, address)
        return asyncio.run(_asked(wish, address, credential))
    except CommandFailed as error:
        return error.message
    except Failed as error:
        return of_failure(error, address.origin_of(SHAPES["v1"])).cause


def _credential(wish: Wish, address: Address) -> Credential:
    shape = SHAPES["v1"]
    return credential_of(wish, address, shape, auth_of(wish, shape))


async def _asked(wish: Wish, address: Address, credential: Credential) -> Sequence[Deployment]:
    async with HttpClient() as client:
        wire = Wire(client=client, ca=authority_of(wish, address))
        return await deployments(wire, address, credential)


def _say_exports(wish: Wish, address: Address, family: Family) -> None:
    try:
        credential = None if family == "projects" else _credential(wish, address)
    except NoCredential as error:
        credential = None
        click.echo(f"forehearth: {error.message}. {error.remedy}", err=True)
    found = _deployments(wish, address)
    name = "" if isinstance(found, str) else chosen(list(found))
    shown = None if credential is None else credential.shown
    for variable, value in exports(family, address, shown, name).items():
        click.echo(f'export {variable}="{value}"')
    if isinstance(found, str):
        click.echo(f"forehearth: the deployment is not known: {found}", err=True)


def _told(each: Deployment) -> dict[str, object]:
    return {"name": each.name, "model": each.model or None, "chats": each.chats}


def _yes(each: Deployment) -> str:
    return "-" if each.chats is None else "yes" if each.chats else "no"

"""`forehearth connector`: the files with which a low-code platform makes a connector to a server."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import click

from forehearth.cli.calling import Wire
from forehearth.cli.connection import Wish, address_of, auth_of, authority_of, credential_of, on_connection
from forehearth.cli.deployments import Deployment, deployments
from forehearth.cli.output import CommandFailed, Exit, say_json
from forehearth.cli.refusals import unreachable
from forehearth.connectors.exported import Entra, Exported, Platform, Wanted, exported
from forehearth.connectors.forms import COMMON, OPERATIONS
from forehearth.connectors.icon import icon
from forehearth.connectors.members import OperationName
from forehearth.connectors.places import Address
from forehearth.connectors.shapes import FOUNDRY_SCOPE, SHAPES
from forehearth.core.errors import Failed, InvalidField
from forehearth.core.loopback import is_loopback
from forehearth.server.describing import description
from forehearth.transport.client import HttpClient
from forehearth.wire.swagger import swagger

_AUDIENCE: Final = FOUNDRY_SCOPE.removesuffix("/.default")
_DOCUMENT: Final = "openai-v1"


@click.group(no_args_is_help=True)
def connector() -> None:
    """Make connectors for low-code platforms."""


@connector.command()
@click.argument("platform", type=click.Choice(get_args(Platform)))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder to write the files to."
)
@click.option("--force", is_flag=True, help="Replace the files that are there.")
@click.option(
    "--deployment",
    "names",
    multiple=True,
    help="A deployment or route to offer; give it again for each.  [default: all; the designer asks the server]",
)
@click.option(
    "--operation",
    "operations",
    multiple=True,
    type=click.Choice([*OPERATIONS]),
    help="An operation to have; give it again for each.  [default: all that the deployments can; without these, "
    "chat, embeddings and responses]",
)
@click.option("--title", default="Forehearth", show_default=True, help="The connector's name in the designers.")
@click.option("--public-url", help="Where the platform reaches the server.  [default: where this command does]")
@click.option(
    "--sign-in",
    type=click.Choice(["key", "entra"]),
    default="key",
    show_default=True,
    help="What a connection is made with: an API key, or an account of Microsoft Entra ID.",
)
@click.option("--client-id", help="With entra: the application that is registered for the connector.")
@click.option("--tenant", default="common", show_default=True, help="With entra: whose accounts may sign in.")
@click.option("--audience", default=_AUDIENCE, show_default=True, help="With entra: what the tokens are for.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
@on_connection
def export(
    *,
    wish: Wish,
    platform: Platform,
    out: Path,
    force: bool,
    names: Sequence[str],
    operations: Sequence[str],
    title: str,
    public_url: str | None,
    sign_in: str,
    client_id: str | None,
    tenant: str,
    audience: str,
    as_json: bool,
) -> None:
    r"""Write the files of a connector for PLATFORM: power-platform (Power Automate, Power Apps), or logic-apps.

    They are apiDefinition.swagger.json, which the platforms' wizards import, apiProperties.json, icon.png, and for
    Power Platform settings.json: 'paconn create --settings settings.json' in the folder makes the connector. No key
    is in them: each connection brings its own.

    The operations are chat, embeddings, responses, images and transcription. With --deployment the server is asked
    what these can, and each operation offers those that fit; without, nobody is asked here, and the designer fetches
    the list.

    \b
    Examples:
      forehearth connector export power-platform --out connector --public-url https://models.example.com
      forehearth connector export logic-apps --out connector --deployment chat --operation chat
      forehearth connector export power-platform --out connector --sign-in entra --client-id APPLICATION_ID
    """
    address = _own(address_of(wish))
    entra = _entra(client_id, tenant, audience) if sign_in == "entra" else None
    try:
        public = _own(Address.of_url(public_url)) if public_url else address
        document = swagger(description(_DOCUMENT, public.origin))
        wished = operations or (OPERATIONS if names else COMMON)
        chosen = [each for each in OPERATIONS if each in wished]
        offered = _offered(chosen, _asked(wish, address, names) if names else [], given=bool(operations))
        made = exported(Wanted(platform=platform, title=title, operations=offered, entra=entra), document)
    except InvalidField as error:
        raise CommandFailed(
            error.message.removesuffix("."), "'forehearth connector export --help' tells what there is.", Exit.USAGE
        ) from error
    files = _files(made)
    _write(out, files, force=force)
    _say(made, out, files, as_json=as_json)
    _warn(public)


def _warn(public: Address) -> None:
    """Say what will keep the platform from calling there, or the keys from being secret."""
    parts = urlsplit(public.origin)
    if is_loopback(parts.hostname or ""):
        trouble = f"the platform cannot reach {public.origin}: name the server's address with --public-url"
    elif parts.scheme == "http":
        trouble = f"keys and prompts go to {public.origin} for all to read: name its https with --public-url"
    else:
        return
    click.echo(f"forehearth: {trouble}", err=True)


def _own(address: Address) -> Address:
    if address.is_azure:
        raise CommandFailed(
            "this exports connectors to Forehearth alone",
            "For an Azure resource the platforms have the connector 'Azure OpenAI'.",
            Exit.USAGE,
        )
    return address


def _entra(client_id: str | None, tenant: str, audience: str) -> Entra:
    if not client_id:
        raise CommandFailed(
            "--sign-in entra needs an application",
            "Register one in Microsoft Entra ID for the connector, and give its id with --client-id.",
            Exit.USAGE,
        )
    return Entra(client_id=client_id, tenant=tenant, audience=audience)


def _asked(wish: Wish, address: Address, names: Sequence[str]) -> list[Deployment]:
    """The deployments of these names. Raises `CommandFailed` for one that is not there, and for no answer."""
    shape = SHAPES["v1"]
    credential = credential_of(wish, address, shape, auth_of(wish, shape))

    async def act() -> list[Deployment]:
        async with HttpClient() as client:
            return await deployments(Wire(client=client, ca=authority_of(wish, address)), address, credential)

    try:
        found = {each.name: each for each in asyncio.run(act())}
    except Failed as error:
        raise unreachable(error, address.origin) from error
    for name in names:
        if name not in found:
            raise CommandFailed(
                f"there is no deployment or route '{name}'", f"There are: {', '.join(found) or 'none'}.", Exit.USAGE
            )
    return [found[name] for name in dict.fromkeys(names)]


def _offered(
    chosen: Sequence[OperationName], named: Sequence[Deployment], *, given: bool
) -> Mapping[OperationName, Sequence[str]]:
    """Which deployments each operation offers; an operation that none of them can is left out, unless it was given."""
    able = {name: [each.name for each in named if _can(each, name)] for name in chosen}
    unable = [name for name, found in able.items() if named and not found]
    if unable and (given or len(unable) == len(able)):
        raise CommandFailed(
            f"none of the deployments can be asked for {' or '.join(unable)}",
            "Name others with --deployment: 'forehearth endpoints' lists them.",
            Exit.USAGE,
        )
    return {name: found for name, found in able.items() if name not in unable}


def _can(deployment: Deployment, operation: OperationName) -> bool:
    able: Mapping[OperationName, bool | None] = {
        "embeddings": deployment.embeds,
        "images": deployment.pictures,
        "transcription": deployment.hears,
    }
    return bool(able.get(operation, deployment.chats))


def _files(made: Exported) -> dict[str, bytes]:
    found: dict[str, Mapping[str, Any] | None] = {
        "apiDefinition.swagger.json": made.definition,
        "apiProperties.json": made.properties,
        "settings.json": made.settings,
    }
    texts = {name: json.dumps(each, indent=2).encode() + b"\n" for name, each in found.items() if each is not None}
    return {**texts, "icon.png": icon()}


def _write(folder: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise CommandFailed(
            f"{folder / there[0]} is there already", "Name another folder, or replace it with --force.", Exit.USAGE
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _say(made: Exported, folder: Path, files: Mapping[str, bytes], *, as_json: bool) -> None:
    actions = [each["operationId"] for item in made.definition["paths"].values() for each in item.values()]
    address = f"{made.definition['schemes'][0]}://{made.definition['host']}{made.definition['basePath']}"
    if as_json:
        written = {name: len(content) for name, content in files.items()}
        say_json({"folder": str(folder), "files": written, "address": address, "operations": actions})
        return
    click.echo(f"{', '.join(actions)} at {address}")
    for name, content in files.items():
        click.echo(f"{folder / name}  {len(content):,} bytes")

"""`forehearth call`: one prompt to a shape of a server or of an Azure resource, or the request for it to paste."""

import asyncio
import sys
from pathlib import Path
from typing import Final

import click

from forehearth.cli.calling import Wire
from forehearth.cli.connection import (
    Credential,
    Wish,
    address_of,
    auth_of,
    authority_of,
    credential_of,
    on_connection,
    shown_of,
)
from forehearth.cli.deployments import deployment_for
from forehearth.cli.output import CommandFailed, Exit, fit_for_a_terminal, say_json
from forehearth.cli.refusals import refused, unreachable
from forehearth.connectors import shown
from forehearth.connectors.asking import Ask, Prompt, ask
from forehearth.connectors.remedies import Circumstances
from forehearth.connectors.said import Broken, Said, whole
from forehearth.connectors.shapes import SHAPES, ShapeName
from forehearth.core.errors import Failed
from forehearth.transport.client import HttpClient

_FIRST_ERROR: Final = 400
SHAPE_OPTION = click.option(
    "--shape", type=click.Choice(list(SHAPES)), default="v1", show_default=True, help="In which shape to ask."
)
DEPLOYMENT_OPTION = click.option(
    "--deployment", help="Which deployment or route to ask.  [default: 'default', else the first that chats]"
)
VERSION_OPTION = click.option("--api-version", help="Another api-version than the shape's clients send.")


@click.command()
@click.argument("prompt")
@SHAPE_OPTION
@DEPLOYMENT_OPTION
@VERSION_OPTION
@click.option("--no-stream", is_flag=True, help="Ask for the answer in one piece.")
@click.option("--show", is_flag=True, help="Print the request as curl and as Python, and send none.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer, or with --show the request, as JSON.")
@on_connection
def call(
    *,
    wish: Wish,
    prompt: str,
    shape: ShapeName,
    deployment: str | None,
    api_version: str | None,
    no_stream: bool,
    show: bool,
    as_json: bool,
) -> None:
    r"""Send PROMPT to a model and print the answer as it comes.

    The shapes are those of 'forehearth endpoints': foundry, v1, responses, classic and project. With --show, what is
    printed runs as it is: the key stays where it is and is named by its place.

    \b
    Examples:
      forehearth call "Name the capital of France."
      forehearth call --shape classic --deployment gpt-4o --resource my-resource "Hello"
      forehearth call --shape project --auth token --show "Hello"
    """
    _require_text(prompt)
    wanted = SHAPES[shape]
    auth = auth_of(wish, wanted)
    address = address_of(wish, secure=auth == "token")
    ca = authority_of(wish, address)

    def asked_of(name: str) -> Ask:
        said = Prompt(text=prompt, deployment=name, stream=not no_stream, version=api_version)
        return ask(wanted, address, said)

    if show and deployment:
        _show(asked_of(deployment), shown_of(wish, address, wanted, auth), ca, as_json=as_json)
        return
    credential = credential_of(wish, address, wanted, auth)

    async def act() -> None:
        async with HttpClient() as client:
            wire = Wire(client=client, ca=ca)
            name = deployment or await deployment_for(wire, address, credential)
            asked = asked_of(name)
            if show:
                _show(asked, credential.shown, ca, as_json=as_json)
                return
            text = await spoken(wire, asked, credential, quiet=as_json)
            if as_json:
                say_json({"shape": shape, "url": asked.url, "deployment": name, "text": text})

    try:
        asyncio.run(act())
    except Failed as error:
        raise unreachable(error, address.origin_of(wanted)) from error


async def spoken(wire: Wire, asked: Ask, credential: Credential, *, quiet: bool = False) -> str:
    """The answer's text, printed as it comes unless `quiet`. Raises `CommandFailed` for a refusal, and `Failed`."""
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if not quiet:
            sys.stdout.write(fit_for_a_terminal(text) if sys.stdout.isatty() else text)
            sys.stdout.flush()

    async with wire.asked(asked, credential) as response:
        if response.status >= _FIRST_ERROR:
            raise refused(response.status, response.body, _about(asked, credential))
        try:
            if response.stream is None:
                say(whole(response.body))
            else:
                events = Said()
                async for piece in response.stream:
                    say(events.feed(piece))
                events.finish()
        except Broken as error:
            message = str(error).replace("The backend", "The server")  # it is written for who asks a backend
            raise CommandFailed(message.removesuffix("."), "'forehearth doctor' looks for the reason.") from error
        finally:
            if not quiet:
                sys.stdout.write("\n")
    return "".join(said)


def _about(asked: Ask, credential: Credential) -> Circumstances:
    return Circumstances(shape=asked.shape, address=asked.address, auth=credential.auth, deployment=asked.deployment)


def _show(asked: Ask, credential: shown.Credential, ca: Path | None, *, as_json: bool) -> None:
    as_curl = shown.curl(asked, credential, ca)
    as_python = shown.python(asked, credential)
    if as_json:
        say_json({"method": asked.method, "url": asked.url, "body": asked.body, "curl": as_curl, "python": as_python})
        return
    click.echo(f"# curl\n{as_curl}\n\n# Python\n{as_python}")


def _require_text(prompt: str) -> None:
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise CommandFailed("the prompt is not text in UTF-8", "", Exit.USAGE) from None

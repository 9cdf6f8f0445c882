"""`forehearth chat`: a conversation in the terminal, each answer as it streams."""

import asyncio
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import click

from forehearth.cli.call import DEPLOYMENT_OPTION, SHAPE_OPTION, VERSION_OPTION, spoken
from forehearth.cli.calling import Wire
from forehearth.cli.connection import Wish, address_of, auth_of, authority_of, credential_of, on_connection
from forehearth.cli.deployments import deployment_for
from forehearth.cli.output import CommandFailed, say_error
from forehearth.cli.refusals import unreachable
from forehearth.connectors.asking import Prompt, ask
from forehearth.connectors.shapes import SHAPES, ShapeName
from forehearth.core.errors import Failed
from forehearth.transport.client import HttpClient

_QUIT: Final = frozenset({"/quit", "/exit", "/bye"})
_NEW: Final = "/new"
_PROMPT: Final = "> "
_COMMAND: Final = re.compile(r"/[a-z?]*")
"""A line of one word like this is a command, and no prompt: one that nobody knows is told what there is."""

Said = tuple[Mapping[str, str], ...]
"""The messages of a conversation until now."""
Turn = Callable[[Said, str], Said]
"""From what was said and the next prompt to both and the answer, which is printed. Raises `CommandFailed`."""


@click.command()
@SHAPE_OPTION
@DEPLOYMENT_OPTION
@VERSION_OPTION
@click.option("--system", help="What the model is told before anything is said.")
@on_connection
def chat(*, wish: Wish, shape: ShapeName, deployment: str | None, api_version: str | None, system: str | None) -> None:
    r"""Chat with a model: each line is a prompt, and the answer is printed as it comes.

    The whole conversation is sent with each prompt, so nothing has to be kept elsewhere. /new begins another one,
    /quit or the end of the input ends it, and Ctrl-C breaks off an answer. A refusal is told, and the chat goes on.

    \b
    Examples:
      forehearth chat
      forehearth chat --shape responses --deployment gpt-4o --resource my-resource
      echo "Name the capital of France." | forehearth chat
    """
    wanted = SHAPES[shape]
    auth = auth_of(wish, wanted)
    address = address_of(wish, secure=auth == "token")
    wire_ca = authority_of(wish, address)
    credential = credential_of(wish, address, wanted, auth)

    async def named() -> str:
        async with HttpClient() as client:
            return await deployment_for(Wire(client=client, ca=wire_ca), address, credential)

    async def answered(said: Said, text: str) -> str:
        prompt = Prompt(text=text, deployment=name, version=api_version, before=said)
        async with HttpClient() as client:
            return await spoken(Wire(client=client, ca=wire_ca), ask(wanted, address, prompt), credential)

    def turn(said: Said, text: str) -> Said:
        try:
            answer = asyncio.run(answered(said, text))
        except Failed as error:
            raise unreachable(error, address.origin_of(wanted)) from error
        return (*said, {"role": "user", "content": text}, {"role": "assistant", "content": answer})

    try:
        name = deployment or asyncio.run(named())
    except Failed as error:
        raise unreachable(error, address.origin_of(wanted)) from error
    first: Said = () if system is None else ({"role": "system", "content": system},)
    if sys.stdin.isatty():
        click.echo(f"{name} at {address.base(wanted)}; /new begins again, /quit ends.", err=True)
        _talk(turn, first)
    else:
        _read(turn, first, sys.stdin)


def _talk(turn: Turn, first: Said) -> None:
    """With a person: what is refused is told, and the next line is another try."""
    said = first
    while True:
        try:
            line = input(_PROMPT).strip()
        except EOFError:
            click.echo()
            return
        if line in _QUIT:
            return
        if line == _NEW:
            said = first
        elif _COMMAND.fullmatch(line):
            click.echo("/new begins another conversation, /quit ends; everything else is a prompt.", err=True)
        elif line:
            try:
                said = turn(said, line)
            except CommandFailed as error:
                say_error(error.message, error.remedy, error.exit_code, as_json=False)
            except KeyboardInterrupt:
                click.echo(" (broken off)")


def _read(turn: Turn, first: Said, lines: Iterable[str]) -> None:
    """With a program: each line is a prompt, and the first refusal is the end. Raises `CommandFailed`."""
    said = first
    for line in lines:
        text = line.strip()
        if text in _QUIT:
            return
        said = first if text == _NEW else turn(said, text) if text else said

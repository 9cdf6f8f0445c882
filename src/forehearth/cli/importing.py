"""`forehearth import`: a configuration made of what is there already. Whatever is asked is only read."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from forehearth.cli.calling import Wire
from forehearth.cli.connection import TOKEN_VARIABLE, clean, entra
from forehearth.cli.output import CommandFailed, Exit
from forehearth.cli.refusals import unreachable
from forehearth.connectors.azure_import import Account, account, configuration
from forehearth.connectors.said import error_of
from forehearth.core.errors import Failed
from forehearth.core.secret import Secret
from forehearth.transport.client import HttpClient

MANAGEMENT: Final = "https://management.azure.com"
_SUBSCRIPTIONS: Final = "2022-12-01"
_ACCOUNTS: Final = "2024-10-01"
"""Versions of the control plane's API."""
_MOST_PAGES: Final = 200
_REMEDIES: Final = {
    HTTPStatus.UNAUTHORIZED: "The token is not for the control plane, or has expired: sign in with 'az login'.",
    HTTPStatus.FORBIDDEN: "Have the role Reader assigned at the resource, or name another --subscription.",
    HTTPStatus.NOT_FOUND: "Look at the name of the subscription.",
}


@click.group("import", no_args_is_help=True)
def import_() -> None:
    """Make a configuration of what is there already."""


@import_.command()
@click.option("--resource", required=True, help="The name of the resource.")
@click.option("--subscription", help="Its subscription's id.  [default: all that you see are looked through]")
@click.option(
    "--key-variable",
    help="The environment variable that will have the resource's key.  [default: none, an identity of Entra ID]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it; a file that is there is left as it is.  [default: printed]",
)
@click.option(
    "--token", envvar=TOKEN_VARIABLE, help=f"A token; {TOKEN_VARIABLE}, else one of whoever is signed in to Azure."
)
@click.option("--management-url", default=MANAGEMENT, show_default=True, help="The control plane, of another cloud.")
def azure(
    *,
    resource: str,
    subscription: str | None,
    key_variable: str | None,
    output: Path | None,
    token: str | None,
    management_url: str,
) -> None:
    r"""Make a configuration of an Azure OpenAI or Foundry resource: its deployments, models and quotas.

    The control plane is read, and nothing is changed there; the role Reader is enough. No key is read: the
    configuration names an identity of Entra ID, or the variable that will have the key. What has no place here yet,
    such as images, stands in a comment.

    \b
    Examples:
      forehearth import azure --resource my-resource --output forehearth.yaml
      forehearth import azure --resource my-resource --key-variable AZURE_OPENAI_API_KEY
    """
    if output is not None and output.exists():
        raise CommandFailed(f"{output} is there already", "Name another file.", Exit.USAGE)
    management = management_url.rstrip("/")
    secret = clean(token, "token") if token else entra(f"{management}/.default")

    async def act() -> tuple[Account, list[dict[str, Any]]]:
        async with HttpClient() as client:
            plane = _Plane(Wire(client=client, ca=None), management, secret)
            found = await plane.account(resource, subscription)
            path = f"{found.id}/deployments?api-version={_ACCOUNTS}"
            return found, [each async for each in plane.each(path)]

    try:
        found, told = asyncio.run(act())
    except Failed as error:
        raise unreachable(error, management) from error
    made = configuration(found, told, key=key_variable)
    if output is None:
        click.echo(made.text, nl=False)
    else:
        output.write_text(made.text, encoding="utf-8")
    for each in made.left_out:
        click.echo(f"forehearth: left out: {each}", err=True)


class _Plane:
    """The control plane, read page by page."""

    def __init__(self, wire: Wire, url: str, token: Secret) -> None:
        self._wire = wire
        self._url = url
        self._token = token

    async def account(self, name: str, subscription: str | None) -> Account:
        """The resource of that name. Raises `CommandFailed` where there is none."""
        if subscription is None:
            path = f"/subscriptions?api-version={_SUBSCRIPTIONS}"
            subscriptions = [str(each.get("subscriptionId", "")) async for each in self.each(path)]
        else:
            subscriptions = [subscription]
        for each in subscriptions:
            path = f"/subscriptions/{quote(each, safe='')}/providers/Microsoft.CognitiveServices/accounts"
            async for told in self.each(f"{path}?api-version={_ACCOUNTS}"):
                found = account(told)
                if found.name.lower() == name.lower():
                    return found
        raise CommandFailed(
            f"there is no resource '{name}' in {len(subscriptions)} subscriptions that you see",
            "Look at its name, and at the account that you are signed in with.",
        )

    async def each(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Everything that a list has, over all its pages. The token goes to the control plane alone."""
        url: str | None = self._url + path
        for _ in range(_MOST_PAGES):
            if not url:
                return
            if not url.startswith(f"{self._url}/"):
                raise CommandFailed("the list goes on at another host, which gets no token of yours")
            page = await self._page(url)
            for each in page.get("value") or ():
                if isinstance(each, dict):
                    yield each
            url = page.get("nextLink")
        raise CommandFailed(f"a list has more than {_MOST_PAGES} pages")

    async def _page(self, url: str) -> dict[str, Any]:
        status, answer, response = await self._wire.get(url, self._token)
        if status == HTTPStatus.OK and isinstance(answer, dict):
            return answer
        _, message = error_of(response.body)
        remedy = next((words for each, words in _REMEDIES.items() if each == status), "")
        raise CommandFailed(f"the control plane answered {status}: {message or 'no JSON'}".removesuffix("."), remedy)

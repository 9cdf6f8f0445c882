"""`forehearth token`: a token of the development issuer, as `az account get-access-token` gives one of Entra ID.

Here is also how commands ask the issuer: at the addresses of the server that works in a data directory, with the
secret that lies there, and on this machine only, because the secret goes with it.
"""

import asyncio
import os
import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import click
import msgspec

from forehearth.cli.output import CommandFailed, Exit, say_json
from forehearth.core.errors import Failed
from forehearth.core.exchange import Header
from forehearth.core.loopback import is_loopback
from forehearth.core.secret import Secret
from forehearth.core.settings import OutboundSettings
from forehearth.core.upstream import Request, Response, Timeouts
from forehearth.identity.development.addresses import APP_SERVICE, APP_SERVICE_VERSION, DEFAULT_SCOPE, SCOPE_SUFFIX
from forehearth.identity.development.identity_header import header_of
from forehearth.identity.development.installation import Installation, stored
from forehearth.providers import address
from forehearth.server.certificates import bundle_path
from forehearth.server.data_directory import DataDirectory, default_path
from forehearth.transport.client import HttpClient

DEFAULT_ORIGINS: Final = ("http://127.0.0.1:8080", "https://localhost:8443")
"""Where a server is that nobody said anything about."""
DEFAULT_USER: Final = "developer"

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The server's data directory.  [default: the server's own default]",
)
URL = click.option(
    "--url", help="The server's address.  [default: as it told the data directory, else FOREHEARTH_URL, else 8080/8443]"
)
USER = click.option(
    "--user", default=DEFAULT_USER, show_default=True, help="A user under identity.development.users, or 'developer'."
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TIMES = Timeouts(connect=5.0, first_byte=10.0, idle=10.0, total=15.0)


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """The development issuer of a server here, and the installation whose secret opens it."""

    data: DataDirectory
    installation: Installation
    origins: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Where it is asked."""
        return self.origins[0]

    @property
    def secure_origin(self) -> str | None:
        """Where the server speaks TLS, which clients insist on for tokens; None where it does not."""
        return next((each for each in self.origins if each.startswith("https:")), None)

    def header(self, user: str) -> Secret:
        """What says that this user asks. Raises `CommandFailed` for what is nobody's name."""
        if not _NAME.fullmatch(user):
            raise CommandFailed("no user has such a name", "It has letters, digits, '.', '_' and '-'.", Exit.USAGE)
        return header_of(self.installation.secret, user)

    def token(self, user: str, scope: str) -> Mapping[str, str]:
        """A token for this user, as a managed identity is given it. Raises `CommandFailed`."""
        asked = {"api-version": APP_SERVICE_VERSION, "resource": scope.removesuffix(SCOPE_SUFFIX)}
        answer = self.ask("GET", f"{APP_SERVICE}?{urlencode(asked)}", user)
        return {name: str(value) for name, value in answer.items()}

    def ask(self, method: str, target: str, user: str, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """What it answers to this user. Raises `CommandFailed`."""
        headers: list[Header] = [(b"x-identity-header", self.header(user).reveal().encode())]
        if form is not None:
            headers.append((b"content-type", b"application/x-www-form-urlencoded"))
        trusted = next((each for each in (bundle_path(self.data), self.data.tls / "ca.pem") if each.is_file()), None)
        origin, path = address.origin(self.origin, OutboundSettings(ca_bundle=str(trusted) if trusted else None))
        request = Request(
            origin=origin,
            method=method.encode(),
            target=(path + target).encode(),
            headers=headers,
            body=urlencode(form or {}).encode(),
            timeouts=_TIMES,
        )
        try:
            response = asyncio.run(_send(request))
        except Failed as error:
            raise CommandFailed(
                f"no server answers at {self.origin}",
                "Start one with 'forehearth serve --dev-issuer', or name its data directory with --data-dir.",
            ) from error
        return self._read(response)

    def _read(self, response: Response) -> Mapping[str, Any]:
        try:
            answer = msgspec.json.decode(response.body, type=dict[str, Any])
        except msgspec.DecodeError:
            answer = {}
        if response.status == HTTPStatus.OK and answer:
            return answer
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise CommandFailed(
                f"the server at {self.origin} works in another data directory than {self.data.path}",
                "Name its own with --data-dir.",
            )
        said = answer.get("message") or answer.get("error_description")
        if not isinstance(said, str):
            raise CommandFailed(
                f"the server at {self.origin} issues no tokens", "Start it with 'forehearth serve --dev-issuer'."
            )
        raise CommandFailed(said.removesuffix("."))


def issuer_of(data_dir: Path | None, url: str | None) -> Issuer:
    """The issuer that these options name. Raises `CommandFailed` where there is none, or it is not on this machine."""
    data = DataDirectory(path=(data_dir or default_path(os.environ)).expanduser().absolute())
    installation = stored(data.keys)
    if installation is None:
        raise CommandFailed(
            f"no server that issues tokens has worked in {data.path}",
            "Start one with 'forehearth serve --dev-issuer', or name its data directory with --data-dir.",
        )
    origins = _origins(data, url)
    for origin in origins:
        _require_here(origin)
    return Issuer(data=data, installation=installation, origins=origins)


@click.command()
@click.option("--scope", default=DEFAULT_SCOPE, show_default=True, help="What the token is for.")
@USER
@URL
@DATA_DIR
@click.option("--json", "as_json", is_flag=True, help="Print what 'az account get-access-token' prints.")
def token(*, scope: str, user: str, url: str | None, data_dir: Path | None, as_json: bool) -> None:
    r"""Print a token of the development issuer, in place of 'az account get-access-token'.

    The server has to run with --dev-issuer. The token is good for that server and for no other.

    \b
    Examples:
      curl https://localhost:8443/openai/v1/models -H "Authorization: Bearer $(forehearth token)"
      forehearth token --user maria --scope https://cognitiveservices.azure.com/.default
      forehearth token --json | jq -r .expiresOn
    """
    issuer = issuer_of(data_dir, url)
    answer = issuer.token(user, scope)
    if not as_json:
        click.echo(answer["access_token"])
        return
    expires = int(answer["expires_on"])
    say_json(
        {
            "accessToken": answer["access_token"],
            "expiresOn": datetime.fromtimestamp(expires).strftime("%Y-%m-%d %H:%M:%S.%f"),  # noqa: DTZ006 - local, as az
            "expires_on": expires,
            "subscription": None,
            "tenant": issuer.installation.tenant,
            "tokenType": answer["token_type"],
        }
    )


async def _send(request: Request) -> Response:
    async with HttpClient() as client:
        response = await client.send(request)
        if response.stream is not None:
            await response.stream.aclose()
        return response


def _origins(data: DataDirectory, url: str | None) -> tuple[str, ...]:
    if url:
        return (url.rstrip("/"),)
    try:
        recorded = tuple((data.run / "addresses").read_text(encoding="utf-8").split())
    except FileNotFoundError:
        recorded = ()
    named = os.environ.get("FOREHEARTH_URL", "").rstrip("/")
    return recorded or ((named,) if named else DEFAULT_ORIGINS)


def _require_here(origin: str) -> None:
    _, host, _, _ = address.split(origin)
    if not is_loopback(host):
        raise CommandFailed(
            f"the development issuer is only asked on this machine, and {origin} may be another",
            f"Name it by its loopback address, such as --url {DEFAULT_ORIGINS[0]}.",
            Exit.USAGE,
        )

"""Whom the commands of a developer call, and with which credential.

A key that lies in a data directory goes to servers of this machine alone.
"""

import asyncio
import functools
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast, get_args
from urllib.parse import urlsplit

import click
import msgspec

from forehearth.cli.admin_target import NO_KEY_REMEDY
from forehearth.cli.output import CommandFailed, Exit
from forehearth.cli.token import DEFAULT_ORIGINS, DEFAULT_USER, issuer_of
from forehearth.connectors import shown
from forehearth.connectors.places import Address
from forehearth.connectors.shapes import Auth, Shape
from forehearth.core.errors import InvalidField
from forehearth.core.loopback import is_loopback
from forehearth.core.secret import Secret
from forehearth.ports.token_source import NoToken, TokenIssuer
from forehearth.providers.credentials import CredentialSettings
from forehearth.registry import AZURE_TOKENS
from forehearth.server.certificates import bundle_path
from forehearth.server.data_directory import DataDirectory, default_path
from forehearth.server.development_key import stored_key

KEY_VARIABLES: Final = ("FOREHEARTH_API_KEY", "AZURE_OPENAI_API_KEY")
"""Where a key is looked for; the second one for Azure alone."""
URL_VARIABLE: Final = "FOREHEARTH_URL"
TOKEN_VARIABLE: Final = "FOREHEARTH_TOKEN"  # noqa: S105 - the name of a variable


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say."""

    url: str | None
    resource: str | None
    project: str | None
    auth: Auth | None
    key: str | None
    token: str | None
    user: str
    data_dir: Path | None

    @property
    def data(self) -> DataDirectory:
        """The data directory of the server that is meant, if it is one of this machine."""
        return DataDirectory(path=(self.data_dir or default_path(os.environ)).expanduser().absolute())


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential, and where a reader finds it again."""

    auth: Auth
    secret: Secret
    shown: shown.Credential


class NoCredential(CommandFailed):
    """There is none of the kind that is wanted."""


def auth_of(wish: Wish, shape: Shape) -> Auth:
    """Key or token: as the option says, else a key where the shape takes one, else a token."""
    if wish.auth is not None:
        return wish.auth
    if wish.token is not None and wish.key is None:
        return "token"
    return shape.credentials[0]


def address_of(wish: Wish, *, secure: bool = False, usual: bool = False) -> Address:
    """Where to call: the resource, else the server by its URL, else the one that works in the data directory.

    `secure` prefers its https, which Azure's clients insist on for tokens. With `usual` the usual port will do where
    no server works in the data directory that is named. Raises `CommandFailed`.
    """
    if wish.url and wish.resource:
        raise CommandFailed("--url and --resource both say whom to call", "Leave one of them out.", Exit.USAGE)
    try:
        if wish.resource:
            return Address.of_resource(wish.resource, wish.project)
        url = wish.url or os.environ.get(URL_VARIABLE) or _recorded(wish, secure=secure, usual=usual)
        return Address.of_url(url, wish.project)
    except InvalidField as error:
        raise CommandFailed(
            error.message.removesuffix("."), "For example --url http://127.0.0.1:8080", Exit.USAGE
        ) from error


def _recorded(wish: Wish, *, secure: bool, usual: bool) -> str:
    """Without --data-dir the server may be another user's, at the usual port; with it none but its own is asked."""
    try:
        origins = tuple((wish.data.run / "addresses").read_text(encoding="utf-8").split())
    except OSError:
        origins = ()
    if not origins and wish.data_dir is not None and not usual:
        raise CommandFailed(
            f"no server works in {wish.data.path}",
            f"Start it: 'forehearth serve --data-dir {wish.data.path}'. Or say by --url where one is.",
        )
    origins = origins or DEFAULT_ORIGINS
    scheme = "https:" if secure else "http:"
    return next((each for each in origins if each.startswith(scheme)), origins[0])


def authority_of(wish: Wish, address: Address) -> Path | None:
    """What a server of this machine is trusted by besides the system's certificates; None for all others."""
    parts = urlsplit(address.origin)
    if parts.scheme != "https" or not is_loopback(parts.hostname or ""):
        return None
    found = (bundle_path(wish.data), wish.data.tls / "ca.pem")
    return next((each for each in found if each.is_file()), None)


def credential_of(wish: Wish, address: Address, shape: Shape, auth: Auth) -> Credential:
    """The credential that goes there. Raises `NoCredential` or `CommandFailed`."""
    if auth == "key":
        return _key(wish, address)
    return _token(wish, address, shape)


def shown_of(wish: Wish, address: Address, shape: Shape, auth: Auth) -> shown.Credential:
    """Where that credential is found, for who only shows what would be sent: on Azure it need not be there yet."""
    if auth == "token" and not wish.token and not is_loopback(urlsplit(address.origin).hostname or ""):
        return _azure_token(shape)
    try:
        return credential_of(wish, address, shape, auth).shown
    except NoCredential:
        if not address.is_azure:
            raise
        return shown.key_in(KEY_VARIABLES[-1])


def _key(wish: Wish, address: Address) -> Credential:
    variables = KEY_VARIABLES if address.is_azure else KEY_VARIABLES[:1]
    for name in variables:
        found = os.environ.get(name)
        if found and wish.key in (None, found):
            return Credential(auth="key", secret=clean(found, "key"), shown=shown.key_in(name))
    if wish.key:
        return Credential(auth="key", secret=clean(wish.key, "key"), shown=shown.key_in(variables[0]))
    if not is_loopback(urlsplit(address.origin).hostname or ""):
        raise NoCredential("there is no key for it", f"Give one with --key or {' or '.join(variables)}.", Exit.USAGE)
    stored = stored_key(wish.data)
    if stored is None:
        raise NoCredential(
            f"there is no key: {wish.data.path} has no development key",
            NO_KEY_REMEDY,
            Exit.USAGE,
        )
    return Credential(auth="key", secret=stored, shown=shown.key_at(wish.data.keys / "development"))


def _token(wish: Wish, address: Address, shape: Shape) -> Credential:
    if wish.token:
        by_hand = shown.token_by(f"${TOKEN_VARIABLE}")
        return Credential(auth="token", secret=clean(wish.token, "token"), shown=by_hand)
    if not is_loopback(urlsplit(address.origin).hostname or ""):
        return Credential(auth="token", secret=entra(shape.scope), shown=_azure_token(shape))
    option = "" if wish.data_dir is None else f" --data-dir '{wish.data.path}'"
    who = "" if wish.user == DEFAULT_USER else f" --user {wish.user}"
    given = issuer_of(wish.data_dir, None).token(wish.user, shape.scope)["access_token"]
    local = shown.token_by(
        f"$(forehearth token --scope {shape.scope}{who}{option})", (f'eval "$(forehearth login{who}{option})"',)
    )
    return Credential(auth="token", secret=Secret(given), shown=local)


def _azure_token(shape: Shape) -> shown.Credential:
    resource = shape.scope.removesuffix("/.default")
    return shown.token_by(f"$(az account get-access-token --resource {resource} --query accessToken -o tsv)")


def entra(scope: str) -> Secret:
    """A token of whoever is signed in here. Raises `NoCredential`, and `Misconfigured` without azure-identity."""
    module, _, name = AZURE_TOKENS.partition(":")
    issuer: TokenIssuer = getattr(importlib.import_module(module), name)(
        CredentialSettings(kind="default", scope=scope)
    )
    try:
        return asyncio.run(_fetched(issuer))
    except NoToken as error:
        raise NoCredential(
            f"there is no token for {scope}: {error}", f"Sign in with 'az login', or give one in {TOKEN_VARIABLE}."
        ) from error


async def _fetched(issuer: TokenIssuer) -> Secret:
    return (await issuer.fetch()).secret


def clean(text: str, what: str) -> Secret:
    """A credential as it was given. Raises `CommandFailed` for what no header can have."""
    if not all("!" <= character <= "~" for character in text):
        raise CommandFailed(f"the {what} has characters that no {what} has", "", Exit.USAGE)
    return Secret(text)


def on_connection(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the options that say whom it calls and as whom; it gets them as `wish`."""

    @functools.wraps(command)
    def called(**options: Any) -> int | None:
        own = {name: options.pop(name) for name in _NAMES}
        wish = Wish(**(own | {"auth": cast("Auth | None", own["auth"])}))
        return command(wish=wish, **options)

    for option in reversed(_OPTIONS):
        option(called)
    return called


_NAMES: Final = ("url", "resource", "project", "auth", "key", "token", "user", "data_dir")
_OPTIONS: Final = (
    click.option(
        "--url",
        help=f"Whom to call: an origin, or the base URL of any shape; {URL_VARIABLE}, else the server that works in "
        "the data directory.",
    ),
    click.option("--resource", help="An Azure resource by its name, instead of --url."),
    click.option("--project", help="The project of the shape 'project'.  [default: as the URL says, else 'default']"),
    click.option(
        "--auth",
        type=click.Choice(list(get_args(Auth))),
        help="With an API key, or with a token of Entra ID.  [default: a key, where one is taken]",
    ),
    click.option(
        "--key",
        help="The key; FOREHEARTH_API_KEY, for Azure also AZURE_OPENAI_API_KEY, else the development key of a server "
        "here.",
    ),
    click.option(
        "--token",
        envvar=TOKEN_VARIABLE,
        help=f"The token; {TOKEN_VARIABLE}, else one of 'serve --dev-issuer' for a server here, else one of whoever is "
        "signed in to Azure.",
    ),
    click.option("--user", default=DEFAULT_USER, show_default=True, help="Whose token of 'serve --dev-issuer'."),
    click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="The server's data directory, for its key and certificate.  [default: the server's own default]",
    ),
)

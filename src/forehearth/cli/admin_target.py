"""Which server, or which data directory, a command of operators works on; and the options that say so."""

import asyncio
import importlib
import os
import pwd
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import click
import msgspec

from forehearth.admin.office import Actor, Office
from forehearth.cli.admin_client import AdminApi, Remote, refusal
from forehearth.cli.output import CommandFailed, Exit
from forehearth.core.errors import Misconfigured
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.core.secret import Secret
from forehearth.server.data_directory import DataDirectory, default_path
from forehearth.server.development_key import stored_key
from forehearth.wire.admin import AdminPages, AdminRequest

DEFAULT_URL: Final = "http://127.0.0.1:8080"
OFFLINE: Final = "forehearth.server.offline:open_admin"
"""What opens the stores of a data directory; imported only when it is needed."""
_FIRST_ERROR = 300

Some = TypeVar("Some")
Act = Callable[[AdminApi], Awaitable[Some]]
OpenOffice = Callable[[Path, Path | None], AbstractAsyncContextManager[Office]]
"""From a data directory and a configuration file to the office over their stores, as long as no server has them."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say."""

    url: str | None
    key: Secret | None
    data_dir: Path | None
    config: Path | None

    @property
    def is_offline(self) -> bool:
        """Whether the data directory itself is meant, and not a server."""
        return self.url is None and self.data_dir is not None


def on_target(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the options that say whom it asks; it gets them as `target`."""

    def called(
        *, url: str | None, key: str | None, data_dir: Path | None, config: Path | None, **others: Any
    ) -> int | None:
        target = Target(url=url, key=None if key is None else Secret(key), data_dir=data_dir, config=config)
        return command(target=target, **others)

    called.__doc__ = command.__doc__
    called.__name__ = command.__name__
    called.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(_OPTIONS):
        option(called)
    return called


_OPTIONS = (
    click.option(
        "--url",
        envvar="FOREHEARTH_URL",
        help=f"The server to ask, FOREHEARTH_URL when not given.  [default: {DEFAULT_URL}]",
    ),
    click.option(
        "--key",
        envvar="FOREHEARTH_API_KEY",
        help="A key that administers; FOREHEARTH_API_KEY, else the development key in the data directory.",
    ),
    click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="A data directory: with --url, where its key and certificate are; without, what is worked in itself, "
        "while no server does.",
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="The configuration file that belongs to --data-dir.  [default: as serve has it]",
    ),
)


def run(target: Target, act: Act[Some]) -> Some:
    """Do it there. Raises `CommandFailed` or `Misconfigured`."""
    if target.is_offline:
        return asyncio.run(_offline(target, act))
    return asyncio.run(_run(act, _remote(target)))


async def _run(act: Act[Some], api: AdminApi) -> Some:
    return await act(api)


def _remote(target: Target) -> Remote:
    data = target.data_dir
    if data is None and (target.key is None or (target.url or "").startswith("https:")):
        data = default_path(os.environ)
    remote = Remote(
        target.url or DEFAULT_URL,
        target.key or _stored(data),
        authority=None if data is None else data / "tls" / "ca.pem",
    )
    if remote.in_the_clear:
        click.echo("forehearth: the key goes to another machine unencrypted: prefer https://", err=True)
    return remote


def _stored(path: Path | None) -> Secret:
    found = None if path is None else stored_key(DataDirectory(path=path.expanduser().absolute()))
    if found is None:
        raise CommandFailed(
            f"there is no key: {path} has no development key",
            "Give one with --key or FOREHEARTH_API_KEY, or name the server's data directory with --data-dir.",
            Exit.USAGE,
        )
    return found


async def _offline(target: Target, act: Act[Some]) -> Some:
    if target.data_dir is None:
        raise TypeError("no data directory is named")
    module, _, name = OFFLINE.partition(":")
    open_office: OpenOffice = getattr(importlib.import_module(module), name)
    try:
        async with open_office(target.data_dir, target.config) as office:
            return await act(Local(office))
    except Misconfigured as error:
        if isinstance(error.__cause__, BlockingIOError):  # a server holds the lock
            raise CommandFailed(
                f"a server works in {target.data_dir}",
                f"Ask that one with --url, such as --url {DEFAULT_URL}.",
                Exit.CONFIGURATION,
            ) from error
        raise


class Local:
    """The same API without a server, as the person who runs the command. Whoever can write the directory may do all."""

    def __init__(self, office: Office) -> None:
        self._pages = AdminPages(office)
        self._actor = Actor(principal=_operator(office), request_id="command-line")

    async def call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """See `admin_client.AdminApi`."""
        asked = AdminRequest(
            method=method,
            path=path.encode(),
            query=urlencode(query or {}).encode(),
            body=b"" if body is None else msgspec.json.encode(body),
        )
        reply = await self._pages.answer(asked, self._actor)
        answer = msgspec.json.decode(reply.body) if reply.body else None
        if reply.status >= _FIRST_ERROR:
            raise refusal(reply.status, answer)
        return answer


def _operator(office: Office) -> Principal:
    grants = tuple(
        Grant(place=Place(resource=name), permissions=frozenset({Permission.ADMINISTER})) for name in office.tenants
    )
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    return Principal(name=name, kind="user", id=f"uid:{user}", grants=grants)

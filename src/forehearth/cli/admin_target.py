"""Which server, or which data directory, a command of operators works on; and the options that say so."""

import asyncio
import contextlib
import functools
import importlib
import os
import pwd
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import click
import msgspec

from forehearth.admin.office import Actor, Office
from forehearth.cli.admin_client import AdminApi, Remote, refusal
from forehearth.cli.output import CommandFailed, Exit
from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.core.loopback import is_loopback
from forehearth.core.permission import CONTROL
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.core.secret import Secret
from forehearth.server.certificates import bundle_path
from forehearth.server.data_directory import ADMIN_ADDRESS, DataDirectory, default_path
from forehearth.server.development_key import stored_key
from forehearth.wire.admin import AdminPages, AdminRequest

DEFAULT_URL: Final = "http://127.0.0.1:8080"
OFFLINE: Final = "forehearth.server.offline:open_admin"
"""What opens the stores of a data directory; imported only when it is needed."""
NO_KEY_REMEDY: Final = (
    "Start a server, which makes one: 'forehearth serve'. If one runs elsewhere, give its key with --key or "
    "FOREHEARTH_API_KEY, or name its data directory with --data-dir."
)
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


def on_target(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the options that say whom it asks; it gets them as `target`."""

    @functools.wraps(command)
    def called(
        *, url: str | None, key: str | None, data_dir: Path | None, config: Path | None, **others: Any
    ) -> int | None:
        target = Target(url=url, key=None if key is None else Secret(key), data_dir=data_dir, config=config)
        return command(target=target, **others)

    for option in reversed(_OPTIONS):
        option(called)
    return called


_OPTIONS = (
    click.option(
        "--url",
        envvar="FOREHEARTH_URL",
        help="The server to ask; FOREHEARTH_URL, else the one that told the data directory where it is.",
    ),
    click.option(
        "--key",
        envvar="FOREHEARTH_API_KEY",
        help="A key that administers; FOREHEARTH_API_KEY, else the development key in the data directory.",
    ),
    click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="The server's data directory, for its key and certificate. Without --url, and while no server works "
        "there, the command does.  [default: the server's own default]",
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="The configuration file that belongs to --data-dir.  [default: as serve has it]",
    ),
)


def run(target: Target, act: Act[Some]) -> Some:
    """Do it there. Raises `CommandFailed` or `Misconfigured`."""
    if target.url is None and target.data_dir is not None:
        try:
            return asyncio.run(_offline(target.data_dir, target.config, act))
        except _InUse:
            if not _recorded(target.data_dir):
                raise
    return asyncio.run(_run(act, _remote(target)))


async def _run(act: Act[Some], api: AdminApi) -> Some:
    return await act(api)


def _remote(target: Target) -> Remote:
    data = _data(target.data_dir)
    url = target.url or next(iter(_recorded(target.data_dir)), DEFAULT_URL)
    remote = Remote(url, target.key or _stored(data), authority=_authority(url, data))
    if remote.is_in_the_clear:
        click.echo("forehearth: the key goes to another machine unencrypted: prefer https://", err=True)
    return remote


def _data(path: Path | None) -> DataDirectory:
    return DataDirectory(path=(path or default_path(os.environ)).expanduser().absolute())


def _recorded(path: Path | None) -> tuple[str, ...]:
    """Where the server is that works in a data directory, as it told that: first where its `/admin` is."""
    found: list[str] = []
    for name in (ADMIN_ADDRESS, "addresses"):
        with contextlib.suppress(OSError):
            found += (_data(path).run / name).read_text(encoding="utf-8").split()
    return tuple(found)


def _authority(url: str, data: DataDirectory) -> Path | None:
    """The development CA, for a server of this machine; the system's certificates for all others."""
    found = (bundle_path(data), data.tls / "ca.pem")
    here = is_loopback(urlsplit(url).hostname or "")
    return next((each for each in found if each.is_file()), None) if here else None


def _stored(data: DataDirectory) -> Secret:
    found = stored_key(data)
    if found is None:
        raise CommandFailed(
            f"there is no key: {data.path} has no development key",
            NO_KEY_REMEDY,
            Exit.USAGE,
        )
    return found


class _InUse(CommandFailed):
    """A server works in the data directory."""


async def _offline(data: Path, config: Path | None, act: Act[Some]) -> Some:
    module, _, name = OFFLINE.partition(":")
    open_office: OpenOffice = getattr(importlib.import_module(module), name)
    try:
        async with open_office(data, config) as office:
            return await act(Local(office, f"command-{uuid.uuid4()}"))
    except Misconfigured as error:
        if isinstance(error.__cause__, BlockingIOError):  # a server holds the lock
            raise _InUse(
                f"a server works in {data}", f"Ask it by --url, such as --url {DEFAULT_URL}.", Exit.CONFIGURATION
            ) from error
        raise
    except StoreFailed as error:
        raise CommandFailed(f"{error}", "Is the database there that store.postgres names?") from error


class Local:
    """The same API without a server, as the person who runs the command. Whoever can write the directory may do all."""

    def __init__(self, office: Office, request_id: str) -> None:
        self._office = office
        self._pages = AdminPages(office)
        self._actor = Actor(principal=_operator(office), request_id=request_id)

    async def call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """See `admin_client.AdminApi`."""

        async def content() -> bytes:
            return b"" if body is None else msgspec.json.encode(body)

        asked = AdminRequest(method=method, path=path.encode(), query=urlencode(query or {}).encode(), body=content)
        reply = await self._pages.answer(asked, self._actor, self._office.default)
        answer = msgspec.json.decode(reply.body) if reply.body else None
        if reply.status >= _FIRST_ERROR:
            raise refusal(reply.status, answer)
        return answer


def _operator(office: Office) -> Principal:
    grants = tuple(Grant(place=Place(resource=name), permissions=CONTROL, assigns=None) for name in office.tenants)
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    return Principal(name=name, kind="user", id=f"uid:{user}", grants=grants)

"""`forehearth serve`: start the server, say where it is, stay until it is told to end."""

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from forehearth.cli.output import Exit
from forehearth.cli.progress import Progress
from forehearth.cli.welcome import Place, addresses, admin_address, program, welcome
from forehearth.config.loader import load, locate
from forehearth.config.secrets import held
from forehearth.core.clock import SystemClock
from forehearth.core.settings import Settings
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.data_directory import (
    ADMIN_ADDRESS,
    DataDirectory,
    default_path,
    locked,
    on_its_disk,
    open_data_directory,
    write_private,
)
from forehearth.server.development_key import development_key
from forehearth.server.installation import pepper, written
from forehearth.server.listening import listen, require_loopback
from forehearth.server.price_checks import require_prices
from forehearth.server.supervisor import Launch, Supervisor
from forehearth.telemetry.logs import logging_as
from forehearth.telemetry.redaction import Redactor

log = logging.getLogger("forehearth.server")

Some = TypeVar("Some", bound=msgspec.Struct)

PORT = click.IntRange(0, 65_535)


@click.command()
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="Configuration file.  [default: ./forehearth.yaml, else the built-in one with small models]",
)
@click.option("--host", help="Address to listen on; 0.0.0.0 is every IPv4 address.  [default: 127.0.0.1]")
@click.option("--port", type=PORT, help="Port for http; 0 takes a free one.  [default: 8080]")
@click.option("--tls-port", type=PORT, help="Port for https; 0 takes a free one.  [default: 8443]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that share the ports.  [default: 1]")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the key, certificates and state are kept.  [default: forehearth in the user's data folder]",
)
@click.option("--preload", is_flag=True, help="Load the models of this machine before the server says it is ready.")
@click.option(
    "--dev-issuer",
    is_flag=True,
    help="Issue tokens to programs on this machine, as Entra ID would: 'forehearth login' tells them how to ask.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="  [default: info]")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="  [default: text]")
def serve(
    *,
    file: Path | None,
    host: str | None,
    port: int | None,
    tls_port: int | None,
    workers: int | None,
    data_dir: Path | None,
    preload: bool,
    dev_issuer: bool,
    log_level: str | None,
    log_format: str | None,
) -> int:
    r"""Start the server and stay until Ctrl-C or SIGTERM.

    Without a configuration it brings small models of its own, which it fetches once. What is given here goes
    before what the file says. SIGTERM lets calls in flight finish; Ctrl-C ends within two seconds.

    FOREHEARTH_API_KEY sets the key that callers need; without it one is made and kept in the data directory.

    \b
    Examples:
      forehearth serve
      forehearth serve --config forehearth.yaml --workers 4
      forehearth serve --host 0.0.0.0 --port 80 --tls-port 443
    """
    path = locate(file, Path.cwd())
    settings = load(path, providers=PROVIDER_SETTINGS, environ=os.environ)
    require_prices(settings, str(path))
    server = _overridden(settings.server, host=host, port=port, tls_port=tls_port, workers=workers)
    logs = _overridden(settings.log, level=log_level, format=log_format)
    settings = msgspec.structs.replace(settings, server=server, log=logs)
    data = open_data_directory(data_dir or default_path(os.environ))
    if dev_issuer:
        require_loopback(settings.server)
    _serve(settings, data, preload=preload, dev_issuer=dev_issuer)
    return Exit.OK


def _serve(settings: Settings, data: DataDirectory, *, preload: bool, dev_issuer: bool) -> None:
    redactor = Redactor(held(settings))
    with logging_as(settings.log, redactor=redactor, stream=sys.stderr), on_its_disk(data), locked(data):
        key = development_key(data, os.environ.get("FOREHEARTH_API_KEY"))
        redactor.register(key.secret, *written(pepper(data, settings.store.pepper)))
        listeners = listen(settings.server)
        place = Place(
            settings=settings,
            data=data,
            listeners=tuple(listeners),
            key_is_stored=key.stored,
            is_default=data.path == default_path(os.environ).absolute(),
            program=program(sys.argv[0], os.environ),
        )
        progress = Progress(sys.stderr)
        launch = Launch(
            settings=settings,
            providers=PROVIDER_SETTINGS,
            data=data,
            key=key.secret,
            listeners=listeners,
            preload=preload,
            development_issuer=dev_issuer,
            clock=SystemClock(),
            accepting=lambda: _accepting(place),
            announce=lambda: _say(f"\n{welcome(place)}\n"),
            progress=progress.show,
        )
        asyncio.run(_run(launch))


def _accepting(place: Place) -> None:
    """Say where the server is: in the log, and in the data directory for commands that look there."""
    found = addresses(place)
    write_private(place.data.run / "addresses", "\n".join([*found, ""]).encode())
    admin = admin_address(place)
    if admin is not None:
        write_private(place.data.run / ADMIN_ADDRESS, f"{admin}\n".encode())
    log.info("listening on %s", " and ".join(found if admin is None else [*found, f"{admin}/admin"]))


def _say(text: str) -> None:
    """Print, unless nobody listens any more: that is no reason to stop serving."""
    with contextlib.suppress(OSError):
        click.echo(text)


async def _run(launch: Launch) -> None:
    await Supervisor(launch).run()


def _overridden(values: Some, **given: object) -> Some:
    """The values, with those that were given on the command line instead."""
    return msgspec.structs.replace(values, **{name: value for name, value in given.items() if value is not None})

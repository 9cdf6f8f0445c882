"""A parent of the real kind whose children are toys. Prints one JSON line for each thing that it is told."""

import asyncio
import contextlib
import json
import logging
import sys
from pathlib import Path

import msgspec

from forehearth.config.loader import load
from forehearth.core.clock import SystemClock
from forehearth.core.errors import ForehearthError
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.data_directory import locked, open_data_directory
from forehearth.server.development_key import development_key
from forehearth.server.listening import listen
from forehearth.server.status import Status
from forehearth.server.supervisor import Commands, Launch, Supervisor

HERE = Path(__file__).parent


def toy(name: str) -> list[str]:
    return [sys.executable, "-P", str(HERE / f"{name}.py")]


def say(**told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def serve(folder: str, config: str, *, preload: bool) -> None:
    settings = load(config, providers=PROVIDER_SETTINGS, environ={})
    data = open_data_directory(Path(folder))
    with locked(data):
        listeners = listen(settings.server)
        launch = Launch(
            settings=settings,
            providers=PROVIDER_SETTINGS,
            data=data,
            key=development_key(data, None).secret,
            listeners=listeners,
            preload=preload,
            clock=SystemClock(),
            accepting=lambda: say(up=[each.port for each in listeners]),
            announce=lambda: say(announced=True),
            progress=tell_progress,
            commands=Commands(worker=toy("toy_worker"), host=toy("toy_host"), preparation=toy("toy_preparation")),
        )
        await Supervisor(launch).run()


def tell_progress(status: Status) -> None:
    say(status=msgspec.to_builtins(status))


def main() -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    folder, config, *options = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(serve(folder, config, preload="preload" in options))
        except ForehearthError as error:
            say(error=error.message)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

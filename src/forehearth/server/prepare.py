"""Brings what embedded models need, as a process of its own: `python -m forehearth.server.prepare`, for the parent.

It fetches missing weights, then has each engine tried, so that one that does not run on this machine is told at the
start and not by the first call.
"""

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path

import msgspec

from forehearth.core.errors import ForehearthError
from forehearth.embedded import weights
from forehearth.embedded.catalogue import CATALOGUE
from forehearth.embedded.package_client import WhenNeeded
from forehearth.embedded.pins import Kind
from forehearth.embedded.readiness import probe
from forehearth.server.lifeline import Lifeline
from forehearth.server.messages import Progress, Ready, Trouble
from forehearth.server.orders import FetchOrder
from forehearth.telemetry.logs import logging_as
from forehearth.telemetry.redaction import Redactor

log = logging.getLogger("forehearth.server")


async def prepare(order: FetchOrder, lifeline: Lifeline) -> None:
    """Fetch, check, and tell the parent how it goes. Raises `ForehearthError` with what cannot be had."""
    cache = weights.default_cache(os.environ)

    def told(progress: weights.Progress) -> None:
        lifeline.say(Progress(name=progress.name, step=progress.step, done=progress.done, total=progress.total))

    for model in order.models:
        if model.name in CATALOGUE:
            await weights.ensure(model.name, cache, told, WhenNeeded(os.environ))
        else:
            await _check_file(Path(model.name))
            lifeline.say(Progress(name=model.name, step="ready", done=0))
    kinds: set[Kind] = {CATALOGUE[each.name].kind if each.name in CATALOGUE else "chat" for each in order.models}
    for tried in await asyncio.gather(*map(probe, sorted(kinds))):
        if not tried.ok:
            raise ForehearthError(tried.reason)
    lifeline.say(Ready())


async def _check_file(path: Path) -> None:
    if not await asyncio.to_thread(path.is_file):
        raise ForehearthError(f"There is no model file {path}.")


async def _until_told(order: FetchOrder, lifeline: Lifeline) -> int:
    """Prepare, unless the parent says that it is over or is gone: then what is fetched is stopped, and kept."""
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(prepare(order, lifeline))

    def stop(_: object = None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the end is over
            loop.call_soon_threadsafe(work.cancel)

    lifeline.follow(told=stop, orphaned=stop)
    try:
        await work
    except ForehearthError as error:
        lifeline.say(Trouble(reason=error.message))
        return 1
    except asyncio.CancelledError:
        return 1
    return 0


def main() -> int:
    """Do what the parent orders; return the exit status."""
    lifeline = Lifeline.from_standard_input()
    order = msgspec.json.decode(lifeline.order(), type=FetchOrder)
    with logging_as(order.log, redactor=Redactor(), stream=sys.stderr):
        return asyncio.run(_until_told(order, lifeline))


if __name__ == "__main__":
    sys.exit(main())

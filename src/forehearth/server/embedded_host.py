"""The model host's process, as the parent starts it: `python -m forehearth.server.embedded_host`.

It serves one inherited Unix socket until the parent says that it is over. SIGTERM is not for it: a service manager
sends that to every process, and calls that the workers still finish need the models.
"""

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from forehearth.core.errors import ForehearthError
from forehearth.embedded import weights
from forehearth.embedded.catalogue import CATALOGUE, ModelSource, gguf_source, source_of
from forehearth.embedded.host import EmbeddedHost, HostLimits, open_host
from forehearth.embedded.package_client import WhenNeeded
from forehearth.embedded.weights import default_cache
from forehearth.http.server import HttpServer, Listener
from forehearth.server.lifeline import Lifeline
from forehearth.server.listening import adopt
from forehearth.server.messages import Downward, Ready, Trouble
from forehearth.server.orders import EmbeddedModel, HostOrder
from forehearth.server.shutdown import Shutdown
from forehearth.telemetry.logs import logging_as
from forehearth.telemetry.redaction import Redactor

log = logging.getLogger("forehearth.server")


async def serve(order: HostOrder, lifeline: Lifeline) -> None:
    """Serve the order's models. Raises `ForehearthError` when they were to be loaded first and one cannot be."""
    shutdown = Shutdown()
    _listen_for_the_end(shutdown, lifeline)
    limits = HostLimits(threads=order.threads)
    async with open_host(sources(order.models, os.environ), limits) as host:
        server = HttpServer(host, nothing_else)
        listener = Listener(socket=adopt(order.descriptor, tls=False).socket)
        cut = asyncio.create_task(_cut_when_overdue(shutdown, server))
        begin = asyncio.create_task(_begin(host, server, lifeline, shutdown, preload=order.preload))
        try:
            await server.serve([listener], shutdown.closing)
        finally:
            cut.cancel()
            begin.cancel()
        if begin.done() and not begin.cancelled():
            begin.result()


def sources(models: tuple[EmbeddedModel, ...], environ: Mapping[str, str]) -> dict[str, ModelSource]:
    """Where the weights of each model are, by the name that callers use."""
    return {
        model.name: _from_catalogue(model.name, environ) if model.name in CATALOGUE else gguf_source(Path(model.name))
        for model in models
    }


def _from_catalogue(name: str, environ: Mapping[str, str]) -> ModelSource:
    cache = default_cache(environ)
    source = source_of(name, cache / name)
    if not CATALOGUE[name].on_first_use:
        return source
    return msgspec.structs.replace(
        source, fetch=functools.partial(weights.ensure, name, cache, _Steps(), WhenNeeded(environ))
    )


class _Steps:
    """Logs each step of a fetch once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, progress: weights.Progress) -> None:
        if progress.step != self._last:
            log.info("the model %s: %s", progress.name, progress.step)
        self._last = progress.step


async def nothing_else(scope: MutableMapping[str, Any], _receive: object, _send: object) -> None:
    """The application behind the host's door, which lets nothing through to it."""
    raise NotImplementedError(f"the model host has no application for {scope['type']}")


async def _begin(
    host: EmbeddedHost, server: HttpServer, lifeline: Lifeline, shutdown: Shutdown, *, preload: bool
) -> None:
    """Load what is to be loaded, and tell the parent; a model that cannot be loaded ends the process."""
    await server.started.wait()
    if preload:
        try:
            await host.preload()
        except ForehearthError:
            shutdown.begin(0.0)
            raise
    lifeline.say(Ready())


def _listen_for_the_end(shutdown: Shutdown, lifeline: Lifeline) -> None:
    loop = asyncio.get_running_loop()

    def begin(seconds: float) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the end is over
            loop.call_soon_threadsafe(shutdown.begin, seconds)

    def told(stop: Downward) -> None:
        begin(stop.grace)

    lifeline.follow(told=told, orphaned=lambda: begin(0.0))


async def _cut_when_overdue(shutdown: Shutdown, server: HttpServer) -> None:
    await shutdown.overdue.wait()
    server.stop_now()


def main() -> int:
    """Be the host that the parent orders; return the exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lifeline = Lifeline.from_standard_input()
    order = msgspec.json.decode(lifeline.order(), type=HostOrder)
    # Read when numpy is first imported. Threads that find no free core wait for each other, and burn what there is.
    os.environ["OPENBLAS_NUM_THREADS"] = str(HostLimits(threads=order.threads).engine_threads())
    try:
        with (
            logging_as(order.log, redactor=Redactor(), stream=sys.stderr),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(serve(order, lifeline))
    except ForehearthError as error:
        lifeline.say(Trouble(reason=error.message))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

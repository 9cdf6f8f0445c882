"""What every worker process does around serving: its order, its end, its numbers."""

import asyncio
import contextlib
import logging
import os
import platform
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import uvloop

from forehearth import __version__
from forehearth.config.secrets import held
from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.core.settings import Settings
from forehearth.server import listening
from forehearth.server.certificates import CertificateFiles, server_context
from forehearth.server.context import WorkerContext
from forehearth.server.data_directory import DataDirectory
from forehearth.server.handover import Providers, unpack
from forehearth.server.health import Health, status_of
from forehearth.server.lifeline import Lifeline
from forehearth.server.messages import Ready, Trouble
from forehearth.server.orders import WorkerOrder
from forehearth.server.shutdown import Shutdown
from forehearth.telemetry.cells import Cells
from forehearth.telemetry.exposition import exposition
from forehearth.telemetry.logs import logging_as
from forehearth.telemetry.metrics import Metrics, summed
from forehearth.telemetry.redaction import Redactor

log = logging.getLogger("forehearth.server")

VITALS_SECONDS = 1.0

DESCRIPTORS = 65_536
"""Open files that a worker asks the system for, as many as it gives: each connection is one."""

RunWorker = Callable[[WorkerContext], Awaitable[None]]
"""Serves until the context's shutdown is over; what it opened is closed when it returns."""


def work(run_worker: RunWorker, providers: Providers) -> int:
    """Be a worker that serves by `run_worker`; return the exit status."""
    lifeline = Lifeline.from_standard_input()
    order = msgspec.json.decode(lifeline.order(), type=WorkerOrder)
    settings = unpack(order.settings, providers)
    _raise_descriptor_limit()
    redactor = Redactor([Secret(order.key), *held(settings)])
    try:
        with (
            logging_as(settings.log, redactor=redactor, stream=sys.stderr),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(run_worker, lifeline, order, settings, redactor))
    except Misconfigured as error:
        lifeline.say(Trouble(reason=error.message))
        return 1
    return 0


async def _serve(
    run_worker: RunWorker, lifeline: Lifeline, order: WorkerOrder, settings: Settings, redactor: Redactor
) -> None:
    data = DataDirectory(path=Path(order.data))
    shutdown = Shutdown()
    _listen_for_the_end(shutdown, lifeline, settings.server.grace_seconds)
    metrics = Metrics(Cells(data.run / "metrics", str(order.index)), str(order.index))
    metrics.introduce({"pid": str(os.getpid()), "version": __version__, "python": platform.python_version()})
    tls = None
    if order.certificate and order.certificate_key:
        tls = server_context(CertificateFiles(certificate=order.certificate, key=order.certificate_key))
    read = summed(data.run / "metrics")

    def page() -> str:
        metrics.refresh()
        return exposition(read())

    context = WorkerContext(
        index=order.index,
        settings=settings,
        key=Secret(order.key),
        data=data,
        listeners=[listening.adopt(each.descriptor, tls=each.tls, admin=each.admin) for each in order.listeners],
        tls=tls,
        embedded_socket=order.embedded_socket or "",
        development_issuer=order.development_issuer,
        environ=os.environ,
        metrics=metrics,
        metrics_page=page,
        health=Health(status_of(data.run), shutdown.begun.is_set),
        shutdown=shutdown,
        conceal=redactor.register,
        ready=lambda: lifeline.say(Ready()),
    )
    vitals = asyncio.create_task(_watch(metrics))
    try:
        await run_worker(context)
    finally:
        vitals.cancel()


def _raise_descriptor_limit() -> None:
    """Programs start with room for some 1,024 files; what an administrator allows beyond that is there to be taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listen_for_the_end(shutdown: Shutdown, lifeline: Lifeline, grace: float) -> None:
    """End when the parent says so, when it is gone, or when somebody sends this process SIGTERM."""
    loop = asyncio.get_running_loop()

    def begin(seconds: float) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the end is over
            loop.call_soon_threadsafe(partial(shutdown.begin, seconds, whole=True))

    lifeline.follow(told=lambda stop: begin(stop.grace), orphaned=lambda: begin(0.0))
    loop.add_signal_handler(signal.SIGTERM, shutdown.begin, grace)


async def _watch(metrics: Metrics) -> None:
    """Once a second, note how late the event loop is and what this process uses."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + VITALS_SECONDS
        await asyncio.sleep(VITALS_SECONDS)
        metrics.refresh()
        used = resource.getrusage(resource.RUSAGE_SELF)
        metrics.vitals(
            lag=max(0.0, loop.time() - due), cpu=used.ru_utime + used.ru_stime, resident=_resident(used.ru_maxrss)
        )


def _resident(most: int) -> float:
    """Bytes in memory now; where the system does not tell, the most there ever were."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return float(most * (1 if sys.platform == "darwin" else 1024))
    return float(pages * resource.getpagesize())

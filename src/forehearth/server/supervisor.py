"""The parent process: it owns the sockets, starts the others, replaces what dies, and ends them all in order.

It answers no request itself but the 503 of a model host that is not there, so it stays small and quick to start.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.core.settings import Settings
from forehearth.server import orders
from forehearth.server.activation import Activation
from forehearth.server.certificates import server_certificate
from forehearth.server.children import module_command
from forehearth.server.data_directory import DataDirectory
from forehearth.server.embedded_models import awaited, embedded_models, engine_threads
from forehearth.server.handover import Providers, pack
from forehearth.server.listening import Listener, close_privately, listen_privately
from forehearth.server.preparation import Preparation
from forehearth.server.status import Status
from forehearth.server.workers import Workers
from forehearth.telemetry.cells import Cells
from forehearth.telemetry.metrics import Metrics

log = logging.getLogger("forehearth.server")

INTERRUPT_GRACE = 0.8
"""Seconds that calls in flight still have after Ctrl-C."""

CUT_MARGIN = 0.4
"""Seconds after the end of the grace in which a process may still end by itself."""

HOST_GRACE = 0.2
"""Seconds that the model host has once no worker is left to call it."""


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """How each kind of child is started."""

    worker: Sequence[str] = module_command("forehearth.server.worker")
    host: Sequence[str] = module_command("forehearth.server.embedded_host")
    preparation: Sequence[str] = module_command("forehearth.server.prepare")


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is decided before the first process starts."""

    settings: Settings
    providers: Providers
    data: DataDirectory
    """Locked by the caller."""
    key: Secret
    listeners: Sequence[Listener]
    """Bound by the caller; closed here."""
    preload: bool = False
    development_issuer: bool = False
    clock: Clock
    accepting: Callable[[], None]
    """Called once, when every worker accepts."""
    announce: Callable[[], None]
    """Called once, after that, when the preparation of embedded models is over or has failed for the first time."""
    progress: Callable[[Status], None]
    """Called as the preparation of embedded models goes on."""
    commands: Commands = Commands()


class Supervisor:
    """One server, from its first process to its last."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._stopping = False
        self._metrics = Metrics(Cells(launch.data.run / "metrics", "parent"), "parent")
        self._preparing: asyncio.Task[None] | None = None
        self._certificate: asyncio.Future[tuple[str | None, str | None]] | None = None
        self._host_socket: socket.socket | None = None
        self._activation: Activation | None = None
        self._models = embedded_models(launch.settings)
        settings = launch.settings
        self._preparation = Preparation(
            launch.commands.preparation,
            orders.FetchOrder(models=awaited(self._models), log=settings.log),
            launch.data.run,
            preload=launch.preload,
            told=launch.progress,
            prepared=self._let_the_host_start,
        )
        if self._models:
            self._host_socket = listen_privately(launch.data.run, "embedded.sock")
            self._activation = self._new_activation(self._host_socket)
        self._workers = Workers(
            launch.commands.worker,
            settings.server.workers,
            self._worker_order,
            [listener.socket.fileno() for listener in launch.listeners],
            clock=launch.clock,
            counted=lambda: self._metrics.process_started("worker"),
        )

    async def run(self) -> None:
        """Serve until a signal ends it. Raises `Misconfigured` when the server cannot start as it was told to."""
        with self._signals():
            try:
                async with asyncio.TaskGroup() as tasks:
                    self._certificate = tasks.create_task(asyncio.to_thread(self._certificate_files))
                    others = [tasks.create_task(self._announce())]
                    if self._activation is not None:
                        self._preparing = tasks.create_task(self._prepare(self._activation))
                        others += [self._preparing, tasks.create_task(self._activate(self._activation))]
                    await self._workers.run()
                    await self._end_host(others)
            except BaseExceptionGroup as group:  # `except*` wraps what it raises in releases of Python 3.11
                reasons, rest = group.split(Misconfigured)
                if reasons is None or rest is not None:
                    raise
                raise _first(reasons) from None
            finally:
                self._close_listeners()
                if self._host_socket is not None:
                    close_privately(self._host_socket, self._launch.data.run)

    def stop(self, grace: float) -> None:
        """End: nothing new is taken, calls in flight have `grace` seconds. Called again, it ends at once."""
        if self._stopping:
            self._workers.kill()
            return
        self._stopping = True
        log.info("stopping: calls in flight have %g s", grace)
        if self._preparing is not None:
            self._preparing.cancel()
        self._workers.drain(grace)
        asyncio.get_running_loop().call_later(grace + CUT_MARGIN, self._workers.kill)
        self._close_listeners()  # the last worker's close must be the last of all: it empties the queue before it

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM ends with the configured grace, Ctrl-C and a closed terminal with a short one."""
        loop = asyncio.get_running_loop()
        grace = self._launch.settings.server.grace_seconds
        graces = {
            signal.SIGTERM: grace,
            signal.SIGINT: min(grace, INTERRUPT_GRACE),
            signal.SIGHUP: min(grace, INTERRUPT_GRACE),
        }
        handled = [each for each in graces if signal.getsignal(each) is not signal.SIG_IGN]
        for each in handled:
            loop.add_signal_handler(each, self.stop, graces[each])
        try:
            yield
        finally:
            for each in handled:
                loop.remove_signal_handler(each)

    async def _worker_order(self, index: int) -> bytes:
        launch = self._launch
        if self._certificate is None:
            raise RuntimeError("a worker is started before the server runs")
        certificate, certificate_key = await asyncio.shield(self._certificate)
        return orders.encode(
            orders.WorkerOrder(
                index=index,
                settings=pack(launch.settings, launch.providers),
                key=launch.key.reveal(),
                data=str(launch.data.path),
                listeners=tuple(
                    orders.ListenerOrder(descriptor=listener.socket.fileno(), tls=listener.tls, admin=listener.admin)
                    for listener in launch.listeners
                ),
                certificate=certificate,
                certificate_key=certificate_key,
                embedded_socket=self._host_socket.getsockname() if self._host_socket is not None else None,
                development_issuer=launch.development_issuer,
            )
        )

    def _certificate_files(self) -> tuple[str | None, str | None]:
        """Runs in a thread, while the workers import what they need."""
        if not any(listener.tls for listener in self._launch.listeners):
            return None, None
        files = server_certificate(self._launch.data, self._launch.settings.server.tls)
        return files.certificate, files.key

    async def _announce(self) -> None:
        await self._workers.ready.wait()
        self._launch.accepting()
        await self._preparation.settled.wait()
        self._launch.announce()

    def _let_the_host_start(self) -> None:
        if self._activation is not None:
            self._activation.allowed.set()

    async def _prepare(self, activation: Activation) -> None:
        await self._preparation.run()
        if self._launch.preload:
            await activation.loaded.wait()
            self._preparation.loaded()

    async def _activate(self, activation: Activation) -> None:
        await activation.run(preload=self._launch.preload)

    async def _end_host(self, others: Sequence[asyncio.Task[None]]) -> None:
        if self._activation is not None and self._activation.pid is not None:
            self._activation.stop(HOST_GRACE)
            await asyncio.wait(others[-1:], timeout=HOST_GRACE + CUT_MARGIN)
        for each in others:
            each.cancel()

    def _new_activation(self, listener: socket.socket) -> Activation:
        order = orders.HostOrder(
            descriptor=listener.fileno(),
            models=self._models,
            threads=engine_threads(self._launch.settings),
            preload=self._launch.preload,
            log=self._launch.settings.log,
        )
        return Activation(
            self._launch.commands.host,
            orders.encode(order),
            listener,
            clock=self._launch.clock,
            counted=lambda: self._metrics.process_started("embedded_host"),
            troubled=self._preparation.not_loaded,
        )

    def _close_listeners(self) -> None:
        for listener in self._launch.listeners:
            listener.socket.close()


def _first(group: BaseExceptionGroup[Misconfigured]) -> Misconfigured:
    """The first of several reasons for the same end."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, Misconfigured):
        raise TypeError(f"{type(error).__name__} among the reasons") from error
    return error

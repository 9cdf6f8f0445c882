"""The server: listeners, the ASGI application's lifespan, and how it all ends. The caller owns signals and says when.

The end, after `stop` is set: readiness is told; no connection begins any more, those that wait in the listeners' queues
are taken in and the listeners closed; what is in flight is finished, each answer saying `connection: close`; a
connection with nothing in flight stays readable for a moment, because its next request may be on the way. What is left
after the grace is cut off.
"""

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, cast

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from forehearth.core.errors import Misconfigured
from forehearth.core.settings import InboundLimits
from forehearth.http.asgi import Application, EntranceApplication, contained
from forehearth.http.border import Border
from forehearth.http.log import LOG, terse, uvicorn_quietened
from forehearth.http.protocol import InboundProtocol
from forehearth.http.turning_away import turn_away
from forehearth.ports.entrance import Entrance

BACKLOG = 2048
DEFAULT_LIMITS = InboundLimits()
NOT_SENT = 128 * 1024
"""Bytes that the kernel holds for a client beyond what is on its way: a stalled reader costs this, not megabytes."""
POLL_SECONDS = 0.02
MOMENT_SECONDS = 0.02
"""How long a listener takes in those whose connections were being made when new ones are turned away."""
GREETING_SECONDS = 1.0
"""How long a TLS handshake that had begun before the end may still take."""
CUT_SECONDS = 0.5
"""How long what was cut off may take to clean up."""


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A bound stream socket (IPv4, IPv6 or Unix), and the TLS that is spoken on it; None for plain HTTP."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None


class HttpServer:
    """Serves one entrance, and the ASGI application behind it, on any number of listeners."""

    def __init__(  # noqa: PLR0913 - one server is made, in one place
        self,
        entrance: Entrance,
        app: Application,
        *,
        limits: InboundLimits = DEFAULT_LIMITS,
        grace_seconds: float = 30.0,
        protocol: Literal["fast", "asgi"] = "fast",
        websocket: type[asyncio.Protocol] | Literal["auto", "none"] = "auto",
        on_drain: Callable[[], None] | None = None,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._protocol = protocol
        self._on_drain = on_drain
        self._cut = asyncio.Event()
        self._border = Border(entrance, limits)
        served = app if protocol == "fast" else EntranceApplication(entrance, app, limits)
        self._config = Config(
            cast("Any", contained(served)),
            http=InboundProtocol if protocol == "fast" else HttpToolsProtocol,
            ws=websocket,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=max(1, round(limits.idle_seconds)),
            interface="asgi3",
        )
        self.started = asyncio.Event()
        """Set once every listener is open."""

    @property
    def draining(self) -> bool:
        """Whether the server has begun to stop. Readiness is this, turned round."""
        return self._border.draining

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._border.connections)

    def stop_now(self) -> None:
        """Do not wait for what is in flight. `serve` returns within about a second."""
        self._cut.set()

    async def serve(self, listeners: Sequence[Listener], stop: asyncio.Event) -> None:
        """Serve until `stop` is set, and then until what is in flight has finished or the grace is over.

        Closes the listeners' sockets. Raises `Misconfigured` when the application's own start fails.
        """
        with uvicorn_quietened():
            self._config.load()
            lifespan = self._config.lifespan_class(self._config)
            lifespan.logger = terse
            await lifespan.startup()
            if lifespan.should_exit:
                raise Misconfigured("the application behind the server did not start; the log says why")
            doors = [_Door(each, self._factory(lifespan.state), self._border.limits) for each in listeners]
            self._border.start_sweep()
            try:
                for door in doors:
                    await door.open()
                self.started.set()
                await self._until(stop.wait())
                await self._drain(doors)
            finally:
                await self._cut_off(doors)
                self._border.stop_sweep()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CUT_SECONDS if self._cut.is_set() else self._grace_seconds + 1):
                        await lifespan.shutdown()

    def _factory(self, state: dict[str, Any]) -> Callable[[], asyncio.Protocol]:
        return lambda: self._config.http_protocol_class(  # type: ignore[call-arg] # uvicorn's protocols, by their surface
            config=self._config, server_state=self._border, app_state=state
        )

    async def _until(self, awaited: Awaitable[object], seconds: float | None = None) -> None:
        """Wait for it, for so long at most, and no longer than `stop_now` allows."""
        waits = [asyncio.ensure_future(awaited), asyncio.ensure_future(self._cut.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _drain(self, doors: Sequence["_Door"]) -> None:
        self._border.draining = True
        if self._on_drain is not None:
            self._on_drain()
        for door in doors:
            await door.close()
        for connection in tuple(self._border.connections):
            connection.shutdown()
        await self._until(self._quiet(doors), self._grace_seconds)

    async def _quiet(self, doors: Sequence["_Door"]) -> None:
        while self._busy(doors):  # noqa: ASYNC110 - uvicorn's sets tell nobody when they become empty
            await asyncio.sleep(POLL_SECONDS)

    def _busy(self, doors: Sequence["_Door"]) -> bool:
        return bool(self._border.connections or self._border.tasks) or any(door.greets for door in doors)

    async def _cut_off(self, doors: Sequence["_Door"]) -> None:
        """End what is still there. Nothing is, after an orderly end."""
        for door in doors:
            await door.close()
        left = tuple(self._border.connections)
        if left:
            LOG.warning("connections cut off at the end: %d", len(left))
        tasks = {*self._border.tasks, *(greeting for door in doors for greeting in door.greetings)}
        for connection in left:
            task = getattr(connection, "task", None)
            if task is not None:
                tasks.add(task)
            connection.transport.abort()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CUT_SECONDS)
        await asyncio.sleep(0)  # aborted transports tell their protocols in the loop's next round


class _Door:
    """One listener while it is open."""

    def __init__(self, listener: Listener, factory: Callable[[], asyncio.Protocol], limits: InboundLimits) -> None:
        self._listener = listener
        self._factory = factory
        self._tls: dict[str, Any] = {}
        if listener.tls is not None:
            self._tls = {
                "ssl": listener.tls,
                "ssl_handshake_timeout": limits.header_seconds,
                "ssl_shutdown_timeout": limits.write_seconds,
            }
        self._server: asyncio.Server | None = None
        self._greeted = -math.inf
        self.greetings: set[asyncio.Task[object]] = set()

    @property
    def greets(self) -> bool:
        """Whether somebody may be in the middle of a TLS handshake, which is not yet a connection to anybody else."""
        now = asyncio.get_running_loop().time()
        return any(not each.done() for each in self.greetings) or now - self._greeted < GREETING_SECONDS

    async def open(self) -> None:
        """Listen, and take in whoever comes."""
        listening = self._listener.socket
        listening.setblocking(False)
        self._queue = listening.dup()  # keeps what waits alive while the server closes its own
        loop = asyncio.get_running_loop()
        if listening.family == socket.AF_UNIX:
            self._server = await loop.create_unix_server(self._meet, sock=listening, backlog=BACKLOG, **self._tls)
            return
        # Connections inherit both from their listener, so that setting them costs nothing per connection.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)
        self._server = await loop.create_server(self._meet, sock=listening, backlog=BACKLOG, **self._tls)

    async def close(self) -> None:
        """Close, after taking in those who were connected already and waited: closing alone would reset them.

        asyncio's loop loses whom it has accepted and not yet introduced when its server closes. What a timer's callback
        calls soon runs when all of those are introduced, and before the next is accepted.
        """
        if self._server is None:
            return
        turn_away(self._queue)
        loop = asyncio.get_running_loop()
        closed = loop.create_future()
        loop.call_later(MOMENT_SECONDS, loop.call_soon, self._close_now, self._server, closed)
        self._server = None
        await closed

    def _close_now(self, server: asyncio.Server, closed: asyncio.Future[None]) -> None:
        server.close()
        with self._queue as queue, contextlib.suppress(BlockingIOError):
            for _ in range(BACKLOG):
                waiting, _ = queue.accept()
                waiting.setblocking(False)
                self.greetings.add(asyncio.ensure_future(self._greet(waiting)))
        closed.set_result(None)

    def _meet(self) -> asyncio.Protocol:
        if self._tls:
            self._greeted = asyncio.get_running_loop().time()
        return self._factory()

    async def _greet(self, connected: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it left again, or its handshake failed
            await asyncio.get_running_loop().connect_accepted_socket(self._meet, connected, **self._tls)

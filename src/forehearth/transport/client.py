"""The HTTP/1.1 client that carries calls to model hosts: the `Sender` for `http` and `https`."""

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

from forehearth.core.clock import Clock, SystemClock
from forehearth.core.errors import Broken, Unreachable
from forehearth.core.upstream import Origin, Request, Response
from forehearth.transport.addresses import Resolve, system_resolve
from forehearth.transport.dial import Dialer
from forehearth.transport.failures import StaleConnection
from forehearth.transport.limits import ClientLimits, Counters
from forehearth.transport.pool import Pool

_SWEEP_EVERY: Final = 0.25
"""Seconds between looks at all connections: how late a timer may fire."""
_CLOSE_WITHIN: Final = 1.0


class HttpClient:
    """Sends requests on kept connections, within bounds of number, size and time.

    Use it as a context manager, in one event loop. Redirects are returned, not followed. A request is sent a second
    time in one case only: on a kept connection that the peer closed before one byte came back.
    """

    def __init__(
        self,
        *,
        limits: ClientLimits | None = None,
        clock: Clock | None = None,
        resolve: Resolve = system_resolve,
    ) -> None:
        self.counters = Counters()
        self._limits = limits or ClientLimits()
        self._monotonic = (clock or SystemClock()).monotonic
        self._dialer = Dialer(self._limits, resolve)
        self._pools: dict[Origin, Pool] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def open_connections(self) -> int:
        """Connections that are open now, in use or kept."""
        return sum(pool.open for pool in self._pools.values())

    @property
    def idle_connections(self) -> int:
        """Connections that are kept and not in use."""
        return sum(pool.idle for pool in self._pools.values())

    async def aclose(self) -> None:
        """End all calls, close all connections and refuse further calls."""
        self._loop = None
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        pools = list(self._pools.values())
        for pool in pools:
            pool.close()
        self._dialer.close()
        self._pools.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                for pool in pools:
                    await pool.emptied.wait()

    async def send(self, request: Request) -> Response:
        """Send, and return the response: whole, or with a `stream` when it is a 2xx of `text/event-stream`.

        Cancelling closes the connection at once, and so does `aclose()` on a stream before its end. Raises
        `Unreachable`, `Overloaded`, `TimedOut` and `Broken`; `Misconfigured` for a request that must not be sent.
        """
        began = self._monotonic()
        self.counters.requests += 1
        fresh = False
        while True:
            loop = self._loop
            if loop is None:
                raise Unreachable("No connection to the backend: the gateway is stopping.")
            pool = self._pools.get(request.origin) or self._open(request.origin, loop)
            head = pool.head.write(request)
            connection = (None if fresh else pool.take()) or await pool.connect(request.timeouts, began)
            answer = connection.start(head, request, began, loop)
            try:
                return await answer
            except asyncio.CancelledError:
                connection.abandon(answer)
                raise
            except StaleConnection as error:
                if fresh:  # one that another call gave back, and that was closed in turn
                    raise Broken("The backend closed the connection without an answer.") from error
                self.counters.stale_retries += 1
                fresh = True

    def _open(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Pool:
        if origin.scheme not in {"http", "https"}:
            raise Unreachable("No connection to the backend: its scheme is not one of HTTP.")
        pool = Pool(origin, self._dialer, self._limits, self.counters, self._monotonic)
        self._pools[origin] = pool
        if self._sweeping is None:
            self._sweeping = loop.call_later(_SWEEP_EVERY, self._sweep, loop)
        return pool

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = self._monotonic()
        for origin, pool in list(self._pools.items()):
            pool.sweep(now)
            if pool.empty:
                del self._pools[origin]
        self._sweeping = loop.call_later(_SWEEP_EVERY, self._sweep, loop) if self._pools else None

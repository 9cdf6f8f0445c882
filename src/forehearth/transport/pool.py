"""The connections to one origin: kept while they are good, bounded in number, with a bounded queue for them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from forehearth.core.errors import Failed, Overloaded, Unreachable
from forehearth.core.upstream import Origin, Timeouts
from forehearth.transport import failures
from forehearth.transport.connection import Connection
from forehearth.transport.dial import Dialer, place
from forehearth.transport.limits import ClientLimits, Counters
from forehearth.transport.proxies import Proxy, parse_proxy
from forehearth.transport.request_head import HeadWriter

_log = logging.getLogger("forehearth.transport")

_RETRY_AFTER = 1.0

Waiter = tuple[asyncio.Future["Connection | None"], float]
"""Who waits, for a connection or (None) for leave to dial one, and until when."""


class Pool:
    """Connections of one origin. The one used last is used first, so that those not needed grow idle.

    A place is taken by each connection and by each dial under way; a place that frees passes straight to the first
    who waits, so nobody overtakes.
    """

    def __init__(
        self, origin: Origin, dialer: Dialer, limits: ClientLimits, counters: Counters, monotonic: Callable[[], float]
    ) -> None:
        proxy: Proxy | None = parse_proxy(origin.proxy) if origin.proxy and origin.socket is None else None
        self.head = HeadWriter(origin, proxy)
        self._origin = origin
        self._proxy = proxy
        self._dialer = dialer
        self._limits = limits
        self._most = origin.connections or limits.connections_per_origin
        self._counters = counters
        self._monotonic = monotonic
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._dials: set[asyncio.Timeout] = set()
        self._reserved = 0
        """Places taken by dials under way, and by leave to dial that was given and not yet used."""
        self._waiting: deque[Waiter] = deque()
        self._closed = False
        self._label = place(origin)
        self.emptied = asyncio.Event()
        """Set once it is closed and nothing of it is left."""

    @property
    def open(self) -> int:
        """How many connections there are."""
        return sum(not connection.closed for connection in self._connections)

    @property
    def idle(self) -> int:
        """How many of them are unused."""
        return len(self._idle)

    @property
    def empty(self) -> bool:
        """Nothing is open, under way or waited for."""
        return not (self._connections or self._reserved or self._waiting)

    def take(self) -> Connection | None:
        """A kept connection, at once, or None."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if not connection.closed:
                connection.reused = True
                self._counters.reused += 1
                return connection
        return None

    async def connect(self, timeouts: Timeouts, began: float) -> Connection:
        """A new connection, or the first that is given back when no more may be opened.

        Raises `Unreachable`, `Overloaded`, and `TimedOut` for the phase `connect` or `total`.
        """
        while True:
            if len(self._connections) + self._reserved < self._most:
                self._reserved += 1
            else:
                connection = await self._wait(min(self._monotonic() + timeouts.connect, began + timeouts.total))
                if connection is not None and connection.closed:
                    continue
                if connection is not None:
                    return connection
            return await self._dial(timeouts, began)

    def released(self, connection: Connection) -> None:
        """Keep a connection whose response is complete, or hand it to who waits."""
        now = self._monotonic()
        if self._closed or now - connection.born >= self._limits.age_seconds:
            connection.abort()
            return
        while self._waiting:
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                connection.reused = True
                self._counters.reused += 1
                waiter.set_result(connection)
                return
        connection.free_since = now
        self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Forget a closed connection; its place is free."""
        if connection not in self._connections:
            return  # lost while it was dialled, which is the dial's to tell
        self._connections.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._counters.connections_closed += 1
        _log.debug("%s: connection closed", self._label)
        self._pass_place()

    def sweep(self, now: float) -> None:
        """Fail what is over its time, and close what was idle for too long."""
        for connection in list(self._connections):
            if connection.busy:
                if connection.check(now):
                    self._counters.timed_out += 1
            elif not connection.closed and now - connection.free_since > self._limits.idle_seconds:
                connection.abort()
        for waiter, until in self._waiting:
            if now >= until and not waiter.done():
                self._counters.turned_away += 1
                waiter.set_exception(_full())
        while self._waiting and self._waiting[0][0].done():
            self._waiting.popleft()

    def close(self) -> None:
        """End all calls and close all connections."""
        self._closed = True
        for connection in list(self._connections):
            if connection.busy:
                connection.fail(_closing())
            else:
                connection.abort()
        for waiter, _ in self._waiting:
            if not waiter.done():
                waiter.set_exception(_closing())
        self._waiting.clear()
        for limit in self._dials:
            limit.reschedule(0)
        self._pass_place()

    async def _wait(self, until: float) -> Connection | None:
        """Wait for a connection, or for a place in which to dial (None). Raises `Overloaded`."""
        if len(self._waiting) >= self._limits.waiting_per_origin:
            self._counters.turned_away += 1
            raise _full()
        self._counters.waited += 1
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((waiter, until))
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())
            raise

    def _give_back(self, connection: Connection | None) -> None:
        if connection is None:
            self._reserved -= 1
            self._pass_place()
        elif not connection.closed:
            self.released(connection)

    def _pass_place(self) -> None:
        """Give a place that was freed to the first who waits."""
        if self._closed and self.empty:
            self.emptied.set()
        while self._waiting:
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                self._reserved += 1
                waiter.set_result(None)
                return

    async def _dial(self, timeouts: Timeouts, began: float) -> Connection:
        """Open a connection in a place that is reserved, and give the place up if that fails."""
        connection = Connection(self, self._limits, self._monotonic, self._label)
        left = began + timeouts.total - self._monotonic()
        limit = asyncio.timeout(min(timeouts.connect, left))
        made = False
        try:
            async with limit:
                self._dials.add(limit)
                await self._dialer.dial(self._origin, self._proxy, connection)
            if self._closed:
                connection.abort()
                raise _closing()
            if connection.closed:
                raise Unreachable("No connection to the backend: it was closed at once.")
            made = True
        except TimeoutError as error:
            raise self._late(timeouts, left) from error
        finally:
            self._dials.discard(limit)
            self._reserved -= 1
            if not made:
                self._counters.connections_failed += 1
                self._pass_place()
        self._connections.add(connection)
        self._counters.connections_opened += 1
        _log.debug("%s: connection opened", self._label)
        return connection

    def _late(self, timeouts: Timeouts, left: float) -> Failed:
        if self._closed:
            return _closing()
        self._counters.timed_out += 1
        phase = failures.CONNECT if timeouts.connect <= left else failures.TOTAL
        _log.info("%s: no connection in time", self._label)
        return failures.timed_out(phase, timeouts)


def _full() -> Overloaded:
    return Overloaded("The backend has no free connection.", retry_after=_RETRY_AFTER)


def _closing() -> Unreachable:
    return Unreachable("No connection to the backend: the gateway is stopping.")

"""What the connections of one server share: the door, the limits, who is connected, the date."""

import asyncio
import itertools
import time
from collections import Counter
from email.utils import formatdate
from typing import Protocol

from uvicorn.server import ServerState

from forehearth.core.settings import InboundLimits
from forehearth.ports.entrance import Entrance

SWEEP_SECONDS = 0.25
"""How often the timers of each connection are looked at: the one clock there is, instead of a timer a request."""

SLICES = 10
"""All connections are looked at in so many turns: thousands at once, and those that are then sent away, would hold up
everybody's answers for some milliseconds."""

OVERFLOW = 256
"""Connections above the cap that are still told so before they are closed; those above that are dropped."""


class Timed(Protocol):
    """A connection as the sweep sees it."""

    def tick(self, now: float) -> None:
        """Look at the timers. `now` is the loop's time."""
        ...


class Border(ServerState):
    """uvicorn's shared state, and ours."""

    def __init__(self, entrance: Entrance, limits: InboundLimits) -> None:
        super().__init__()
        self.entrance = entrance
        self.limits = limits
        self.draining = False
        """Whether the server is about to stop: every answer then says `connection: close`."""
        self.open: dict[Timed, set[Timed]] = {}
        """Those that are open, each with the slice in which it is looked at."""
        self.date = b""
        """The line of the `date` header."""
        self._per_client: Counter[str] = Counter()
        self._slices = tuple(set[Timed]() for _ in range(SLICES))
        self._filled = itertools.cycle(self._slices)
        self._looked_at = itertools.cycle(self._slices)
        self._sweep: asyncio.TimerHandle | None = None
        self._dated = -1
        self._set_date()

    def join(self, connection: Timed, client: str) -> bool:
        """Count a connection in; whether there is room for it. `client` is empty where peers have no address."""
        self.open[connection] = its = next(self._filled)
        its.add(connection)
        if client:
            self._per_client[client] += 1
        limits = self.limits
        return len(self.connections) <= limits.connections and (
            self._per_client[client] <= limits.connections_per_client
        )

    def leave(self, connection: Timed, client: str) -> None:
        """Count it out again; once more does nothing."""
        its = self.open.pop(connection, None)
        if its is None:
            return
        its.discard(connection)
        if client:
            self._per_client[client] -= 1
            if not self._per_client[client]:
                del self._per_client[client]

    @property
    def overflows(self) -> bool:
        """Whether there are so many connections above the cap that not even a refusal is written."""
        return len(self.connections) > self.limits.connections + OVERFLOW

    def start_sweep(self) -> None:
        """Begin to look at every connection's timers, one slice now."""
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(SWEEP_SECONDS / SLICES, self.start_sweep)
        self._set_date()
        now = loop.time()
        for connection in tuple(next(self._looked_at)):
            connection.tick(now)

    def _set_date(self) -> None:
        second = int(time.time())
        if second != self._dated:
            self._dated = second
            date = formatdate(second, usegmt=True).encode("ascii")
            self.date = b"date: %b\r\n" % date
            self.default_headers = [(b"date", date)]

    def stop_sweep(self) -> None:
        """Look no more."""
        if self._sweep is not None:
            self._sweep.cancel()

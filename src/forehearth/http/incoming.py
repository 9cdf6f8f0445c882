"""A body that is read by whoever answers the request while it still arrives.

What has come and was not yet taken is bounded: past `HELD` bytes no more is read from the client, until it is taken.
A client that is slow is judged by what it sends: in each stretch of `body_seconds`, at least `SLOWEST` bytes, or the
rest of the body. Time in which nothing was read from it does not count.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Self

from forehearth.core.errors import Refused

HELD: Final = 256 * 1024
"""Bytes that wait to be taken, before the client has to wait; a read may bring some more."""
SLOWEST: Final = 256 * 1024
"""Bytes that have to come in each stretch of time that a whole body of another request has."""
SMALLEST_CHUNK: Final = 1_024
"""Bytes that chunks of a large body have on the average, at the least: it may come in as many as that makes."""


class Incoming:
    """A `core.exchange.Stream` that is fed from the other side.

    `pause` is called when enough is held, and `resume` when that was taken.
    """

    __slots__ = ("_ended", "_error", "_held", "_pause", "_resume", "_waiting", "paused")

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._held = bytearray()
        self._ended = False
        self._error: Refused | None = None
        self._waiting: asyncio.Future[None] | None = None
        self.paused = False
        """Whether the client has to wait."""

    def feed(self, piece: bytes) -> None:
        """A part of the body has come."""
        self._held += piece
        if len(self._held) >= HELD and not self.paused:
            self.paused = True
            self._pause()
        self._wake()

    def end(self) -> None:
        """The body has come whole."""
        self._ended = True
        self.paused = False
        self._wake()

    def fail(self, error: Refused) -> None:
        """It will not come whole: whoever reads it is told, and what was held is nothing any more."""
        self._error = self._error or error
        self._held = bytearray()
        self.paused = False
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """All that has come since. Raises `StopAsyncIteration`, and the `Refused` that says why there is no more."""
        while not self._held:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        held, self._held = self._held, bytearray()
        if self.paused:
            self.paused = False
            self._resume()
        return bytes(held)

    async def aclose(self) -> None:
        """See `core.exchange.Stream`. What still comes is for the connection to drop."""
        self._held = bytearray()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


class Pace:
    """How fast a body has to come: told what came, it says whether that was enough since it was asked last."""

    __slots__ = ("_mark",)

    def __init__(self) -> None:
        self._mark = 0

    def restart(self, taken: int) -> None:
        """A new stretch begins, with `taken` bytes come so far."""
        self._mark = taken

    def keeps_up(self, taken: int) -> bool:
        """Whether enough came in the stretch that is over. The next one begins."""
        came, self._mark = taken - self._mark, taken
        return came >= SLOWEST

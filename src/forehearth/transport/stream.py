"""The body of a streamed response, handed over in pieces as they arrive."""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Protocol

from forehearth.core.errors import Failed
from forehearth.core.tap import Ended, Take


class Source(Protocol):
    """Where the pieces come from."""

    def hold(self) -> None:
        """Stop reading: the reader is behind."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def abort(self) -> None:
        """Close at once: nobody wants the rest."""
        ...


class BodyStream(AsyncGenerator[bytes, None]):
    """An async generator of a body's bytes, without its chunk framing. Pieces that wait are handed over joined.

    A class rather than a generator function, because `aclose()` on a generator that was never started runs none of
    its code, and the connection would stay open. It is for one reader; cancelling that reader closes it.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_held",
        "_high",
        "_loop",
        "_pieces",
        "_poured",
        "_size",
        "_source",
        "_take",
        "_wake",
    )

    def __init__(self, source: Source, high: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._take: Take | None = None
        self._ended: Ended | None = None
        self._poured: asyncio.Future[None] | None = None
        self._source: Source | None = source
        """None once the body has ended, failed or been closed: the connection is then no longer ours."""
        self._high = high
        self._pieces: list[bytes] = []
        self._size = 0
        self._held = False
        self._wake: asyncio.Future[None] | None = None
        self._error: Failed | None = None

    def feed(self, piece: bytes) -> None:
        """Take what has arrived; the source is held once more than the high mark waits."""
        take = self._take
        if take is not None:
            try:
                if not take(piece):
                    self._rouse()
            except Exception as error:  # noqa: BLE001 - raised where it belongs, in the reader's task
                self._spill(error)
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._high and not self._held and self._source is not None:
            self._held = True
            self._source.hold()
        if self._wake is not None:
            self._rouse()

    def end(self) -> None:
        """The body is complete; what waits can still be read."""
        self._source = None
        self._finish()

    def fail(self, error: Failed) -> None:
        """The body will not be complete; the reader gets what waits, then `error`."""
        self._error = error
        self.end()

    def close(self) -> None:
        """Drop what waits and, before the end, close the connection at once."""
        source, self._source = self._source, None
        self._error = None
        self._pieces.clear()
        if source is not None:
            source.abort()
        self._rouse()

    def pour(self, take: Take, ended: Ended) -> asyncio.Future[None]:
        """See `core.tap.pour`."""
        self._poured = poured = self._loop.create_future()
        self._take, self._ended = take, ended
        if self._pieces:
            self.feed(self._waiting())
        if self._source is None:
            self._finish()
        return poured

    def _finish(self) -> None:
        """Nothing more comes. Whoever pours hears of it at once, where all went well."""
        if self._take is not None and self._ended is not None and self._error is None:
            self._take = None
            try:
                self._ended()
            except Exception as error:  # noqa: BLE001 - raised where it belongs, in the reader's task
                self._spill(error)
                return
        self._rouse()

    def _spill(self, error: Exception) -> None:
        """Whoever waits for the end hears of a mistake in what takes the pieces: it is not the source's."""
        if self._poured is not None and not self._poured.done():
            self._poured.set_exception(error)
        self._rouse()

    def _rouse(self) -> None:
        poured, self._take, self._ended, self._poured = self._poured, None, None, None
        if poured is not None and not poured.done():
            poured.set_result(None)
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._source is None:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            if self._wake is not None:
                raise RuntimeError("a response's stream has one reader")
            self._wake = self._loop.create_future()
            try:
                await self._wake
            except asyncio.CancelledError:
                self.close()
                raise
        return self._waiting()

    def _waiting(self) -> bytes:
        """All that waits, which is now the reader's."""
        pieces, self._pieces = self._pieces, []
        self._size = 0
        if self._held:
            self._held = False
            if self._source is not None:
                self._source.resume()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def asend(self, value: None) -> bytes:  # noqa: ARG002 - nothing can be sent in
        """The next piece."""
        return await self.__anext__()

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> bytes:
        """Close, and raise what was thrown in."""
        self.close()
        error = typ if isinstance(typ, BaseException) else val if isinstance(val, BaseException) else typ()
        raise error.with_traceback(tb)

    async def aclose(self) -> None:
        """Close; before the end that closes the connection at once."""
        self.close()

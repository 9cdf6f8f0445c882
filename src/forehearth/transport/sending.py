"""A request's body that is read while it is sent, no faster than its connection takes it."""

import asyncio
import contextlib
from typing import Protocol

from forehearth.core.document import StoreFailed
from forehearth.core.upstream import Source


class Sink(Protocol):
    """The connection that it goes out by."""

    def write(self, piece: bytes) -> None:
        """Send a piece."""
        ...

    def unreadable(self, error: BaseException) -> None:
        """The body cannot be read to its end, so the call cannot be sent."""
        ...


class Sending:
    """One body on its way. It begins at once."""

    __slots__ = ("_may_go_on", "_task")

    def __init__(self, sink: Sink, source: Source, loop: asyncio.AbstractEventLoop) -> None:
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._task = loop.create_task(self._send(sink, source))
        self._task.add_done_callback(lambda task: _judge(task, sink))

    @property
    def over(self) -> bool:
        """Whether all of it was given to the connection."""
        return self._task.done() and _error(self._task) is None and not self._task.cancelled()

    def hold(self) -> None:
        """The connection takes no more for now."""
        self._may_go_on.clear()

    def go_on(self) -> None:
        """It does again."""
        self._may_go_on.set()

    def stop(self) -> None:
        """Nobody wants the rest."""
        self._task.cancel()

    async def _send(self, sink: Sink, source: Source) -> None:
        left = source.size
        async with contextlib.aclosing(source.pieces()) as pieces:
            async for piece in pieces:
                await self._may_go_on.wait()
                left -= len(piece)
                sink.write(piece)
        if left:
            raise StoreFailed("a body that was put by is not as long as it was")


def _judge(task: asyncio.Task[None], sink: Sink) -> None:
    error = _error(task)
    if error is not None:
        sink.unreadable(error)


def _error(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()

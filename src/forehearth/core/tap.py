"""A stream that another one passes through on its way out: looked at, changed, or held back for a while.

Whoever taps a stream says in `take` what goes on of a piece, in `end` what comes after the last one, and in `broke`
what is still said where it breaks off. How the pieces travel is here: asked for one by one, or poured through.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Self

from forehearth.core.exchange import Stream

Take = Callable[[bytes], bool]
"""Takes a piece; whether it wants more of them poured."""

Ended = Callable[[], object]
"""Hears that there was the last piece, and that all went well."""


def pour(stream: Stream, take: Take, ended: Ended) -> asyncio.Future[None] | None:
    """Have the pieces of a stream handed to `take` as they arrive, without a task being woken for each.

    `ended` is called when all of it was poured, to the end: what it writes goes out together with the last piece.
    The future is done when there are no more, or `take` wanted none; what is left, and how it ended, is then to be
    asked for as ever. None for a stream that cannot.
    """
    taps: list[Tap] = []
    while isinstance(stream, Tap):
        taps.append(stream)
        stream = stream.tapped
    source: Callable[[Take, Ended], asyncio.Future[None]] | None = getattr(stream, "pour", None)
    if source is None:
        return None

    def finished() -> None:
        _end(taps, take)
        ended()

    return source(_through(taps, take), finished)


def _through(taps: Sequence["Tap"], take: Take) -> Take:
    """Every piece through all of `taps`, the last one first, and then to `take`."""
    steps = [tap.take for tap in reversed(taps)]
    cutting = [tap for tap in taps if tap.may_cut]

    def passed(piece: bytes) -> bool:
        for step in steps:
            piece = step(piece)
            if not piece:
                return True
        return take(piece) and not (cutting and any(tap.over for tap in cutting))

    return passed


def _end(taps: Sequence["Tap"], take: Take) -> None:
    """What each of `taps` says at its end, through those around it, and then to `take`. The last one is the first."""
    for index in reversed(range(len(taps))):
        taps[index].over = True
        piece = taps[index].end()
        for outer in reversed(taps[:index]):
            piece = piece and outer.take(piece)
        if piece:
            take(piece)


class Tap:
    """A `Stream` around another. It is for one reader."""

    __slots__ = ("_error", "may_cut", "over", "tapped")

    def __init__(self, stream: Stream) -> None:
        self.tapped = stream
        self.over = False
        """Nothing more comes of it."""
        self.may_cut = False
        """Whether it may be `over` after a piece, because it cut the stream off."""
        self._error: BaseException | None = None

    def take(self, piece: bytes) -> bytes:
        """What goes on of `piece`; it may be nothing."""
        raise NotImplementedError

    def end(self) -> bytes:
        """What comes after the last piece, mostly nothing. Called once."""
        return b""

    def broke(self, error: BaseException) -> bytes:  # noqa: ARG002 - for those that look at it
        """The stream broke off, or its reader was cancelled: what is still said before `error` is raised."""
        return b""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self.over:
            try:
                piece = await self.tapped.__anext__()
            except StopAsyncIteration:
                self.over = True
                piece = self.end()
                if piece:
                    return piece
                break
            except BaseException as error:
                self.over = True
                piece = self.broke(error)
                if not piece:
                    raise
                self._error = error
                return piece
            piece = self.take(piece)
            if piece:
                return piece
        raise self._error or StopAsyncIteration

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        self.over = True
        await self.tapped.aclose()

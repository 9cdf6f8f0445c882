"""An answer as it is kept, and given again: byte by byte, a stream in the pieces in which it came."""

import asyncio
from typing import Final, Self

import msgspec

from forehearth.core.exchange import Header, Reply

_OK: Final = 200
_KEPT: Final = frozenset(
    {b"content-type", b"openai-model", b"azureml-model-group", b"x-ms-rai-invoked", b"x-ms-region"}
)
"""Headers of a host that are as true of the answer later; what it said of its limits and its time is not."""
_AT_ONCE: Final = 32
"""Pieces that go out before others have a turn."""
_ENTRY_BYTES, _PIECE_BYTES = 1_000, 48
"""About what an entry, and each piece, takes besides its bytes."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, or a stream that ended well."""

    headers: tuple[Header, ...]
    body: bytes = b""
    pieces: tuple[bytes, ...] | None = None
    made: float
    """When it was complete, on the monotonic clock."""

    @classmethod
    def of(cls, reply: Reply, made: float, pieces: tuple[bytes, ...] | None = None) -> Self:
        """What is kept of a reply; of a stream, its `pieces`."""
        headers = tuple(each for each in reply.headers if each[0] in _KEPT)
        return cls(headers=headers, body=reply.body, pieces=pieces, made=made)

    @property
    def size(self) -> int:
        """The bytes of memory that it takes, about."""
        return _ENTRY_BYTES + len(self.body) + sum(len(each) + _PIECE_BYTES for each in self.pieces or ())

    def reply(self, *further: Header) -> Reply:
        """The same reply again, with `further` headers."""
        stream = None if self.pieces is None else _Replay(self.pieces)
        return Reply(status=_OK, headers=(*self.headers, *further), body=self.body, stream=stream)


class _Replay:
    """The pieces of a stream, without the pauses between them."""

    __slots__ = ("_at", "_pieces")

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._pieces = pieces
        self._at = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        at = self._at
        if at >= len(self._pieces):
            raise StopAsyncIteration
        if at and at % _AT_ONCE == 0:
            await asyncio.sleep(0)
        self._at = at + 1
        return self._pieces[at]

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        self._at = len(self._pieces)

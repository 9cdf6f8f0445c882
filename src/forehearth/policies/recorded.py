"""A stream that is remembered as it passes, to be given again."""

from collections.abc import Callable

from forehearth.core.exchange import Stream
from forehearth.core.tap import Tap


class Recorded(Tap):
    """A stream whose pieces are remembered as they pass. `ended` has them all where it came to its end."""

    __slots__ = ("_ended", "_most", "_pieces", "_size")

    def __init__(self, stream: Stream, *, most: int, ended: Callable[[tuple[bytes, ...]], None]) -> None:
        super().__init__(stream)
        self._ended: Callable[[tuple[bytes, ...]], None] | None = ended
        self._pieces: list[bytes] = []
        self._size = 0
        self._most = most

    def take(self, piece: bytes) -> bytes:
        """See `core.tap`."""
        self._size += len(piece)
        if self._size <= self._most:
            self._pieces.append(piece)
        else:  # too large to be kept
            self._ended = None
            self._pieces.clear()
        return piece

    def end(self) -> bytes:
        """See `core.tap`."""
        if self._ended is not None:
            self._ended(tuple(self._pieces))
        return b""

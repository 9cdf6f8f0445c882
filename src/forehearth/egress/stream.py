"""A stream from an address that a caller named: its place is given back, and its failures are told as such."""

from collections.abc import Callable
from typing import Self

from forehearth.core.errors import AddressFailed, Failed
from forehearth.core.exchange import Stream


class HeldStream:
    """A `Stream` around that of the transport. `released` is called once, when it ends, fails or is closed."""

    def __init__(self, stream: Stream, told: Callable[[Failed], AddressFailed], released: Callable[[], None]) -> None:
        self._stream = stream
        self._told = told
        self._released: Callable[[], None] | None = released

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._stream.__anext__()
        except Failed as error:
            self._release()
            raise self._told(error) from error
        except BaseException:  # its end, or the reader was cancelled: both are over with it
            self._release()
            raise

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        try:
            await self._stream.aclose()
        finally:
            self._release()

    def _release(self) -> None:
        released, self._released = self._released, None
        if released is not None:
            released()

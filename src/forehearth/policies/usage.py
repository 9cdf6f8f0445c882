"""Counts the tokens that a backend reports, whole or at the end of a stream."""

from collections.abc import Callable
from typing import Self

import msgspec

from forehearth.core.call import Call
from forehearth.core.exchange import Reply, Stream
from forehearth.core.usage import Usage
from forehearth.dialects import usage
from forehearth.dialects.usage import StreamUsage
from forehearth.policies.onion import Proceed
from forehearth.ports.meter import Meter


class CountUsage:
    """A policy. A stream that its client leaves early has counted what was reported until then."""

    def __init__(self, deployment: str, meter: Meter) -> None:
        self._deployment = deployment
        self._meter = meter

    async def __call__(self, call: Call, proceed: Proceed) -> Reply:
        """Pass the call on and read the usage of what comes back."""
        reply = await proceed(call)
        if reply.stream is not None:
            return msgspec.structs.replace(reply, stream=_Watched(reply.stream, self._count))
        found = usage.read(reply.body)
        if found is not None:
            self._count(found)
        return reply

    def _count(self, found: Usage) -> None:
        self._meter.tokens(self._deployment, found)


class _Watched:
    """A stream that is looked at as it passes, and reported on once, when it ends or is let go."""

    __slots__ = ("_count", "_stream", "_watcher")

    def __init__(self, stream: Stream, count: Callable[[Usage], None]) -> None:
        self._stream = stream
        self._count: Callable[[Usage], None] | None = count
        self._watcher = StreamUsage()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._stream.__anext__()
        except BaseException:
            self._report()
            raise
        self._watcher.feed(piece)
        return piece

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        self._report()
        await self._stream.aclose()

    def _report(self) -> None:
        count, self._count = self._count, None
        found = self._watcher.finish()
        if count is not None and found is not None:
            count(found)

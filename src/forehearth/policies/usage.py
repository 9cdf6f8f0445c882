"""Counts the tokens that a backend reports, whole or at the end of a stream."""

from collections.abc import AsyncGenerator

import msgspec

from forehearth.core.call import Call
from forehearth.core.exchange import Reply
from forehearth.dialects import usage
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
            return msgspec.structs.replace(reply, stream=self._watch(reply.stream))
        found = usage.read(reply.body)
        if found is not None:
            self._meter.tokens(self._deployment, found)
        return reply

    async def _watch(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        watcher = usage.StreamUsage()
        try:
            async for piece in stream:
                watcher.feed(piece)
                yield piece
        finally:
            await stream.aclose()
            found = watcher.finish()
            if found is not None:
                self._meter.tokens(self._deployment, found)

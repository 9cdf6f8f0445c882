"""Keeps the answers of calls with `store: true`, whole ones and streams: a `ports.keep.Keep`."""

import logging
from typing import Any, Self

import msgspec

from forehearth.core.call import Call
from forehearth.core.document import StoreFailed
from forehearth.core.errors import ForehearthError
from forehearth.core.exchange import Reply, Stream
from forehearth.core.place import Place
from forehearth.stored_completions.assembly import Assembly
from forehearth.stored_completions.service import StoredCompletions

LONGEST_STREAM = 32 * 1024 * 1024
"""Bytes of a stream that is put together; most of them are not text."""

_log = logging.getLogger("forehearth.stored_completions")


class _Asked(msgspec.Struct):
    messages: msgspec.Raw


class Keeping:
    """See `ports.keep`."""

    def __init__(self, stored: StoredCompletions) -> None:
        self._stored = stored

    async def __call__(self, place: Place, call: Call, reply: Reply) -> Reply:
        """See `ports.keep`."""
        if reply.stream is not None:
            stream = _Kept(self, place, call, reply.stream)
            return Reply(status=reply.status, headers=reply.headers, stream=stream)
        try:
            completion = msgspec.json.decode(reply.body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            _complain(call, "it is no JSON object")
        else:
            await self.keep(place, call, completion)
        return reply

    async def keep(self, place: Place, call: Call, completion: dict[str, Any]) -> None:
        """Store what was answered. Where that fails the answer goes out all the same, and the log says so."""
        messages = bytes(msgspec.json.decode(call.body, type=_Asked).messages)
        try:
            await self._stored.keep(place, completion, messages, call.keep or {})
        except (ForehearthError, StoreFailed) as error:
            _complain(call, str(error))


class _Kept:
    """A stream that is kept before its last event goes on."""

    __slots__ = ("_assembly", "_call", "_keeping", "_place", "_stream")

    def __init__(self, keeping: Keeping, place: Place, call: Call, stream: Stream) -> None:
        self._keeping = keeping
        self._place = place
        self._call = call
        self._stream = stream
        self._assembly: Assembly | None = Assembly()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        assembly = self._assembly
        try:
            piece = await self._stream.__anext__()
        except StopAsyncIteration:
            if assembly is not None:  # some hosts end without saying so
                self._assembly, assembly.done = None, True
                await self._keep(assembly)
            raise
        if assembly is not None:
            assembly.feed(piece)
            if assembly.done or assembly.size > LONGEST_STREAM:
                self._assembly = None
                await self._keep(assembly)
        return piece

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        await self._stream.aclose()

    async def _keep(self, assembly: Assembly) -> None:
        whole = assembly.whole()
        if whole is None:
            _complain(self._call, "its stream is too long, or no chat completion")
        else:
            await self._keeping.keep(self._place, self._call, whole)


def _complain(call: Call, reason: str) -> None:
    _log.warning("a chat completion was not stored: %s", reason, extra={"request_id": call.request_id})

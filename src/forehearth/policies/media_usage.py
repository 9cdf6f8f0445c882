"""Finds out what an answer of media used, and writes it to the call's record: what its host reports, and no more.

Hosts count sound by its seconds and pictures by the piece as often as by tokens, so nothing is counted here in place of
what is not reported.
"""

import msgspec

from forehearth.core.call import Call
from forehearth.core.exchange import Reply, Stream
from forehearth.core.tap import Tap
from forehearth.dialects.media_usage import MediaUsage
from forehearth.policies.onion import Proceed
from forehearth.ports.meter import Meter

_NAME = "usage"


class NoteMediaUsage:
    """A policy for calls of media, next to the attempts at the backends."""

    def __init__(self, deployment: str, meter: Meter) -> None:
        self._deployment = deployment
        self._meter = meter

    async def __call__(self, call: Call, proceed: Proceed) -> Reply:
        """Pass the call on, and look at what comes back."""
        reply = await proceed(call)
        if reply.stream is not None:
            return msgspec.structs.replace(reply, stream=_Watched(self, call, reply.stream))
        found = MediaUsage()
        found.feed(reply.body)
        self.note(call, found)
        return reply

    def note(self, call: Call, found: MediaUsage) -> None:
        """Write down what was reported."""
        record, usage = call.record, found.usage
        if usage is None:
            record.say(_NAME, "The backend reported no tokens.")
            return
        self._meter.tokens(self._deployment, usage)
        record.usage = usage
        if record.attempts:
            record.attempts[-1].usage = usage


class _Watched(Tap):
    """A stream that is looked at as it passes, and reported on once."""

    __slots__ = ("_call", "_found", "_policy")

    def __init__(self, policy: NoteMediaUsage, call: Call, stream: Stream) -> None:
        super().__init__(stream)
        self._policy: NoteMediaUsage | None = policy
        self._call = call
        self._found = MediaUsage()

    def take(self, piece: bytes) -> bytes:
        """See `core.tap`."""
        self._found.feed(piece)
        return piece

    def end(self) -> bytes:
        """See `core.tap`."""
        self._report(cut=False)
        return b""

    def broke(self, error: BaseException) -> bytes:  # noqa: ARG002 - whatever it is
        """See `core.tap`."""
        self._report(cut=True)
        return b""

    async def aclose(self) -> None:
        """See `core.exchange.Stream`. Before the end, it is the client that left."""
        self._report(cut=not self.over)
        await super().aclose()

    def _report(self, *, cut: bool) -> None:
        policy, self._policy = self._policy, None
        if policy is not None:
            self._call.record.cut = cut
            policy.note(self._call, self._found)

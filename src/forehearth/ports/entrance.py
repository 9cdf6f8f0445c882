"""What the HTTP server asks of the program: shall this request come in, and what is the answer."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from forehearth.core.errors import Refused
from forehearth.core.exchange import Head, Reply, Stream

Streamed = Callable[[Stream], Awaitable[Reply]]
"""Answers a request while its body arrives; else as `Admission.answer`.

The body is read no faster than it is taken, and raises `Refused` where it does not come whole. The answer may come
before its end; then the rest is not read.
"""


class Admission(Protocol):
    """A request that was let in on the strength of its head. Its body may now be read, up to `max_body` bytes."""

    @property
    def max_body(self) -> int:
        """How many bytes of body are accepted."""
        ...

    @property
    def streamed(self) -> Streamed | None:
        """What answers while the body arrives, where it is not here whole with its head; None where it is collected."""
        ...

    async def answer(self, body: bytes) -> Reply:
        """Answer the request. Never raises but `CancelledError`: what goes wrong becomes a reply.

        Cancelled when the client leaves.
        """
        ...

    def refuse(self, error: Refused) -> Reply:
        """The reply that says, in the words of this surface, what was wrong with the body's transfer."""
        ...

    def again(self) -> "Admission | None":
        """The same for another request with the same head on the same connection, its credential looked at anew.

        None where it has to be decided as if it were the first.
        """
        ...


class Undecided(msgspec.Struct, frozen=True):
    """The door has to ask somebody first. No byte of the body is read before `decision` is there."""

    decision: Awaitable[Admission | Reply]


class Entrance(Protocol):
    """The door. Decides on the head alone, and but for `Undecided` at once and without I/O."""

    def accept(self, head: Head) -> Admission | Reply | Undecided | None:
        """Let in (`Admission`), answer without reading a body (`Reply`), or None: not ours, hand it to ASGI."""
        ...

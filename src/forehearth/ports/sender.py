"""How a request reaches a model host."""

from typing import Protocol

from forehearth.core.upstream import Request, Response


class Sender(Protocol):
    """Carries one request out and its response back. HTTP is one; a script that answers by itself is another."""

    async def send(self, request: Request) -> Response:
        """Send and return the response, whole, or at its first byte where it is a stream.

        Raises `Unreachable`, `Overloaded`, `TimedOut` or `Broken`, the last two also from within a stream, and
        `Misconfigured` when the request cannot be put on the wire. An answer of any status is a response.
        """
        ...

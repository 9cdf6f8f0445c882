"""How an address that a caller named is asked."""

from typing import Protocol

from forehearth.core.egress import EgressRequest
from forehearth.core.upstream import Response


class Egress(Protocol):
    """Asks addresses of strangers: only those that may be asked, within bounds of bytes and time."""

    async def send(self, request: EgressRequest) -> Response:
        """The answer of any status, redirects followed; with a `stream` when it is a 2xx of `text/event-stream`.

        Who takes a response with a stream owes it one `aclose()`. Raises `AddressRefused` for what is not asked, and
        `AddressFailed` for what did not answer as it should, the latter from within a stream too.
        """
        ...

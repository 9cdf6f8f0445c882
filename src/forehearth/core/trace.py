"""What tells one request apart from all others, on every reply and in every log line."""

import re

import msgspec

from forehearth.core.exchange import Header

_ECHOED = re.compile(rb"[\x21-\x7e]{1,256}")


class Trace(msgspec.Struct, frozen=True):
    """A request's own id, and the one its client gave it: opaque, echoed, used for nothing else."""

    request_id: str
    client_request_id: bytes | None = None

    def headers(self) -> list[Header]:
        """The identifying headers of a reply, named as the service names them."""
        own = self.request_id.encode()
        client = self.client_request_id
        echo = client if client is not None and _ECHOED.fullmatch(client) else b"Not-Set"
        return [
            (b"apim-request-id", own),
            (b"x-request-id", own),
            (b"x-ms-request-id", own),
            (b"x-ms-client-request-id", echo),
        ]

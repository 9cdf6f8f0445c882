"""What crosses the inbound HTTP border: a request's head, and the reply that goes out.

The reader of bytes (`http/`) makes a `Head` and writes a `Reply`; neither knows HTTP framing, and nothing past
that border sees a socket.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Literal

import msgspec

Header = tuple[bytes, bytes]
"""One header field: the name in lower case, and the value, both as sent."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A request line and its headers, before any byte of the body is read.

    `raw_path` and `query` are as sent, percent-encoding included: routing and authorisation decide on those and on
    nothing decoded. `headers` has lower-case names; a repeated field is joined with `, ` (RFC 9110 section 5.2).
    """

    method: bytes
    raw_path: bytes
    query: bytes = b""
    headers: Mapping[bytes, bytes] = {}
    scheme: Literal["http", "https"] = "http"
    client: str = ""
    """The peer's address without its port; empty on a Unix socket."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back: a whole body, or a stream of pieces when `stream` is set (then `body` is empty).

    Whoever holds a streaming reply owes it exactly one `aclose()`, however the exchange ends; that is what closes
    the connection to the backend. `headers` carry no framing (`content-length`, `transfer-encoding`, `connection`).
    """

    status: int
    headers: Sequence[Header] = ()
    body: bytes = b""
    stream: AsyncGenerator[bytes, None] | None = None

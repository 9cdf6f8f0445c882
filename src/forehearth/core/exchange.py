"""What crosses the inbound HTTP border: a request's head, and the reply that goes out.

The reader of bytes (`http/`) makes a `Head` and writes a `Reply`; neither knows HTTP framing, and nothing past
that border sees a socket.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, Literal, Protocol, Self

import msgspec

Header = tuple[bytes, bytes]
"""One header field: the name in lower case, and the value, both as sent."""
KEY_HEADERS: Final = (b"api-key", b"x-api-key", b"ocp-apim-subscription-key")
"""In which a key is sent, besides as a bearer."""


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
    prefix: bytes = b""
    """What stood before `raw_path` in what the caller sent: one of `server.prefixes`."""
    client: str = ""
    """The peer's address without its port; empty on a Unix socket."""


class Stream(Protocol):
    """Pieces of a body as they arrive, for one reader. An async generator is one.

    What wraps another's stream is a class, not a generator function: `aclose()` on a generator that was never
    started runs none of its code, and what it holds would stay open.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Itself."""
        ...

    async def __anext__(self) -> bytes:
        """The next piece. Raises `StopAsyncIteration` at the end, `Failed` where the body breaks off."""
        ...

    async def aclose(self) -> None:
        """Let go; before the end, that closes the connection the pieces come from. Once more does nothing."""
        ...


class OnePiece:
    """A `Stream` of bytes that are here already."""

    __slots__ = ("_left",)

    def __init__(self, body: bytes) -> None:
        self._left = body

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        piece, self._left = self._left, b""
        return piece

    async def aclose(self) -> None:
        """See `Stream`."""
        self._left = b""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back: a whole body, or a stream of pieces when `stream` is set (then `body` is empty).

    Whoever holds a streaming reply owes it exactly one `aclose()`, however the exchange ends; that is what closes
    the connection to the backend. `headers` carry no framing (`content-length`, `transfer-encoding`, `connection`).
    """

    status: int
    headers: Sequence[Header] = ()
    body: bytes = b""
    stream: Stream | None = None
    length: int | None = None
    """Bytes of the stream, where that is known; it then has exactly so many, or breaks off."""
    in_responses: bool = False
    """Whether it is an answer of the Responses API: of a backend that has it, to a call that can be asked so."""

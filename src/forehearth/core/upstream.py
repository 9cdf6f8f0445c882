"""What crosses the outbound border: a request to a model host, and its response."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

import msgspec

from forehearth.core.exchange import Header, Stream


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Paths that change how a host is trusted, and how we show who we are (PEM files)."""

    ca_bundle: str | None = None
    """Certificates trusted instead of the system's."""
    certificate: str | None = None
    """Our client certificate chain."""
    key: str | None = None
    """Its private key, when it is not in the same file."""


class Origin(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """One place connections are pooled to. Equal origins share connections; what must not be mixed is a member."""

    scheme: str
    """`http` or `https`; other senders than HTTP have schemes of their own (`scripted`)."""
    host: str
    port: int = 0
    socket: str | None = None
    """Path of a Unix socket to dial instead of host and port."""
    tls: TlsFiles = TlsFiles()
    proxy: str | None = None
    """`http://[user:password@]host:port` of the proxy to go through, already chosen for this host."""
    connections: int | None = None
    """How many connections there may be; None for the sender's own bound."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long each phase of an upstream call may take, in seconds on the monotonic clock."""

    connect: float = 5.0
    """Name resolution, TCP and TLS together."""
    first_byte: float = 120.0
    """From the request sent to the first byte of the response."""
    idle: float = 60.0
    """Between two reads of a response's body."""
    total: float = 600.0
    """The whole call, streams included."""


class Source(Protocol):
    """A request's body that is not in memory."""

    @property
    def size(self) -> int:
        """Bytes of it."""
        ...

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """All of them, from the beginning, each time that it is asked. Raises `StoreFailed` where it cannot be read."""
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a model host. The sender adds `host`, `content-length` and `connection` to `headers`."""

    origin: Origin
    method: bytes = b"POST"
    target: bytes
    """Path and query, as sent."""
    headers: Sequence[Header] = ()
    body: bytes = b""
    source: Source | None = None
    """The body instead, where it is read while it is sent."""
    streams: bool = False
    """Whether every success is handed over as a stream, and not events alone."""
    timeouts: Timeouts = Timeouts()
    most_bytes: int | None = None
    """Bytes of the response's body, streams included; None for the sender's own bound, which streams have not."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What a model host answered: whole (`body`), or as `stream`.

    That is how a 2xx of `text/event-stream` comes, and every 2xx where its request `streams`. `headers` are as in
    `Head`. Who takes a response with a stream owes it one `aclose()`; closing before the end closes the connection.
    """

    status: int
    headers: Mapping[bytes, bytes] = {}
    body: bytes = b""
    stream: Stream | None = None

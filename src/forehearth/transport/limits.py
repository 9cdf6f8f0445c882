"""Bounds of the outbound client: how many connections it keeps, and how much of an answer it takes."""

import msgspec


class ClientLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the client holds and takes at most. The defaults suit model hosts; tests make them small."""

    connections_per_origin: int = 1_024
    waiting_per_origin: int = 1_024
    """Calls that may wait for one of these connections; one more is `Overloaded`."""
    idle_seconds: float = 30.0
    """How long an unused connection is kept."""
    age_seconds: float = 300.0
    """How long a connection is used before a new one is dialled, so that a changed name is noticed.
    With 0, each carries one request."""
    head_bytes: int = 65_536
    """Status line and header fields together, and any later run of bytes that carries no body."""
    header_count: int = 256
    interim_responses: int = 16
    """1xx responses that are skipped before the one that counts."""
    body_bytes: int = 64 * 1024 * 1024
    """Body of an answer that is not a stream."""
    stream_bytes: int = 65_536
    """How much of a stream may wait for its reader before the host is made to wait."""
    receive_buffer: int = 256 * 1024
    """`SO_RCVBUF` of a connection: what the kernel takes in while nobody reads."""
    second_address_after: float = 0.25
    """Seconds after which the next address of a name is tried beside the first (RFC 8305)."""


class Counters:
    """What happened since the client was made, as plain counts."""

    __slots__ = (
        "connections_closed",
        "connections_failed",
        "connections_opened",
        "requests",
        "reused",
        "stale_retries",
        "timed_out",
        "turned_away",
        "waited",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.connections_opened = 0
        self.connections_closed = 0
        self.connections_failed = 0
        """Attempts to connect that came to nothing, cancelled ones included."""
        self.reused = 0
        """Requests sent on a connection that had served another."""
        self.stale_retries = 0
        """Requests sent again because a kept connection turned out to be closed."""
        self.waited = 0
        """Requests that waited for a free connection."""
        self.turned_away = 0
        """Requests that found no free connection in time, or no place to wait."""
        self.timed_out = 0

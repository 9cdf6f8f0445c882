"""What is looked at in the head of a host's answer before its body is taken."""

from collections.abc import Mapping
from typing import Final

from forehearth.transport.limits import ClientLimits

_EVENT_STREAM: Final = b"text/event-stream"
_UNCODED: Final = frozenset({b"", b"identity"})


def is_event_stream(media_type: bytes) -> bool:
    """Whether a `content-type` is that of server-sent events."""
    end = len(_EVENT_STREAM)
    return media_type[:end].lower() == _EVENT_STREAM and media_type[end : end + 1] in b"; \t"


def objection(headers: Mapping[bytes, bytes], taken: int, limits: ClientLimits) -> str:
    """Why an answer with this head is not accepted; empty where it is. `taken` bytes came so far."""
    if len(headers) > limits.header_count:
        return "it has too many header fields"
    if taken > limits.head_bytes:
        size = sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers)
        if size > limits.head_bytes:
            return "its head is too large"
    if b"content-encoding" in headers and headers[b"content-encoding"].strip().lower() not in _UNCODED:
        return "its body is compressed, which was not asked for"
    if b"transfer-encoding" in headers and headers[b"transfer-encoding"].strip().lower() != b"chunked":
        return "its transfer coding is not served"
    return ""

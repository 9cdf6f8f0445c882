"""Replies as bytes: status line, fields and framing. One `bytes` per write, so that one system call sends it."""

from http import HTTPStatus

from forehearth.core.exchange import Reply

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode("ascii") for status in range(200, 600)
}
_SPECIAL = b"\r\n\0"
_WITHOUT_BODY = frozenset({204, 304})


class Unwritable(ValueError):
    """A reply that cannot be sent as it is: a status that is none, or a line end in a header."""


def whole(reply: Reply, date: bytes, *, close: bool, head_only: bool = False) -> bytes:
    """A reply that is complete: head and body. `date` is the line of that header. Raises `Unwritable`."""
    if reply.status in _WITHOUT_BODY:
        return _head(reply, date, b"", close=close)
    body = reply.body
    head = _head(reply, date, b"content-length: %d\r\n" % len(body), close=close)
    return head if head_only else head + body


def opening(reply: Reply, date: bytes, *, close: bool, chunked: bool) -> bytes:
    """The head of a reply whose body is still to come; one of known length is not `chunked`. Raises `Unwritable`."""
    framing = b"transfer-encoding: chunked\r\n" if chunked else b""
    if reply.length is not None and has_body(reply.status):
        framing = b"content-length: %d\r\n" % reply.length
    return _head(reply, date, framing, close=close)


def has_body(status: int) -> bool:
    """Whether a response of this status has a body at all."""
    return status not in _WITHOUT_BODY


def _head(reply: Reply, date: bytes, framing: bytes, *, close: bool) -> bytes:
    line = _STATUS_LINES.get(reply.status)
    if line is None:
        raise Unwritable(f"{reply.status} is not the status of a response")
    fields = b"\r\n".join([b": ".join(field) for field in reply.headers]) + b"\r\n" if reply.headers else b""
    head = b"%b%b%b%b%b" % (line, date, fields, framing, b"connection: close\r\n\r\n" if close else b"\r\n")
    # A line end inside a value would begin a header, or a response, that nobody here wrote.
    lines = len(reply.headers) + 3 + (framing != b"") + close
    if len(head) - len(head.translate(None, _SPECIAL)) != 2 * lines:
        raise Unwritable("a header has a line end or NUL in it")
    return head

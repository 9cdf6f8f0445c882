"""The chunked transfer coding of a request's body, taken apart (RFC 9112 section 7.1). Bytes in, bytes out, no I/O.

    chunked-body   = *chunk last-chunk trailer-section CRLF
    chunk          = size [ extensions ] CRLF  data CRLF
    last-chunk     = 1*"0" [ extensions ] CRLF

Every line ends in CRLF, nothing else; a size is hexadecimal digits alone; extensions must be well-formed, are few and
are ignored; trailer fields are checked and dropped, and may not say anything about framing or routing. A fault is
found however the bytes were cut, and at the latest where its line ends or would have become too long.
"""

import re

from forehearth.http.faults import Malformed

LONGEST_SIZE = 16
"""Hexadecimal digits of one chunk's size, leading zeros included."""
LONGEST_LINE = 1_024
"""Bytes of one size line, extensions included."""
MOST_EXTENSIONS = 4_096
"""Bytes of all extensions of one body."""
MOST_TRAILERS = 8_192
"""Bytes of all trailer fields."""
MOST_CHUNKS = 65_536
"""Chunks of one body, unless said otherwise: a bound on what it costs to take apart a body in tiny ones."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
# Groups are never possessive: releases of Python 3.11 before 3.11.5 match those wrongly. Single sets may be.
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_LINE = re.compile(rb"([0-9A-Fa-f]{1,16}+)((?:;%b++(?:=(?:%b++|%b))?)*)\r\n" % (_TOKEN, _TOKEN, _QUOTED))
_PARTIAL_LINE = re.compile(rb"[0-9A-Fa-f]{0,16}+|[0-9A-Fa-f]{1,16}+(?:;[^\x00-\x08\x0a-\x1f\x7f]*+)?\r?")
_TRAILER = re.compile(rb"(%b++):[\t\x20-\x7e\x80-\xff]*+\r\n" % _TOKEN)
_PARTIAL_TRAILER = re.compile(rb"%b*+(?::[\t\x20-\x7e\x80-\xff]*+)?\r?" % _TOKEN)
_NOT_IN_TRAILERS = frozenset({b"content-length", b"transfer-encoding", b"host", b"content-encoding", b"trailer"})

_SIZE, _DATA, _AFTER_DATA, _TRAILERS, _DONE = range(5)


class ChunkedBody:
    """Feed it what arrives; it gives back what was in the chunks, until `done`."""

    __slots__ = ("_chunks", "_extensions", "_held", "_left", "_most", "_state", "_trailers", "rest")

    def __init__(self, most_chunks: int = MOST_CHUNKS) -> None:
        self._state = _SIZE
        self._most = most_chunks
        self._held = b""
        self._left = 0
        self._chunks = 0
        self._extensions = 0
        self._trailers = 0
        self.rest = b""
        """What came after the body's end: it belongs to the next request."""

    @property
    def done(self) -> bool:
        """Whether the body is complete."""
        return self._state == _DONE

    def feed(self, data: bytes) -> bytes:
        """The body's bytes that `data` completes. Raises `Malformed`, after which nothing may be fed any more."""
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        at = 0
        size = len(data)
        while at < size and self._state != _DONE:
            if self._state == _DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _AFTER_DATA
                continue
            after = self._line(data, at)
            if after == at:
                self._held = data[at:]
                break
            at = after
        if self._state == _DONE:
            self.rest = data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _line(self, data: bytes, at: int) -> int:
        """Read the line that begins at `at`; return where it ends, or `at` if it is not complete."""
        if self._state == _SIZE:
            return self._size_line(data, at)
        if self._state == _AFTER_DATA:
            return self._data_end(data, at)
        return self._trailer_line(data, at)

    def _size_line(self, data: bytes, at: int) -> int:
        line = _LINE.match(data, at, at + LONGEST_LINE)
        if line is None:
            if len(data) - at >= LONGEST_LINE or _PARTIAL_LINE.fullmatch(data, at) is None:
                raise _fault("a chunk's size line is not hexadecimal digits, short extensions and CRLF")
            return at
        self._chunks += 1
        self._extensions += len(line[2])
        if self._chunks > self._most or self._extensions > MOST_EXTENSIONS:
            raise _fault(f"more than {self._most} chunks, or {MOST_EXTENSIONS} bytes of extensions")
        self._left = int(line[1], 16)
        self._state = _DATA if self._left else _TRAILERS
        return line.end()

    def _data_end(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self._state = _SIZE
            return at + 2
        if data[at:] != b"\r":
            raise _fault("a chunk's data is longer than its size says")
        return at

    def _trailer_line(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self._state = _DONE
            return at + 2
        room = MOST_TRAILERS - self._trailers
        line = _TRAILER.match(data, at, at + room)
        if line is None:
            if len(data) - at >= room or _PARTIAL_TRAILER.fullmatch(data, at) is None:
                raise _fault("a trailer field is malformed, or the trailers are too long")
            return at
        if line[1].lower() in _NOT_IN_TRAILERS:
            raise _fault("a trailer names a field that may not come in trailers")
        self._trailers += line.end() - at
        return line.end()


def _fault(what: str) -> Malformed:
    return Malformed("invalid_chunk", f"The body's chunked coding is broken: {what}.")

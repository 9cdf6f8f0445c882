"""`multipart/form-data` taken apart while it arrives (RFC 7578, RFC 2046 section 5.1). Bytes in, parts out, no I/O.

    body       = delimiter CRLF part *(CRLF delimiter CRLF part) CRLF delimiter "--" [CRLF]
    delimiter  = "--" boundary
    part       = *(header CRLF) CRLF *OCTET

Stricter than RFC 2046, because no client needs more: nothing stands before the first delimiter or after the last one,
there is no white space after a delimiter, no folded header, no part without an empty line behind its headers, and no
line in a part that begins with the boundary: other readers differ there, and none may see other parts than this one.
How the bytes were cut makes no difference, and what is held is bounded whatever comes. Names are text and no paths; a
control character in one is a fault.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from forehearth.core.errors import MalformedBody, UnsupportedMediaType

MOST_PARTS: Final = 32
MOST_HEADERS: Final = 16
"""Header fields of one part."""
LONGEST_HEADERS: Final = 8_192
"""Bytes of the header fields of one part."""
LONGEST_NAME: Final = 255
"""Characters of a part's name or file name."""

_MEDIA: Final = b"multipart/form-data"
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(rb'[ \t]*;[ \t]*(%b)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))' % _TOKEN)
_BOUNDARY: Final = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_HEADER: Final = re.compile(rb"(%b):[ \t]*([\t\x20-\x7e\x80-\xff]*)" % _TOKEN)
_EXTENDED: Final = re.compile(rb"(?i:utf-8)'[A-Za-z0-9-]*'([!#$&+\-.^_`|~0-9A-Za-z%]*)")
_CRLF: Final = b"\r\n"
_EMPTY_LINE: Final = b"\r\n\r\n"
_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_AS_IT_IS: Final = frozenset({b"7bit", b"8bit", b"binary"})

_START, _AFTER_DELIMITER, _HEADERS, _BODY, _DATA, _END = range(6)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part begins; its bytes follow."""

    name: str
    filename: str | None
    """What the client calls the file; None where the part is no file. It is text, and never a path."""
    at: int = 0
    """Where in the body its bytes begin."""


Event = Part | bytes


def boundary(content_type: bytes) -> bytes:
    """What the parts of a body are told apart by, from its `content-type`.

    Raises `UnsupportedMediaType` for another media type, and `MalformedBody` for a boundary that is none.
    """
    media, _, _ = content_type.partition(b";")
    if media.strip().lower() != _MEDIA:
        raise UnsupportedMediaType(f"Send the body as {_MEDIA.decode()} (header 'content-type').")
    found = _parameters(content_type[len(media) :])
    if found is None or _BOUNDARY.fullmatch(found.get(b"boundary", b"")) is None:
        raise MalformedBody("The header 'content-type' has no boundary of 1 to 70 of the characters that one may have.")
    return found[b"boundary"]


class Multipart:
    """Feed it what arrives; it gives back what that completes. After a fault nothing may be fed any more."""

    __slots__ = ("_at", "_held", "_line", "_most_parts", "_parts", "_state")

    def __init__(self, boundary: bytes, *, most_parts: int = MOST_PARTS) -> None:
        self._line = b"\r\n--" + boundary
        self._held = _CRLF  # so that the first delimiter is like the others
        self._at = -len(_CRLF)
        """Where in the body the bytes that are held begin."""
        self._most_parts = most_parts
        self._state = _START
        self._parts = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """The parts that begin and their bytes, in order; all of them have to be taken. Raises `MalformedBody`.

        What stands before a fault is given before it is raised, so that it makes no difference how the bytes were cut.
        """
        data = self._held + data
        at = 0
        while True:
            events: list[Event] = []
            after = self._step(data, at, events)
            yield from events
            if after is None:
                break
            at = after
        self._held = data[at:]
        self._at += at

    def end(self) -> None:
        """No more comes. Raises `MalformedBody` where there has to be more."""
        if self._state != _END:
            raise _fault("it ends before its last delimiter, which is the boundary between two times '--'")

    def _step(self, data: bytes, at: int, events: list[Event]) -> int | None:
        """Read on from `at`; return up to where, or None where more has to come first."""
        if self._state == _DATA:
            return self._data(data, at, events)
        if self._state == _HEADERS:
            return self._headers(data, at, events)
        if self._state == _BODY:
            return self._body(data, at)
        if self._state == _START:
            return self._start(data, at)
        if self._state == _AFTER_DELIMITER:
            return self._after_delimiter(data, at)
        if data[at:] not in (b"", b"\r", _CRLF):
            raise _fault("something stands after its last delimiter")
        return None

    def _start(self, data: bytes, at: int) -> int | None:
        line = self._line
        if not line.startswith(data[at : at + len(line)]):
            raise _fault("it does not begin with the boundary that the header 'content-type' names")
        if len(data) - at < len(line):
            return None
        self._state = _AFTER_DELIMITER
        return at + len(line)

    def _after_delimiter(self, data: bytes, at: int) -> int | None:
        mark = data[at : at + 2]
        if mark == _CRLF:
            self._state = _HEADERS
            return at + 2
        if mark == b"--":
            self._state = _END
            return at + 2
        if mark in (b"", b"\r", b"-"):
            return None
        raise _fault("a delimiter is followed by something else than a line end or '--'")

    def _headers(self, data: bytes, at: int, events: list[Event]) -> int | None:
        end = at if data.startswith(_CRLF, at) else data.find(_EMPTY_LINE, at, at + LONGEST_HEADERS)
        if end < 0:
            if len(data) - at >= LONGEST_HEADERS:
                raise _fault(f"the headers of a part are longer than {LONGEST_HEADERS} bytes")
            return None
        self._parts += 1
        if self._parts > self._most_parts:
            raise _fault(f"it has more than {self._most_parts} parts")
        begin = end + len(_EMPTY_LINE)
        events.append(_part(data[at:end], self._at + begin))
        self._state = _BODY
        return begin

    def _body(self, data: bytes, at: int) -> int | None:
        """The first bytes behind the headers. Other readers take a delimiter there for the next part's."""
        mark = self._line[len(_CRLF) :]
        begun = data[at : at + len(mark)]
        if begun == mark:
            raise _fault("a part's content begins with the boundary")
        if mark.startswith(begun):
            return None
        self._state = _DATA
        return at

    def _data(self, data: bytes, at: int, events: list[Event]) -> int | None:
        end = self._delimiter(data, at)
        if end is not None:
            if end > at:
                events.append(data[at:end])
            self._state = _AFTER_DELIMITER
            return end + len(self._line)
        # What may be the beginning of a delimiter has to wait for the rest of it.
        tail = max(at, len(data) - len(self._line) + 1)
        upto = max(data.rfind(b"\r", tail), data.rfind(b"\n", tail))
        upto = len(data) if upto < 0 else upto - (upto > at and data[upto - 1 : upto + 1] == _CRLF)
        if upto == at:
            return None
        events.append(data[at:upto])
        return upto

    def _delimiter(self, data: bytes, at: int) -> int | None:
        """Where the next delimiter begins. Raises `MalformedBody` for a line that others may take for one."""
        mark = self._line[len(_CRLF) :]
        end = data.find(self._line, at)
        # Up to the delimiter, whose own line feed is left out.
        upto = len(data) if end < 0 else end + len(mark) + 1
        if data.find(b"\n" + mark, at, upto) >= 0 or data.find(b"\r" + mark, at, upto) >= 0:
            raise _fault("the boundary begins a line that does not end the one before it with CRLF")
        return None if end < 0 else end


def _part(block: bytes, at: int) -> Part:
    """A part's header fields. Raises `MalformedBody`."""
    fields: dict[bytes, bytes] = {}
    lines = block.split(_CRLF)
    if len(lines) > MOST_HEADERS:
        raise _fault(f"a part has more than {MOST_HEADERS} headers")
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in fields:
            raise _fault("a header of a part is malformed, or there twice")
        fields[found[1].lower()] = found[2].strip(b" \t")
    if fields.get(b"content-transfer-encoding", b"binary").lower() not in _AS_IT_IS:
        raise _fault("a part is encoded: send it as it is, without Content-Transfer-Encoding")
    disposition = fields.get(b"content-disposition", b"")
    kind, _, _ = disposition.partition(b";")
    given = _parameters(disposition[len(kind) :]) if kind.strip().lower() == b"form-data" else None
    if given is None or b"name" not in given or b"name*" in given:
        raise _fault("a part has no header 'Content-Disposition: form-data; name=\"…\"'")
    return Part(name=_text(given[b"name"]), filename=_filename(given), at=at)


def _filename(given: dict[bytes, bytes]) -> str | None:
    """The extended form, where it is there, is the one that the client means."""
    if b"filename*" in given:
        found = _EXTENDED.fullmatch(given[b"filename*"])
        if found is None:
            raise _fault("a part's 'filename*' is not UTF-8 in percent-encoding")
        return _text(unquote_to_bytes(found[1]))
    return _text(given[b"filename"]) if b"filename" in given else None


def _parameters(text: bytes) -> dict[bytes, bytes] | None:
    """`; name=value` and so on, names in lower case; None where it is something else, or a name is there twice."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(text):
        each = _PARAMETER.match(text, at)
        if each is None or each[1].lower() in found:
            return None if text[at:].strip(b" \t;") or each else found
        found[each[1].lower()] = _unquoted(each[2]) if each[3] is None else each[3]
        at = each.end()
    return found


def _unquoted(text: bytes) -> bytes:
    """Without what quoting adds: a backslash before a quote or a backslash, or `%22`, as browsers write a quote."""
    return re.sub(rb'\\(["\\])', rb"\1", text).replace(b"%22", b'"')


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _fault("a name of a part is not UTF-8") from None
    if len(text) > LONGEST_NAME or any(unicodedata.category(each) in _CONTROLS for each in text):
        raise _fault(f"a name of a part has control characters, or more than {LONGEST_NAME} characters")
    return text


def _fault(what: str) -> MalformedBody:
    return MalformedBody(f"The body is not the multipart/form-data that is read here: {what}.")

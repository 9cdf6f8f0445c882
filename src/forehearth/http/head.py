"""The head of a request: request line and fields, read strictly, so that nobody behind or before can read it otherwise.

    head    = METHOD SP target SP "HTTP/1." ( "0" / "1" ) CRLF  *( field CRLF )  CRLF
    METHOD  = 1*32( "A".."Z" / "-" / "_" ), beginning with a letter
    field   = token ":" OWS value OWS,  value of visible ASCII, 0x80..0xFF, SP and HTAB

One grammar for a complete head (`read`) and one scan for a head of which more is to come (`examine`). They agree: a
head gets the same status whole, byte by byte, or cut anywhere between. What is judged goes by position, first fault
first, so `examine` refuses as soon as the fault has arrived and does not wait for the end of the head, which may
never come. llhttp, which uvicorn would ask, is not asked here: it lets through two blanks between the parts of the
request line, HTTP/0.9 and RTSP, and takes a body after `Upgrade: h2c` for the next request; it has no bound on a
head's size, and does not say where a message ended. The tests hold it against this file instead: what is accepted
here, it accepts too, and reads alike.
"""

import re
from collections.abc import Sequence
from typing import Literal, cast

import msgspec

from forehearth.core.exchange import KEY_HEADERS, Head, Header
from forehearth.core.settings import InboundLimits
from forehearth.http.faults import EXPECTATION_FAILED, HEAD_TOO_LARGE, URL_TOO_LONG, Malformed
from forehearth.http.host import is_authority
from forehearth.http.target import split

CHUNKED = -1
"""The `length` of a body that comes in chunks."""

_BESIDE_TARGET = 48
"""Bytes of a request line besides its target: the longest method, the version, two blanks, and some to spare."""

_END = b"\r\n\r\n"
_CAPITALS = frozenset(b"%c" % letter for letter in range(ord("A"), ord("Z") + 1))
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_LINE = re.compile(rb"([A-Z][A-Z_-]{0,31}+) ([\x21-\x7e]++) HTTP/1\.([01])\r\n")
# Groups are never possessive: releases of Python 3.11 before 3.11.5 match those wrongly. Single sets may be.
_FIELD = re.compile(rb"(%b++):([\t\x20-\x7e\x80-\xff]*+)" % _TOKEN)
_BARE = re.compile(rb"(?<!\r)\n|\r[^\n]")
_METHOD = re.compile(rb"[A-Z][A-Z_-]{0,31}+")
_DIGITS = re.compile(rb"[0-9]{1,18}+")
_NO_OPTIONS = frozenset[bytes]()
_ONLY_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding"})
_NOT_KEPT = frozenset({b"authorization", *KEY_HEADERS, b"cookie", b"content-length"})
"""Fields that are read anew each time: the credentials of others are not kept, and a length is never the same."""
_CREDENTIALS = (b"key", b"token", b"secret")
"""How the names of other fields end that may have a credential, such as `server.subscription_key.header`."""
_KEPT = 1_024
_LONGEST_KEPT = 256
_known: dict[bytes, Header] = {}
"""Lines of fields that were found good, as they are read. A client sends most of its lines with every request."""
_good_hosts: set[bytes] = set()


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is at the other end of a connection, and how it got here."""

    scheme: Literal["http", "https"] = "http"
    client: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A head, and what it says about its message and its connection."""

    head: Head
    fields: Sequence[Header]
    """Names in lower case, values without the blanks around them; in the order in which they were sent."""
    minor: int
    """The 0 or 1 of the version."""
    length: int
    """Bytes of the body, or `CHUNKED`."""
    persistent: bool
    """Whether the client wants to go on with the connection."""
    expects_continue: bool
    """Whether it waits for `100 Continue` before it sends the body."""
    upgrade: bytes
    """The protocol it offers to change to, in lower case; empty when none."""


def read(block: bytes, limits: InboundLimits, peer: Peer) -> Request:
    """Read a complete head, its empty line included. Raises `Malformed`."""
    line = _LINE.match(block)
    if line is None or len(line[2]) > limits.url_bytes:
        raise _diagnose(block, limits)
    lines = block[line.end() : -len(_END)].split(b"\r\n") if len(block) > line.end() + 2 else []
    known = _known
    fields = [known.get(each) or _field(each) for each in lines]
    if None in fields:
        raise _diagnose(block, limits)
    if len(fields) > limits.header_count:
        raise Malformed(
            "too_many_headers", f"More than {limits.header_count} header fields were sent.", status=HEAD_TOO_LARGE
        )
    if b"\t" in block:
        _check_tabs(lines)
    method, target, minor = line.groups()
    return understand(method, target, 1 if minor == b"1" else 0, cast("list[Header]", fields), peer)


def _field(line: bytes) -> Header | None:
    """A line of the head as a field; None when it is none."""
    found = _FIELD.fullmatch(line)
    if found is None:
        return None
    name = found[1].lower()
    field = (name, found[2].strip(b" \t"))
    if len(line) <= _LONGEST_KEPT and name not in _NOT_KEPT and not name.endswith(_CREDENTIALS):
        if len(_known) >= _KEPT:
            _known.clear()
        _known[line] = field
    return field


def understand(method: bytes, target: bytes, minor: int, fields: Sequence[Header], peer: Peer) -> Request:
    """What a well-formed line and well-formed fields (as in `Request.fields`) mean together. Raises `Malformed`."""
    headers = dict(fields)
    if len(headers) != len(fields):
        headers = _joined(fields)
    path, query, authority = split(method, target)
    _check_host(minor, headers.get(b"host"), authority)
    connection = headers.get(b"connection")
    options = _NO_OPTIONS if connection is None else _options(connection)
    expects = headers.get(b"expect")
    if expects is not None and expects.lower() != b"100-continue":
        raise Malformed("unknown_expectation", "Expect can be 100-continue, nothing else.", status=EXPECTATION_FAILED)
    length = _length(minor, headers)
    headers.pop(b"content-length", None)  # `Request.length` has it, and all else of a head may be the same again
    return Request(
        head=Head(method=method, raw_path=path, query=query, headers=headers, scheme=peer.scheme, client=peer.client),
        fields=fields,
        minor=minor,
        length=length,
        persistent=minor == 1 and b"close" not in options,
        expects_continue=expects is not None and minor == 1,
        upgrade=headers.get(b"upgrade", b"").lower() if b"upgrade" in options and minor == 1 else b"",
    )


def tidy(fields: Sequence[Header]) -> list[Header]:
    """Fields that somebody else read, as `Request.fields` has them."""
    return [(name.lower(), value.strip()) for name, value in fields]


def examine(part: bytes, seen: int, limits: InboundLimits) -> None:
    """Refuse a head of which only `part` is here if it can no longer become good. Raises `Malformed`.

    `seen` bytes of it were examined before.
    """
    if part[:1] not in _CAPITALS:
        raise _fault_of_line(part[:1])
    window = part[: limits.header_bytes]
    longest = limits.url_bytes + _BESIDE_TARGET
    end = window.find(b"\r\n", 0, longest + 2)
    if end < 0:
        _check_ends(window[: longest + 2], seen)
        if len(window) >= longest + 2:
            raise _too_long(limits)
    elif end + 2 > seen:
        _check_line(window[: end + 2], limits)
    _check_ends(window, seen)
    if len(part) > limits.header_bytes:
        raise Malformed(
            "head_too_large", f"The request's head is longer than {limits.header_bytes} bytes.", status=HEAD_TOO_LARGE
        )


def _check_ends(part: bytes, seen: int) -> None:
    if _BARE.search(part, max(0, seen - 1)) is not None:
        raise Malformed("line_end", "A line must end in CR LF; one of them stands alone.")


def _check_line(line: bytes, limits: InboundLimits) -> None:
    _check_ends(line, 0)
    found = _LINE.fullmatch(line)
    if found is None:
        raise _fault_of_line(line[:-2])
    if len(found[2]) > limits.url_bytes:
        raise _too_long(limits)


def _too_long(limits: InboundLimits) -> Malformed:
    return Malformed("url_too_long", f"The URL is longer than {limits.url_bytes} bytes.", status=URL_TOO_LONG)


def _diagnose(block: bytes, limits: InboundLimits) -> Malformed:
    """Why a complete head is not one, in the order in which it would have been found byte by byte."""
    try:
        examine(block, 0, limits)
    except Malformed as fault:
        return fault
    for field in block.split(b"\r\n")[1:-2]:
        if field[:1] in {b" ", b"\t"}:
            return Malformed("folded_header", "A header field goes on in a second line. Send it in one.")
        name, colon, value = field.partition(b":")
        if not colon or re.fullmatch(_TOKEN + rb"+", name) is None:
            return Malformed(
                "invalid_header_name", "A header field must be name, colon, value, without blanks before it."
            )
        if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value) is not None:
            return Malformed("invalid_header_value", "A header value has a control character.")
    raise AssertionError  # every way not to match the grammar is named above


def _fault_of_line(line: bytes) -> Malformed:
    parts = line.split(b" ")
    if _METHOD.fullmatch(parts[0]) is None:
        return Malformed(
            "invalid_method", "The request must begin with a method in capital letters, in plain HTTP/1.1."
        )
    if len(parts) != 3 or not parts[1]:  # noqa: PLR2004 - method, target, version
        return Malformed(
            "invalid_request_line", "The request line must be METHOD, target and HTTP/1.1, one blank apart."
        )
    if parts[2] not in {b"HTTP/1.1", b"HTTP/1.0"}:
        return Malformed("http_version", "HTTP/1.1 is spoken here, and HTTP/1.0; no other version.")
    return Malformed("invalid_target", "The request target has a character that must be percent-encoded.")


def _check_tabs(lines: Sequence[bytes]) -> None:
    """A tab is a blank by the RFC, but not to everybody: where it decides what the message is, it is refused."""
    for line in lines:
        name, _, value = line.partition(b":")
        if b"\t" in value and name.lower() in _ONLY_ONCE:
            raise Malformed("tab_in_header", "Host, Content-Length and Transfer-Encoding may have no tab around them.")


def _joined(fields: Sequence[Header]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in fields:
        before = headers.get(name)
        if before is None:
            headers[name] = value
        elif name in _ONLY_ONCE:
            raise Malformed("repeated_header", f"The header {name.decode()} may be sent only once.")
        else:
            headers[name] = before + b", " + value
    return headers


def _check_host(minor: int, host: bytes | None, authority: bytes | None) -> None:
    if host is None:
        if minor == 1:
            raise Malformed("missing_host", "The Host header is missing. HTTP/1.1 needs exactly one.")
        return
    if host not in _good_hosts and not _is_good(host):
        raise Malformed("invalid_host", "The Host header must be a host name or address, and perhaps a port.")
    if authority is not None and authority.lower() != host.lower():
        raise Malformed("invalid_host", "The Host header and the URL in the request line name different hosts.")


def _is_good(host: bytes) -> bool:
    good = is_authority(host)
    if good:
        if len(_good_hosts) >= _KEPT:
            _good_hosts.clear()
        _good_hosts.add(host)
    return good


def _options(connection: bytes) -> frozenset[bytes]:
    return frozenset(option.strip(b" \t") for option in connection.lower().split(b","))


def _length(minor: int, headers: dict[bytes, bytes]) -> int:
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is None:
        if length is None:
            return 0
        if _DIGITS.fullmatch(length) is None:
            raise Malformed("invalid_content_length", "Content-Length must be decimal digits alone.")
        return int(length)
    if length is not None:
        raise Malformed("two_lengths", "Content-Length and Transfer-Encoding were both sent. Send one of them.")
    if minor == 0:
        raise Malformed("transfer_encoding", "HTTP/1.0 has no Transfer-Encoding. Send Content-Length, or HTTP/1.1.")
    if coding.lower() != b"chunked":
        raise Malformed("transfer_encoding", "The only Transfer-Encoding that is read here is chunked.")
    return CHUNKED

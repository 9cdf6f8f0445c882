"""A request's line and header fields as bytes, refused when any of it could be read as something else."""

import re

from forehearth.core.errors import Misconfigured
from forehearth.core.exchange import Header
from forehearth.core.upstream import Origin, Request
from forehearth.transport.proxies import Proxy

_DEFAULT_PORTS = {"http": 80, "https": 443}
_METHOD = re.compile(rb"[A-Z]{1,32}")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_HOST = re.compile(rb"[\x21-\x7e]+")
_FIELD = re.compile(
    rb"(?!(?i:host|content-length|connection|transfer-encoding|accept-encoding|te|trailer|upgrade|expect"
    rb"|keep-alive|proxy-connection|proxy-authorization):)"
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n"
)
"""A field as it is sent, not about framing, the connection or the proxy: those are the sender's own."""
_WITHOUT_LENGTH = frozenset({b"GET", b"HEAD", b"DELETE", b"OPTIONS"})
_KEPT = 512


def port_of(origin: Origin) -> int:
    """The port that is dialled, the scheme's own when none is named."""
    return origin.port or _DEFAULT_PORTS.get(origin.scheme, 0)


def bare_host(origin: Origin) -> str:
    """The host without the brackets of an IPv6 literal, in ASCII."""
    host = origin.host.strip("[]")
    return host if host.isascii() else host.encode("idna").decode()


def authority(origin: Origin, *, with_port: bool = False) -> bytes:
    """Host and port as a `host` field has them: the port only where it is not the scheme's own, or asked for."""
    host = bare_host(origin)
    port = port_of(origin)
    shown = f"[{host}]" if ":" in host else host
    if with_port or port != _DEFAULT_PORTS.get(origin.scheme):
        shown = f"{shown}:{port}"
    return shown.encode()


class HeadWriter:
    """Writes heads for one origin; what is the same for each request there is made once."""

    __slots__ = ("_before_target", "_blocks", "_fields", "_fixed", "_lines")

    def __init__(self, origin: Origin, proxy: Proxy | None) -> None:
        host = b"localhost" if origin.socket is not None and not origin.host else authority(origin)
        if not _HOST.fullmatch(host):
            raise Misconfigured("A backend's host name has a character that cannot be sent.")
        self._fixed = b"host: %b\r\naccept-encoding: identity\r\n" % host
        self._before_target = b""
        if proxy is not None and origin.scheme == "http":
            self._before_target = b"http://" + host
            if proxy.credential:
                self._fixed += b"proxy-authorization: %b\r\n" % proxy.credential
        self._lines: dict[tuple[bytes, bytes], bytes] = {}
        self._fields: dict[Header, bytes] = {}
        """Fields that were found good, as they are written."""
        self._blocks: dict[tuple[Header, ...], bytes] = {}
        """All fields of a request together, where each was known already: most requests have the same."""

    def write(self, request: Request) -> bytes:
        """The head, its empty line included. Raises `Misconfigured` for what must not be sent."""
        line = self._lines.get((request.method, request.target))
        if line is None:
            line = self._line(request.method, request.target)
        headers = tuple(request.headers)
        fields = self._blocks.get(headers) or self._block(headers)
        size = len(request.body) if request.source is None else request.source.size
        if size or request.method not in _WITHOUT_LENGTH:
            return b"%b%bcontent-length: %d\r\n\r\n" % (line, fields, size)
        return b"%b%b\r\n" % (line, fields)

    def _block(self, headers: tuple[Header, ...]) -> bytes:
        known, before = self._fields, len(self._fields)
        block = b"".join([known.get(field) or self._field(field) for field in headers])
        if len(known) == before:
            if len(self._blocks) >= _KEPT:
                self._blocks.clear()
            self._blocks[headers] = block
        return block

    def _field(self, field: Header) -> bytes:
        written = b"%b: %b\r\n" % field
        if b":" in field[0] or not _FIELD.fullmatch(written):
            raise Misconfigured("A header for a backend has a name or a character that cannot be sent.")
        if len(self._fields) >= _KEPT:
            self._fields.clear()
        self._fields[field] = written
        return written

    def _line(self, method: bytes, target: bytes) -> bytes:
        if not _METHOD.fullmatch(method) or method == b"CONNECT":
            raise Misconfigured("A request for a backend has a method that cannot be sent.")
        if not _TARGET.fullmatch(target):
            raise Misconfigured("A request for a backend has a path that cannot be sent.")
        if len(self._lines) >= _KEPT:
            self._lines.clear()
        line = b"%b %b%b HTTP/1.1\r\n%b" % (method, self._before_target, target, self._fixed)
        self._lines[method, target] = line
        return line

"""The request target: its four forms (RFC 9112 section 3.2), of which two are served for what they are.

    origin-form     /path?query               served
    absolute-form   http://host/path?query    served as /path?query; its authority must be the one in Host
    asterisk-form   *                         with OPTIONS alone
    authority-form  host:port                 refused: it is CONNECT's, and this is no proxy

A path is authorised as it was sent. So what could be read as another path by whoever decodes or tidies it is refused:
dot segments (encoded or not), a backslash, NUL, broken percent-encoding.
"""

import re

from forehearth.http.faults import Malformed
from forehearth.http.host import is_authority

_SLASH = ord("/")
_PATH = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%|\[\]]*+")
_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})|%00|%5[Cc]")
_DOT_SEGMENT = re.compile(rb"(?:/|%2[Ff])(?:\.|%2[Ee]){1,2}(?:/|%2[Ff]|\Z)")
_KEPT = 512
_LONGEST_KEPT = 256
_WITHOUT_SECRETS = re.compile(rb"[^?]*(?:\?(?:api-version=[0-9a-z-]*)?)?")
"""Queries can have keys in them, and keys of others are not kept."""
_known: dict[bytes, tuple[bytes, bytes, bytes | None]] = {}
"""Targets in origin-form that were found good. Clients ask for the same few all day."""
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(/[^?]*)?(?:\?(.*))?")


def split(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """The path and the query as sent, and the authority where the target has one. Raises `Malformed`.

    `target` is visible ASCII.
    """
    known = _known.get(target)
    if known is not None:
        return known
    parts = _read(method, target)
    if target[0] == _SLASH and len(target) <= _LONGEST_KEPT and _WITHOUT_SECRETS.fullmatch(target) is not None:
        if len(_known) >= _KEPT:
            _known.clear()
        _known[target] = parts
    return parts


def _read(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes | None]:
    if b"#" in target:
        raise Malformed("invalid_target", "The request target has a fragment ('#'). Encode it as %23 or leave it out.")
    authority = None
    if target[0] == _SLASH:
        path, _, query = target.partition(b"?")
    elif target == b"*" and method == b"OPTIONS":
        return target, b"", None
    else:
        path, query, authority = _absolute(method, target)
    if _PATH.fullmatch(path) is None:
        raise Malformed("invalid_target", "The path has a character that must be percent-encoded.")
    if b"%" in path and _BROKEN_PERCENT.search(path) is not None:
        raise Malformed("invalid_target", "The path has a '%' that is not followed by two usable hexadecimal digits.")
    if (b"/." in path or b"%2" in path) and _DOT_SEGMENT.search(path) is not None:
        raise Malformed("invalid_target", "The path has a '.' or '..' segment. Send the path that it stands for.")
    return path, query, authority


def _absolute(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes]:
    found = _ABSOLUTE.fullmatch(target)
    if found is None or method == b"CONNECT":
        raise Malformed("invalid_target", "The request target must be a path that begins with '/', or an http URL.")
    if not is_authority(found[1]):
        raise Malformed("invalid_target", "The request target's host is not a host name or address.")
    return found[2] or b"/", found[3] or b"", found[1]

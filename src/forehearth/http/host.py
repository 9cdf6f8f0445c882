"""The grammar of `Host` and of an authority: a name or an address, and perhaps a port. Stricter than RFC 3986.

    authority = ( name / "[" IPv6address "]" ) [ ":" port ]
    name      = label *( "." label ) [ "." ]
    label     = 1*63( ALPHA / DIGIT / "-" / "_" )
    port      = 1..65535

RFC 3986 also has user info, percent-encoding and marks such as `!` in names. No client needs them here, and each was
once the way past somebody's check of the host.
"""

import ipaddress
import re

LONGEST_NAME = 254
"""Bytes of a name: 253, and its dot at the end."""

_LAST_PORT = 65_535
_NAME = re.compile(rb"([A-Za-z0-9_-]{1,63}+(?:\.[A-Za-z0-9_-]{1,63}+)*\.?)(?::([0-9]{1,5}))?")
_ADDRESS = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{1,5}))?")


def is_authority(value: bytes) -> bool:
    """Whether `value` may stand in a `Host` field."""
    if value[:1] == b"[":
        found = _ADDRESS.fullmatch(value)
        return found is not None and _is_port(found[2]) and _is_ipv6(found[1])
    found = _NAME.fullmatch(value)
    return found is not None and len(found[1]) <= LONGEST_NAME and _is_port(found[2])


def _is_port(port: bytes | None) -> bool:
    return port is None or 0 < int(port) <= _LAST_PORT


def _is_ipv6(address: bytes) -> bool:
    try:
        ipaddress.IPv6Address(address.decode("ascii"))
    except ipaddress.AddressValueError:
        return False
    return True

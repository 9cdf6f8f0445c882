"""Who may speak to the development issuer at all: programs of this machine that mean to, and no web page.

A page of another site can send requests to the loopback address from a browser here, and by DNS rebinding even read
the answers; a proxy here can pass on what others send. So the peer, the name that it calls us by, and every trace of a
browser or of somebody in between are looked at before anything else is.
"""

import ipaddress
import re
from collections.abc import Collection, Sequence
from typing import Final

from forehearth.core.exchange import Header
from forehearth.identity.development.denied import Denied

ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
"""What this machine is called here without any configuration."""

_HOST = re.compile(rb"([A-Za-z0-9._-]{1,254}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_FORWARDED = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-original-host", b"x-original-url"})
_FORWARDED_PREFIX = b"x-forwarded-"
_FROM_NOWHERE = b"none"
"""`Sec-Fetch-Site` of an address that somebody typed."""
_DENIED = 403


class Guard:
    """Lets in requests of this machine. `names` are further host names, as in `server.tls.names`."""

    def __init__(self, names: Collection[str]) -> None:
        self._hosts = frozenset(_written(name) for name in (*ALWAYS, *names))

    def check(self, peer: str, headers: Sequence[Header], *, page: bool = False) -> None:
        """Raise `Denied` for whoever must not speak to us. A `page` may be opened from a link anywhere."""
        if not _is_here(peer):
            raise _denied("The development issuer answers this machine alone.")
        host = only(headers, b"host")
        found = _HOST.fullmatch(host)
        if found is None or found[1].lower() not in self._hosts:
            raise _denied(
                "The development issuer answers to localhost, 127.0.0.1, [::1] and the names in server.tls.names."
            )
        for name, value in headers:
            if name in _FORWARDED or name.startswith(_FORWARDED_PREFIX):
                raise _denied("The development issuer takes no requests that were passed on.")
            if name == b"origin" or (name == b"sec-fetch-site" and value != _FROM_NOWHERE and not page):
                raise _denied("The development issuer takes no requests of web pages.")


def only(headers: Sequence[Header], name: bytes) -> bytes:
    """The value of a field that is there once; empty when it is not there. Raises `Denied` when it is repeated."""
    values = [value for each, value in headers if each == name]
    if len(values) > 1:
        raise _denied(f"The header {name.decode('ascii')} is there more than once.")
    return values[0].strip() if values else b""


def _is_here(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _written(name: str) -> bytes:
    """A name as `Host` has it."""
    return (f"[{name}]" if ":" in name else name).lower().encode("ascii", "replace")


def _denied(message: str) -> Denied:
    return Denied("access_denied", 53003, message, status=_DENIED)

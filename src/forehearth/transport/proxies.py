"""Which proxy a host is reached through, by the environment variables that every HTTP client knows.

The choice is a pure function of the environment it is given; it reads none itself. The rules are curl's: the
lower-case variable wins over the upper-case one, and a name in `NO_PROXY` stands for itself and what is under it.
"""

import base64
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from forehearth.core.errors import Misconfigured

_DEFAULT_PORT = 80
_WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy that speaks plain HTTP. `credential` is the value of `proxy-authorization`, or empty."""

    host: str
    port: int
    credential: bytes = b""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


def parse_proxy(url: str) -> Proxy:
    """The proxy named by `http://[user:password@]host[:port]`. Raises `Misconfigured`, without showing the URL."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = None
    if parts is None or not host or parts.scheme != "http" or not _plain(host):
        raise Misconfigured("A proxy's address must have the form http://[user:password@]host:port.")
    credential = b""
    if parts.username is not None:
        user = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
        credential = b"Basic " + base64.b64encode(user)
    return Proxy(host=host, port=port or _DEFAULT_PORT, credential=credential)


def choose_proxy(environ: Mapping[str, str], scheme: str, host: str, port: int) -> str | None:
    """The URL of the proxy for `host` and `port`, or None to go there directly.

    `HTTPS_PROXY` is for https, `HTTP_PROXY` for http (upper case not in a CGI process, where a request's `Proxy` header
    would set it). `NO_PROXY` is a list, by commas or spaces, of: `*`; a name, with or without a leading dot or `*.`,
    for itself and all names under it; an address; a network in CIDR form; each but the network with `:port` if only
    that port is meant.
    """
    name = f"{scheme}_proxy"
    url = environ.get(name)
    if url is None and not (scheme == "http" and "REQUEST_METHOD" in environ):
        url = environ.get(name.upper())
    url = (url or "").strip()
    if not url:
        return None
    exceptions = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    if any(_covers(entry, host, port) for entry in re.split(r"[,\s]+", exceptions) if entry):
        return None
    return url if "://" in url else f"http://{url}"


def _plain(host: str) -> bool:
    return host.isascii() and host.isprintable() and " " not in host


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether one entry of `NO_PROXY` means this host and port."""
    if entry == "*":
        return True
    host = host.strip("[]").rstrip(".").lower()
    address = _address(host)
    if "/" in entry:
        network = _network(entry)
        return address is not None and network is not None and address in network
    whole = _address(entry.strip("[]"))
    if whole is not None:
        return whole == address
    split = _WITH_PORT.fullmatch(entry)
    if split is None or (split["port"] is not None and int(split["port"]) != port):
        return False
    name = split["host"].strip("[]").lower().removeprefix("*.").removeprefix(".").rstrip(".")
    named = _address(name)
    if named is not None or address is not None:
        return named is not None and named == address
    return bool(name) and (host == name or host.endswith("." + name))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None

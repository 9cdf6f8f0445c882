"""A URL that a caller gave, read in one way only.

Readers of URLs differ over white space, backslashes, user names, numbers in hosts and much else, and that difference
is how guards are passed. What two readers could read differently is therefore refused, not repaired.
"""

import ipaddress
import re
from typing import Final, Literal
from urllib.parse import quote, urljoin

import msgspec

from forehearth.core.errors import AddressRefused
from forehearth.core.ip_kinds import Ip

LONGEST: Final = 8_192
"""Characters of a URL."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_BAD_CHARACTER: Final = re.compile(
    r"[\x00-\x20\x7f-\xa0\\^`{|}<>\"\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
)
_SPLIT: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LONGEST_NAME: Final = 253
_HIGHEST_PORT: Final = 65_535

BLOCKED_PORTS: Final = frozenset({
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
    111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
    540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
    6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
})  # fmt: skip
"""Ports of other protocols, which could take a request for words of their own (Fetch standard, "bad port")."""

METADATA_NAMES: Final = frozenset({
    "metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
    "metadata.azure.internal", "metadata.azure.com", "metadata.tencentyun.com", "metadata.packet.net",
    "metadata.platformequinix.com", "metadata.oraclecloud.com",
})  # fmt: skip
"""Names of the metadata services of clouds: never asked."""
_LOCAL: Final = frozenset({
    "localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "arpa", "test",
    "invalid", "alt", "onion", "svc", "consul",
})  # fmt: skip
"""Last labels of names that mean something in this network alone, or nothing at all."""


class WebAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a URL leads. `host` is in lower case and without brackets; `target` is path and query, in ASCII."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    target: str
    ip: Ip | None = None
    """The host, where it is an address and no name."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials are good for: scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        """The same, written out."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{shown}{port}{self.target}"


def is_local_name(host: str) -> bool:
    """Whether a host name, no address, means something in this network alone: it is one word, or ends as such do."""
    return "." not in host or host.rpartition(".")[2] in _LOCAL


def read(text: str) -> WebAddress:
    """What `text` is. Raises `AddressRefused`, whose `reason` is `url`, `scheme`, `user`, `host` or `port`."""
    if len(text) > LONGEST:
        raise AddressRefused(f"A URL has at most {LONGEST} characters, and this one {len(text)}.", reason="url")
    if _BAD_CHARACTER.search(text):
        raise AddressRefused(
            "The URL has white space, a control character, a backslash or another character that must be"
            " percent-encoded.",
            reason="url",
        )
    split = _SPLIT.fullmatch(text)
    if split is None:
        raise AddressRefused("The URL must begin with https:// or http://.", reason="url")
    scheme, slashes, authority, path, query, _ = split.groups()
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise AddressRefused("The URL must begin with https:// or http://: no other scheme is served.", reason="scheme")
    if not slashes or not authority:
        raise AddressRefused("The URL has no host: write https://HOST/PATH.", reason="url")
    if "@" in authority:
        raise AddressRefused(
            "The URL has a user name or password: send credentials as a header instead.", reason="user"
        )
    host, port = _host_and_port(authority, _DEFAULT_PORTS[scheme])
    name, ip = read_host(host)
    return WebAddress(
        scheme="https" if scheme == "https" else "http", host=name, port=port, target=_target(path, query or ""), ip=ip
    )


def read_host_and_port(text: str) -> tuple[str, int]:
    """A host and its port as `HOST:PORT` or `[IPV6]:PORT`, both always there. Raises `AddressRefused`."""
    host, port = _host_and_port(text, 0)
    if not port:
        raise AddressRefused("There is no port.", reason="port")
    return read_host(host)[0], port


def follow(base: WebAddress, location: bytes) -> WebAddress:
    """Where a redirect from `base` leads. Raises `AddressRefused`."""
    try:
        text = location.decode()
    except UnicodeDecodeError:
        raise AddressRefused("The redirect leads to a URL that is not text in UTF-8.", reason="url") from None
    # Before they are joined: the joining would drop some of what has to be refused.
    if _BAD_CHARACTER.search(text) or len(text) > LONGEST:
        raise AddressRefused("The redirect leads to something that is no URL.", reason="url")
    if _ABSOLUTE.match(text):
        return read(text)
    if text.startswith("//"):
        return read(f"{base.scheme}:{text}")
    return read(urljoin(base.url, text))


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    split = _AUTHORITY.fullmatch(authority)
    if split is None:
        raise AddressRefused("The URL's host cannot be read; an IPv6 address stands in brackets.", reason="host")
    host, port = split.groups()
    if port is None:
        return host, default
    if not _PORT.fullmatch(port) or int(port) > _HIGHEST_PORT:
        raise AddressRefused("The URL's port is not a number from 1 to 65535.", reason="port")
    if int(port) in BLOCKED_PORTS:
        raise AddressRefused(
            f"Port {port} belongs to another protocol than HTTP, and is not asked: browsers block it too.",
            reason="port",
        )
    return host, int(port)


def read_host(host: str) -> tuple[str, Ip | None]:
    """A host in its one form, and the address that it is, if it is one. Raises `AddressRefused`."""
    if host.startswith("["):
        six = _six(host[1:-1])
        return str(six), six
    if not host.isascii():
        raise AddressRefused(
            "The URL's host has characters beyond ASCII: write its name as DNS has it (xn--…).", reason="host"
        )
    host = host.lower()
    labels = host.split(".")
    if len(host) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("The URL's host is neither a host name nor an IP address.", reason="host")
    if _NUMBER.fullmatch(labels[-1]) is None:
        return host, None
    try:
        # Four decimal numbers without leading zeros; every other way to write a number is read differently somewhere.
        four = ipaddress.IPv4Address(host)
    except ValueError:
        raise AddressRefused(
            "The URL's host is a number that is not an IPv4 address of four decimal parts.", reason="host"
        ) from None
    return host, four


def _six(text: str) -> ipaddress.IPv6Address:
    try:
        six = ipaddress.IPv6Address(text)
    except ValueError:
        six = None
    if six is None or six.scope_id is not None:  # a zone is for this machine's networks alone
        raise AddressRefused("The URL's host is in brackets, and no IPv6 address.", reason="host")
    return six


def _target(path: str, query: str) -> str:
    target = (path or "/") + query
    if _ESCAPE.search(target):
        raise AddressRefused("The URL has a '%' that is not followed by two hexadecimal digits.", reason="url")
    return target if target.isascii() else quote(target, safe="%/?:@!$&'()*+,;=~-._[]")

"""What kind of network an IP address belongs to, and which kinds a caller's address may never lead to.

The tables are ours rather than those of `ipaddress`, whose answers differ between releases of Python. Sources: the
special-purpose registries of IANA for IPv4 and IPv6, and the clouds' own documentation for their metadata services.
"""

import ipaddress
from typing import Final, Literal

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Kind = Literal[
    "public",
    "unspecified",
    "loopback",
    "link_local",
    "metadata",
    "multicast",
    "private",
    "shared",
    "reserved",
]

NEVER: Final = frozenset({"unspecified", "link_local", "metadata", "multicast"})
"""Kinds that nothing opens: what answers there was never meant for callers, or is no single host."""

_V4_NETWORKS: Final[tuple[tuple[str, Kind], ...]] = (
    ("169.254.0.0/16", "metadata"),  # link-local, where nearly all clouds have it: AWS, Azure, GCP, ECS, EKS, …
    ("168.63.129.16/32", "metadata"),  # Azure's wire server
    ("100.100.100.200/32", "metadata"),  # Alibaba
    ("192.0.0.192/32", "metadata"),  # Oracle
    ("0.0.0.0/8", "unspecified"),
    ("127.0.0.0/8", "loopback"),
    ("10.0.0.0/8", "private"),
    ("172.16.0.0/12", "private"),
    ("192.168.0.0/16", "private"),
    ("100.64.0.0/10", "shared"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "multicast"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "reserved"),
    ("192.88.99.0/24", "reserved"),
    ("198.18.0.0/15", "reserved"),
    ("198.51.100.0/24", "reserved"),
    ("203.0.113.0/24", "reserved"),
    ("240.0.0.0/4", "reserved"),
)
_V6_NETWORKS: Final[tuple[tuple[str, Kind], ...]] = (
    ("fd00:ec2::/32", "metadata"),  # AWS
    ("fd20:ce::254/128", "metadata"),  # Google
    ("fd00:42::42/128", "metadata"),  # Scaleway
    ("fd00:c1::/32", "metadata"),  # Oracle
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("fe80::/10", "link_local"),
    ("ff00::/8", "multicast"),
    ("fc00::/7", "private"),
    ("fec0::/10", "private"),
    ("64:ff9b:1::/48", "private"),
    ("2001::/23", "reserved"),  # Teredo, ORCHID, benchmarking and their like
    ("2001:db8::/32", "reserved"),
    ("2002::/16", "reserved"),  # 6to4: looked into below
    ("2620:4f:8000::/48", "reserved"),
    ("3fff::/20", "reserved"),
    ("2000::/3", "public"),
)
_V4: Final[tuple[tuple[ipaddress.IPv4Network, Kind], ...]] = tuple(
    (ipaddress.IPv4Network(network), kind) for network, kind in _V4_NETWORKS
)
_V6: Final[tuple[tuple[ipaddress.IPv6Network, Kind], ...]] = tuple(
    (ipaddress.IPv6Network(network), kind) for network, kind in _V6_NETWORKS
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_OTHER_LAST_32: Final = (
    ipaddress.IPv6Network("::/96"),  # IPv4-compatible
    ipaddress.IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated
)
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
_LOW_32: Final = 0xFFFFFFFF


def kind_of(address: Ip) -> Kind:
    """The kind of `address`. What carries an IPv4 address within an IPv6 one is at least as bad as that one is."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((kind for network, kind in _V4 if address in network), "public")
    outer: Kind = next((kind for network, kind in _V6 if address in network), "reserved")
    if outer in {"unspecified", "loopback"}:
        return outer
    inner = [kind_of(each) for each in _within(address)]
    never = next((kind for kind in inner if kind in NEVER), None)
    if never is not None:
        return never
    if address in _NAT64 or address in _MAPPED:
        return inner[0]
    if outer not in {"public", "reserved"}:
        return outer
    return next((kind for kind in inner if kind != "public"), outer)


def _within(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address carries by one of the known ways to do so."""
    number = int(address)
    found: list[int] = []
    if address in _NAT64 or address in _MAPPED or any(address in network for network in _OTHER_LAST_32):
        found.append(number & _LOW_32)
    if address.sixtofour is not None:
        found.append(int(address.sixtofour))
    if address.teredo is not None:
        found += [int(each) for each in address.teredo]
    if (number >> 32) & _LOW_32 in _ISATAP:
        found.append(number & _LOW_32)
    return [ipaddress.IPv4Address(each) for each in found]

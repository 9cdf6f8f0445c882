"""Networks that a key may be used from, and whether an address is in one of them.

An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is that IPv4 address, on both sides. No address, as on a Unix socket,
is in no network.
"""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Self

_MAPPED = bytes(10) + b"\xff\xff"
_MAPPED_BITS = 96

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks:
    """Some networks, read once."""

    __slots__ = ("_masks", "networks")

    def __init__(self, networks: Iterable[Network]) -> None:
        self.networks = tuple(networks)
        self._masks = tuple(
            (each.max_prefixlen // 8, int(each.netmask), int(each.network_address)) for each in self.networks
        )

    @classmethod
    def read(cls, texts: Iterable[str]) -> Self:
        """Read them as `10.0.0.0/8` or `2001:db8::/32`. Raises `ValueError`, with the remedy."""
        return cls(_network(each) for each in texts)

    def have(self, address: str) -> bool:
        """Whether an address, as a connection's peer has it, is in one of them."""
        packed = _packed(address)
        value = int.from_bytes(packed, "big")
        for size, mask, start in self._masks:  # noqa: SIM110 - a generator is slower, and every call waits for this
            if value & mask == start and len(packed) == size:
                return True
        return False

    def cover(self, other: "Networks") -> bool:
        """Whether every one of the others lies in one of these."""
        return all(any(_within(each, mine) for mine in self.networks) for each in other.networks)

    def texts(self) -> tuple[str, ...]:
        """Them, as they are written."""
        return tuple(str(each) for each in self.networks)


def _network(text: str) -> Network:
    try:
        found = ipaddress.ip_network(text.strip())
    except ValueError:
        raise ValueError(f"'{text}' is no network: {_remedy(text)}") from None
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= _MAPPED_BITS:
        inside = found.network_address.ipv4_mapped
        if inside is not None:
            return ipaddress.IPv4Network((inside, found.prefixlen - _MAPPED_BITS))
    return found


def _remedy(text: str) -> str:
    try:
        meant = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return "write it as an address and a prefix, such as 10.0.0.0/8, 192.0.2.7/32 or 2001:db8::/32"
    return f"its address has bits beyond the prefix; did you mean {meant}?"


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


def _packed(address: str) -> bytes:
    """The address in bytes; none where it is no address."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return b""
    return packed.removeprefix(_MAPPED)

"""Which addresses may be asked: the decision on a URL, and on every IP address that its name stands for.

The guard resolves names itself, once, and hands the connecting side nothing but addresses that it has judged. What a
name stands for a moment later is of no consequence.
"""

import asyncio
import functools
import ipaddress
import logging
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from forehearth.core.egress_settings import EgressSettings
from forehearth.core.errors import AddressRefused
from forehearth.core.ip_kinds import NEVER, Ip, kind_of
from forehearth.core.web_address import METADATA_NAMES, WebAddress, is_local_name
from forehearth.transport.addresses import Address, Resolve

_log = logging.getLogger("forehearth.egress")

_MOST_ADDRESSES: Final = 8
"""Addresses of a name that are tried; all of them are judged."""


class Guard:
    """Judges by the settings alone; it has no state."""

    def __init__(self, settings: EgressSettings, look_up: Resolve) -> None:
        self._allowed = settings.allowed
        self._public = settings.public
        self._look_up = look_up

    def check(self, address: WebAddress) -> None:
        """Judge what can be judged before a name is resolved. Raises `AddressRefused`."""
        host, port = address.host, address.port
        if address.ip is not None:
            self._judge(address.ip, host, port)
            return
        if host in METADATA_NAMES:
            raise _refused(host, port, "never", "it is a metadata service, which is never asked")
        if (host, port) in self._allowed:
            return
        if not self._public:
            raise _refused(host, port, "closed", _closed(host, port))
        if is_local_name(host):
            raise _refused(host, port, "name", f"it is a name of a private network; {_remedy(host, port)}")

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """The addresses of a name, all of them judged: one that may not be asked spoils the name.

        Raises `AddressRefused`, and `OSError` where there is none.
        """
        found = await self._look_up(host, port)
        for _, where in found:
            self._judge(ipaddress.ip_address(where[0].partition("%")[0]), host, port)
        return found[:_MOST_ADDRESSES]

    def _judge(self, ip: Ip, host: str, port: int) -> None:
        kind = kind_of(ip)
        if kind in NEVER:
            raise _refused(host, port, "never", "it leads to an address that is never asked")
        if (host, port) in self._allowed:
            return
        if kind != "public":
            raise _refused(host, port, "private", f"it does not lead to a public address; {_remedy(host, port)}")
        if not self._public:
            raise _refused(host, port, "closed", _closed(host, port))


class Lookups:
    """The machine's resolver, on threads of its own: slow names of strangers hold up nobody but strangers."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="egress-names")

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """All addresses of a name. Raises `OSError` where there is none."""
        ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [(socket.AddressFamily(family), where) for family, _, _, _, where in found]

    def close(self) -> None:
        """Give up what is under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _refused(host: str, port: int, reason: str, why: str) -> AddressRefused:
    _log.info("not asked: %s port %d (%s)", host, port, reason)
    return AddressRefused(f"'{host}' is not asked: {why}.", reason=reason)


def _closed(host: str, port: int) -> str:
    return f"only addresses that the operator named are asked; {_remedy(host, port)}"


def _remedy(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"the operator can allow it, as {shown}:{port} under 'egress.allow'"

"""From a host name to a connected socket: resolved once for all who ask at the same time, IPv6 and IPv4 raced.

Addresses are tried as RFC 8305 says: the families in turn, the next one started when the one before has failed or has
not answered for a quarter of a second, the first that connects is used and the others are closed.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, zip_longest
from typing import Any

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family, and what `connect` takes in it."""

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""All addresses of a host name and a port, best first. Raises `OSError` when there is none."""

_KEEPALIVE_AFTER = 60


async def system_resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses that the machine's resolver knows."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(socket.AddressFamily(family), address) for family, _, _, _, address in found]


class Resolver:
    """Looks names up, once for all dials that wait for the same one; nothing is kept beyond that."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._pending: dict[tuple[str, int], asyncio.Task[Sequence[Address]]] = {}

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """The addresses in the order in which to try them. Raises `OSError` when there is none."""
        literal = _literal(host, port)
        if literal is not None:
            return [literal]
        key = (host, port)
        task = self._pending.get(key)
        if task is None:
            task = asyncio.ensure_future(self._look_up(host, port))
            self._pending[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # Shielded: one caller that leaves does not take the answer from the others.
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise OSError("the look-up was given up") from None
            raise

    def close(self) -> None:
        """Give up what is being looked up."""
        for task in self._pending.values():
            task.cancel()

    async def _look_up(self, host: str, port: int) -> Sequence[Address]:
        found = _alternate(await self._resolve(host, port))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return found

    def _forget(self, key: tuple[str, int], task: asyncio.Task[Sequence[Address]]) -> None:
        self._pending.pop(key, None)
        if not task.cancelled():
            task.exception()  # read, so that a failure all callers left behind is not reported as lost


def _literal(host: str, port: int) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return family, (host, port) if family == socket.AF_INET else (host, port, 0, 0)
    return None


def _alternate(addresses: Sequence[Address]) -> Sequence[Address]:
    """Both families in turn, beginning with that of the first address."""
    if not addresses:
        return []
    first = [address for address in addresses if address[0] == addresses[0][0]]
    second = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain.from_iterable(zip_longest(first, second)) if address is not None]


async def connect(address: Address, receive_buffer: int) -> socket.socket:
    """A connected, non-blocking socket. Raises `OSError`."""
    family, where = address
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        connected.setblocking(False)
        # Before connecting, because the window's scale is fixed by the handshake.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_AFTER)
        target = where[0] if family == socket.AF_UNIX else where
        await asyncio.get_running_loop().sock_connect(connected, target)
    except BaseException:
        connected.close()
        raise
    return connected


async def connect_first(addresses: Sequence[Address], receive_buffer: int, stagger: float) -> socket.socket:
    """The first of `addresses` that connects. Raises the last `OSError` when none does."""
    if len(addresses) == 1:
        return await connect(addresses[0], receive_buffer)
    waiting = list(reversed(addresses))
    attempts: set[asyncio.Task[socket.socket]] = set()
    failure: OSError | None = None
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.ensure_future(connect(waiting.pop(), receive_buffer)))
            done, attempts = await asyncio.wait(
                attempts, timeout=stagger if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            winner, failure = _winner(done, attempts, failure)
            if winner is not None:
                return winner
    finally:
        _discard(attempts)
    raise failure or OSError("no address")


def _winner(
    done: set[asyncio.Task[socket.socket]], attempts: set[asyncio.Task[socket.socket]], failure: OSError | None
) -> tuple[socket.socket | None, OSError | None]:
    winner: socket.socket | None = None
    for attempt in done:
        error = attempt.exception()
        if error is None and winner is None:
            winner = attempt.result()
        elif error is None:
            attempts.add(attempt)  # a second winner is discarded with the rest
        elif isinstance(error, OSError):
            failure = error
        else:
            raise error
    return winner, failure


def _discard(attempts: set[asyncio.Task[socket.socket]]) -> None:
    for attempt in attempts:
        attempt.cancel()
        attempt.add_done_callback(_close_socket)


def _close_socket(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()

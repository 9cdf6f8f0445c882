"""The sockets that the server listens on: bound once by the parent, inherited by every worker."""

import errno
import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.core.settings import ServerSettings

BACKLOG = 2048

LONGEST_SOCKET_PATH = 100
"""A Unix socket's path has to fit into 108 bytes on Linux and 104 on macOS, its end included."""

PORT_TRIES = 20

Address = tuple[Any, ...]
"""As `getaddrinfo` gives it and `bind` takes it: its form depends on the family."""


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """One listening socket, whether TLS is spoken on it, and whether it is the one for `/admin`."""

    socket: socket.socket
    tls: bool
    admin: bool = False

    @property
    def port(self) -> int:
        """The port it is bound to."""
        port: int = self.socket.getsockname()[1]
        return port


def listen(server: ServerSettings) -> list[Listener]:
    """Bind what the settings name: every address of the host, for http and, where wanted, for https.

    Raises `Misconfigured` with the remedy when a port is taken, privileged, or not of this machine.
    """
    if server.port and server.port == server.tls_port:
        raise Misconfigured(f"http and https cannot share port {server.port}: choose another with --tls-port")
    listeners: list[Listener] = []
    try:
        listeners += [Listener(socket=bound, tls=False) for bound in _bind_all(server.host, server.port, "--port")]
        if server.tls_port is not None:
            secure = _bind_all(server.host, server.tls_port, "--tls-port")
            listeners += [Listener(socket=bound, tls=True) for bound in secure]
        if server.admin_port is not None:
            own = _bind_all(server.host, server.admin_port, "server.admin_port")
            listeners += [Listener(socket=bound, tls=False, admin=True) for bound in own]
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


def require_loopback(server: ServerSettings) -> None:
    """Refuse to issue tokens where others could ask for them, or on several workers, which know nothing of each other.

    Raises `Misconfigured`.
    """
    if server.host not in {"127.0.0.1", "::1", "localhost"}:
        raise Misconfigured(
            f"--dev-issuer gives tokens to whoever can connect, so it only listens here, not on {server.host}: "
            "leave out --host, or --dev-issuer"
        )
    if server.workers > 1:
        raise Misconfigured("--dev-issuer keeps its state in one worker: leave out --workers, or --dev-issuer")


def adopt(descriptor: int, *, tls: bool, admin: bool = False) -> Listener:
    """A listener that was inherited under this file descriptor."""
    inherited = socket.socket(fileno=descriptor)
    inherited.setblocking(False)
    inherited.set_inheritable(False)
    return Listener(socket=inherited, tls=tls, admin=admin)


def listen_privately(folder: Path, name: str) -> socket.socket:
    """A Unix socket that only this user can reach: in `folder`, or in a folder of its own where that path is too long.

    The address is its `getsockname()`.
    """
    path = folder / name
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        path = Path(tempfile.mkdtemp(prefix="forehearth-")) / name
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.bind(str(path))
        path.chmod(0o600)
        bound.listen(BACKLOG)
    except BaseException:
        bound.close()
        raise
    return bound


def close_privately(bound: socket.socket, folder: Path) -> None:
    """Close what `listen_privately` made and remove its path, and its folder where it got one of its own."""
    path = Path(bound.getsockname())
    bound.close()
    path.unlink(missing_ok=True)
    if path.parent != folder:
        path.parent.rmdir()


def _bind_all(host: str, port: int, option: str) -> list[socket.socket]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise Misconfigured(f"the host {host!r} to listen on is not known: see --host") from error
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    for tries_left in range(PORT_TRIES - 1, -1, -1):
        try:
            return _bind_each(addresses, port, dual=host == "::")
        except OSError as error:
            # Port 0 on several addresses: the one that was free on the first may be taken on the next.
            if not (error.errno == errno.EADDRINUSE and port == 0 and tries_left):
                raise _refusal(error, host, port, option) from error
    raise AssertionError  # the last try returns or raises


def _bind_each(addresses: Sequence[tuple[int, Address]], port: int, *, dual: bool) -> list[socket.socket]:
    """Bind one port on all of them. An address that the machine does not have is left out if another one is there."""
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            chosen = bound[0].getsockname()[1] if bound else port
            try:
                bound.append(_bind(family, (address[0], chosen, *address[2:]), dual=dual))
            except OSError as error:
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise
                missing = error
    except BaseException:
        for each in bound:
            each.close()
        raise
    if missing is not None and not bound:
        raise missing
    return bound


def _bind(family: int, address: Address, *, dual: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        bound.setblocking(False)
        bound.bind(address)
        bound.listen(BACKLOG)
    except BaseException:
        bound.close()
        raise
    return bound


def _refusal(error: OSError, host: str, port: int, option: str) -> Misconfigured:
    variable = {"--tls-port": " (`make run TLS_PORT=…`)", "--port": " (`make run PORT=…`)"}.get(option, "")
    if error.errno == errno.EADDRINUSE:
        return Misconfigured(f"port {port} on {host} is in use: choose another with {option}{variable}")
    if error.errno == errno.EACCES:
        return Misconfigured(f"port {port} needs privileges: choose one above 1023 with {option}")
    if error.errno == errno.EADDRNOTAVAIL:
        return Misconfigured(f"{host} is not an address of this machine: choose another with --host")
    return Misconfigured(f"cannot listen on {host} port {port}: {error.strerror}")

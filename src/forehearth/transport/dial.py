"""How a connection is made: to a Unix socket, to a host, or through a proxy; then TLS where the origin has it."""

import asyncio
import logging
import re
import socket
import ssl

from forehearth.core.errors import Unreachable
from forehearth.core.upstream import Origin
from forehearth.transport.addresses import Resolve, Resolver, connect, connect_first
from forehearth.transport.limits import ClientLimits
from forehearth.transport.proxies import Proxy
from forehearth.transport.request_head import authority, bare_host, port_of
from forehearth.transport.tls import Contexts

_log = logging.getLogger("forehearth.transport")

_TUNNEL_ANSWER = 16_384
_TUNNEL_OPEN = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9][ \r].*\r\n\r\n", re.DOTALL)


class _NoTunnel(OSError):
    """The proxy did not open a tunnel."""


class Dialer:
    """Makes connections. It holds what they share: TLS contexts and name look-ups under way."""

    def __init__(self, limits: ClientLimits, resolve: Resolve) -> None:
        self._limits = limits
        self._resolver = Resolver(resolve)
        self._contexts = Contexts()

    async def dial(self, origin: Origin, proxy: Proxy | None, protocol: asyncio.Protocol) -> None:
        """Connect `protocol`. Raises `Unreachable`; when cancelled, nothing stays open."""
        context = self._contexts.of(origin.tls) if origin.scheme == "https" else None
        try:
            await self._connect(origin, proxy, protocol, context)
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver can be asked for
            _log.info("%s: cannot connect: %s", place(origin), error)
            raise Unreachable(f"No connection to the backend: {_reason(error)}.") from error

    def close(self) -> None:
        """Give up name look-ups under way."""
        self._resolver.close()

    async def _connect(
        self, origin: Origin, proxy: Proxy | None, protocol: asyncio.Protocol, context: ssl.SSLContext | None
    ) -> None:
        connected = await self._socket(origin, proxy)
        try:
            if proxy is not None and context is not None:
                await _open_tunnel(connected, authority(origin, with_port=True), proxy.credential)
        except BaseException:
            connected.close()
            raise
        # From here on the socket is the event loop's, which closes it when the handshake fails or is cancelled.
        await asyncio.get_running_loop().create_connection(
            lambda: protocol, sock=connected, ssl=context, server_hostname=bare_host(origin) if context else None
        )

    async def _socket(self, origin: Origin, proxy: Proxy | None) -> socket.socket:
        size = self._limits.receive_buffer
        if origin.socket is not None:
            return await connect((socket.AF_UNIX, (origin.socket,)), size)
        host, port = (proxy.host, proxy.port) if proxy else (bare_host(origin), port_of(origin))
        addresses = await self._resolver.addresses(host, port)
        return await connect_first(addresses, size, self._limits.second_address_after)


def place(origin: Origin) -> str:
    """Where an origin is, for logs."""
    return f"unix:{origin.socket}" if origin.socket else f"{origin.scheme}://{origin.host}:{port_of(origin)}"


async def _open_tunnel(connected: socket.socket, target: bytes, credential: bytes) -> None:
    """Ask a proxy for a tunnel. Raises `_NoTunnel` for any answer but a plain yes."""
    loop = asyncio.get_running_loop()
    fields = b"proxy-authorization: %b\r\n" % credential if credential else b""
    await loop.sock_sendall(connected, b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (target, target, fields))
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = await loop.sock_recv(connected, 4_096)
        answer += piece
        if not piece or len(answer) > _TUNNEL_ANSWER:
            raise _NoTunnel("the proxy's answer is incomplete or too long")
    # Bytes after the head would be taken for TLS from the host, which has not been spoken to yet.
    if not _TUNNEL_OPEN.fullmatch(answer) or answer.index(b"\r\n\r\n") + 4 != len(answer):
        status = answer[9:12].decode("ascii", "replace") if answer.startswith(b"HTTP/1.") else "no HTTP status"
        raise _NoTunnel(f"the proxy answered {status!a}")


def _reason(error: Exception) -> str:
    """Why there is no connection, without names, addresses or text of the peer."""
    if isinstance(error, _NoTunnel):
        return "the proxy did not open a tunnel"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not accepted"
    if isinstance(error, ssl.SSLError):
        return "no TLS session could be agreed on"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "its name cannot be resolved"
    if isinstance(error, ConnectionRefusedError):
        return "it was refused"
    return "it cannot be reached"

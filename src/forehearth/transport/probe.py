"""Single steps on the way to a host, for whoever wants to know which one fails: name, connection, TLS."""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from forehearth.core.upstream import TlsFiles
from forehearth.transport.addresses import Resolve, system_resolve
from forehearth.transport.tls import Contexts

SECONDS: Final = 10.0
"""How long a step may take."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A TLS session that was agreed on and ended."""

    protocol: str
    expires: float | None
    """When the host's certificate ends, in Unix seconds; None where it does not say."""


async def names(host: str, port: int, resolve: Resolve = system_resolve) -> Sequence[str]:
    """The addresses of a host. Raises `OSError` and `TimeoutError`; `UnicodeError` for what no resolver takes."""
    async with asyncio.timeout(SECONDS):
        return [str(address[0]) for _, address in await resolve(host, port)]


async def connect(host: str, port: int) -> None:
    """Connect, and leave again. Raises `OSError` and `TimeoutError`."""
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(host, port)
    await _leave(writer)


async def agree(host: str, port: int, files: TlsFiles) -> Session:
    """Agree on TLS, as every call does. Raises `OSError` (`ssl.SSLError` is one), `TimeoutError` and `Unreachable`."""
    context = Contexts().of(files)
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    session: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate: dict[str, Any] = session.getpeercert() or {}
    ends = certificate.get("notAfter")
    found = Session(protocol=session.version() or "TLS", expires=ssl.cert_time_to_seconds(ends) if ends else None)
    await _leave(writer)
    return found


async def _leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await writer.wait_closed()

"""A request to a shape and its answer: sent once, read as it streams. No redirect is followed."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from forehearth.cli.connection import Credential
from forehearth.connectors.asking import Ask, credential_header
from forehearth.connectors.shapes import Shape
from forehearth.core.exchange import Header
from forehearth.core.secret import Secret
from forehearth.core.settings import OutboundSettings
from forehearth.core.upstream import Request, Response, Timeouts
from forehearth.providers import address as addresses
from forehearth.transport.client import HttpClient
from forehearth.transport.proxies import choose_proxy

TIMES: Final = Timeouts(connect=10.0, first_byte=120.0, idle=120.0, total=900.0)
_MOST: Final = 16 * 1024 * 1024


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """What every request of a command has in common."""

    client: HttpClient
    ca: Path | None
    times: Timeouts = TIMES

    def request(self, method: str, url: str, headers: list[Header], body: bytes = b"") -> Request:
        """One request. Raises `Misconfigured` for what is no address."""
        parts = urlsplit(url)
        scheme, host, port, _ = addresses.split(urlunsplit((parts.scheme, parts.netloc, "", "", "")))
        connection = OutboundSettings(
            ca_bundle=str(self.ca) if self.ca else None, proxy=choose_proxy(os.environ, scheme, host, port)
        )
        origin, _ = addresses.origin(urlunsplit((parts.scheme, parts.netloc, "", "", "")), connection)
        return Request(
            origin=origin,
            method=method.encode(),
            target=urlunsplit(("", "", parts.path or "/", parts.query, "")).encode(),
            headers=headers,
            body=body,
            timeouts=self.times,
            most_bytes=_MOST,
        )

    @contextlib.asynccontextmanager
    async def asked(self, ask: Ask, credential: Credential) -> AsyncIterator[Response]:
        """The answer to a prompt, whole or as a stream, closed at the end. Raises `Failed`."""
        headers = [*_credentials(ask.shape, credential), (b"content-type", b"application/json")]
        response = await self.client.send(self.request(ask.method, ask.url, headers, msgspec.json.encode(ask.body)))
        try:
            yield response
        finally:
            if response.stream is not None:
                await response.stream.aclose()

    async def read(self, shape: Shape, url: str, credential: Credential | None) -> tuple[int, Any, Response]:
        """What a GET answers: status, JSON (None where it is none), and the response. Raises `Failed`."""
        return await self._read(url, _credentials(shape, credential) if credential else [])

    async def get(self, url: str, token: Secret) -> tuple[int, Any, Response]:
        """The same of what is no shape, with a token."""
        return await self._read(url, [(b"authorization", f"Bearer {token.reveal()}".encode())])

    async def _read(self, url: str, credentials: list[Header]) -> tuple[int, Any, Response]:
        response = await self.client.send(self.request("GET", url, [(b"accept", b"application/json"), *credentials]))
        if response.stream is not None:
            await response.stream.aclose()
        try:
            return response.status, msgspec.json.decode(response.body), response
        except (msgspec.DecodeError, UnicodeDecodeError):
            return response.status, None, response


def _credentials(shape: Shape, credential: Credential) -> list[Header]:
    name, value = credential_header(shape, credential.auth, credential.secret.reveal())
    return [(name.lower().encode(), value.encode())]

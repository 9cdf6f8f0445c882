"""Tells events of lineage: to a file, and to an address. That nobody hears one does not end a run; it is said."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from forehearth.core.enrichment_settings import LineageSettings
from forehearth.core.errors import ForehearthError
from forehearth.core.settings import OutboundSettings
from forehearth.core.upstream import Request, Timeouts
from forehearth.enrichment.lineage import Event
from forehearth.enrichment.places import place
from forehearth.providers import address
from forehearth.transport.client import HttpClient
from forehearth.transport.proxies import choose_proxy

_TIMES: Final = Timeouts(connect=5.0, first_byte=10.0, idle=10.0, total=15.0)
_GOOD: Final = range(200, 300)


async def tell(settings: LineageSettings, folder: Path, event: Event, environ: Mapping[str, str] = os.environ) -> str:
    """Tell one event. The answer is why it could not be told everywhere, or empty."""
    body = msgspec.json.encode(event)
    problems = []
    if settings.path is not None:
        try:
            await asyncio.to_thread(_append, Path(place(settings.path, folder)), body)
        except OSError as error:
            problems.append(f"lineage.path cannot be written: {error.strerror}")
    if settings.url is not None:
        try:
            await _post(settings, settings.url, body, environ)
        except ForehearthError as error:
            problems.append(f"lineage.url: {error.message}")
    return "; ".join(problems)


def _append(path: Path, body: bytes) -> None:
    with path.open("ab") as file:
        file.write(body + b"\n")


async def _post(settings: LineageSettings, url: str, body: bytes, environ: Mapping[str, str]) -> None:
    scheme, host, port, path = address.split(url)
    outbound = OutboundSettings(proxy=choose_proxy(environ, scheme, host, port))
    origin, _ = address.origin(url, outbound)
    headers = [(b"content-type", b"application/json")]
    if settings.api_key is not None:
        headers.append((b"authorization", b"Bearer " + settings.api_key.reveal().encode()))
    async with HttpClient() as client:
        request = Request(origin=origin, target=(path or "/").encode(), headers=headers, body=body, timeouts=_TIMES)
        response = await client.send(request)
        if response.stream is not None:
            await response.stream.aclose()
        if response.status not in _GOOD:
            raise ForehearthError(f"it answered with {response.status}")

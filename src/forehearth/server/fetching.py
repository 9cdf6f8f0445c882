"""Fetches small documents for identity: discovery documents and key sets of issuers that the operator configured."""

from collections.abc import Mapping
from http import HTTPStatus

from forehearth.core.errors import Broken
from forehearth.core.settings import OutboundSettings
from forehearth.core.upstream import Request, Timeouts
from forehearth.ports.sender import Sender
from forehearth.providers import address
from forehearth.transport.proxies import choose_proxy

LARGEST = 1_048_576
"""Bytes of a document."""
_TIMES = Timeouts(connect=5.0, first_byte=5.0, idle=5.0, total=10.0)


class Fetching:
    """The `ports.fetch.Fetch` over the outbound client. It follows no redirect and sends no credential."""

    def __init__(self, sender: Sender, environ: Mapping[str, str]) -> None:
        self._sender = sender
        self._environ = environ

    async def __call__(self, url: str) -> bytes:
        """The document at `url`. Raises a `Failed` that says what went wrong."""
        base, target = address.of_document(url)
        scheme, host, port, _ = address.split(base)
        proxy = choose_proxy(self._environ, scheme, host, port)
        origin, _ = address.origin(base, OutboundSettings(proxy=None if proxy == "none" else proxy))
        request = Request(
            origin=origin,
            method=b"GET",
            target=target.encode(),
            headers=((b"accept", b"application/json"),),
            timeouts=_TIMES,
        )
        response = await self._sender.send(request)
        if response.stream is not None:
            await response.stream.aclose()
            raise Broken("An issuer's document came as a stream.")
        if response.status != HTTPStatus.OK:
            raise Broken(f"An issuer's document was answered with status {response.status}.")
        if len(response.body) > LARGEST:
            raise Broken("An issuer's document is too large.")
        return response.body

"""The guarded client for addresses that callers name: the `Egress` of the program, over the client in `transport/`."""

import logging
from types import TracebackType
from typing import Final, Self

import msgspec

from forehearth.core.clock import Clock, SystemClock
from forehearth.core.egress import MOST_REDIRECTS, EgressRequest
from forehearth.core.egress_settings import EgressSettings
from forehearth.core.errors import AddressFailed, AddressRefused, Failed, Misconfigured, TimedOut, Unreachable
from forehearth.core.exchange import Header
from forehearth.core.upstream import Origin, Request, Response, Timeouts, TlsFiles
from forehearth.core.web_address import WebAddress, follow, read
from forehearth.egress.guard import Guard, Lookups
from forehearth.egress.stream import HeldStream
from forehearth.transport.addresses import Resolve
from forehearth.transport.client import HttpClient
from forehearth.transport.limits import ClientLimits

_log = logging.getLogger("forehearth.egress")

MOST_AT_ONCE: Final = 256
"""Requests under way in one worker, streams included."""
MOST_HEADERS: Final = 64
MOST_HEADER_BYTES: Final = 32_768
_FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER: Final = 303
_TO_GET: Final = frozenset({301, 302})
_ANYWHERE: Final = frozenset({b"accept", b"accept-language", b"content-type", b"user-agent"})
"""Headers that go along to another origin; all others may be credentials."""
_ABOUT_BODY: Final = frozenset({b"content-type"})
_LIMITS: Final = ClientLimits(
    connections_per_origin=64,
    waiting_per_origin=64,
    # Nothing is shared between two callers, and each request is judged by its own look-up.
    age_seconds=0.0,
    head_bytes=32_768,
    header_count=128,
)


class GuardedClient:
    """Asks what `settings` let it ask. Use it as a context manager, in one event loop.

    Proxies of the environment are not used: they would resolve names by themselves. No cookie is kept and nothing is
    authenticated but by the headers of the request. `resolve` is for tests.
    """

    def __init__(self, settings: EgressSettings, *, resolve: Resolve | None = None, clock: Clock | None = None) -> None:
        self._lookups = Lookups()
        self._guard = Guard(settings, resolve or self._lookups.resolve)
        self._tls = TlsFiles(ca_bundle=settings.ca_bundle)
        self._client = HttpClient(limits=_LIMITS, clock=clock, resolve=self._guard.resolve)
        self._monotonic = (clock or SystemClock()).monotonic
        self._busy = 0

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()
        self._lookups.close()

    @property
    def busy(self) -> int:
        """Requests under way, streams that are read included."""
        return self._busy

    @property
    def connections_opened(self) -> int:
        """Connections made since the beginning."""
        return self._client.counters.connections_opened

    async def send(self, request: EgressRequest) -> Response:
        """See `ports.egress`."""
        if self._busy >= MOST_AT_ONCE:
            raise AddressFailed(
                "Too many addresses are asked at this moment.", reason="busy", param=request.param, retry_after=1.0
            )
        self._busy += 1
        streams = False
        try:
            response, host = await self._follow(request)
            if response.stream is None:
                return response
            streams = True
            stream = HeldStream(response.stream, lambda error: failed(error, host, request.param), self._released)
            return Response(status=response.status, headers=response.headers, stream=stream)
        except (AddressRefused, AddressFailed) as error:
            error.param = request.param
            raise
        finally:
            if not streams:
                self._released()

    def _released(self) -> None:
        self._busy -= 1

    async def _follow(self, request: EgressRequest) -> tuple[Response, str]:
        """The answer that is no redirect any more, and whose it is."""
        ends = self._monotonic() + request.timeouts.total
        address = read(request.url)
        _check_headers(request)
        left = max(0, min(request.redirects, MOST_REDIRECTS))
        while True:
            response = await self._ask(address, request, ends - self._monotonic())
            location = response.headers.get(b"location")
            if response.status not in _FOLLOWED or location is None:
                return response, address.host
            if not left:
                raise AddressRefused(f"'{address.host}' redirects once more than is followed.", reason="redirects")
            left -= 1
            following = follow(address, location)
            if address.scheme == "https" and following.scheme == "http":
                raise AddressRefused(
                    f"'{address.host}' redirects from https to http, which is not followed.", reason="downgrade"
                )
            request = _redirected(request, response.status, same=following.origin == address.origin)
            address = following

    async def _ask(self, address: WebAddress, request: EgressRequest, seconds: float) -> Response:
        self._guard.check(address)
        try:
            return await self._client.send(
                Request(
                    origin=Origin(scheme=address.scheme, host=address.host, port=address.port, tls=self._tls),
                    method=request.method,
                    target=address.target.encode(),
                    headers=_headers(request),
                    body=request.body,
                    timeouts=_within(request.timeouts, seconds),
                    most_bytes=request.most_bytes,
                )
            )
        except Misconfigured:
            raise AddressRefused(
                "A header, the method or the path for it cannot be sent: it has a character that it may not have, or"
                " it is a header that the connection sets itself.",
                reason="header",
            ) from None
        except Failed as error:
            _log.info("%s port %d: %s", address.host, address.port, error.message)
            raise failed(error, address.host) from error


def failed(error: Failed, host: str, param: str | None = None) -> AddressFailed:
    """What the caller is told of a failure at `host`, in words that speak of no backend."""
    reason = (
        "timeout" if isinstance(error, TimedOut) else "unreachable" if isinstance(error, Unreachable) else "unusable"
    )
    message = error.message
    for ours, theirs in (("The backend's answer", "The answer of X"), ("The backend", "X"), ("the backend", "X")):
        message = message.replace(ours, theirs.replace("X", f"'{host}'"))
    return AddressFailed(message, reason=reason, param=param, retry_after=error.retry_after)


def _check_headers(request: EgressRequest) -> None:
    given = _headers(request)
    if len(given) > MOST_HEADERS or sum(len(name) + len(value) for name, value in given) > MOST_HEADER_BYTES:
        raise AddressRefused(
            f"The headers for it are more than {MOST_HEADERS}, or more than {MOST_HEADER_BYTES} bytes.", reason="header"
        )


def _headers(request: EgressRequest) -> tuple[Header, ...]:
    given = (*request.headers, *((name, secret.reveal().encode()) for name, secret in request.secrets))
    named = {name.lower() for name, _ in given}
    return given if b"user-agent" in named else (*given, (b"user-agent", b"forehearth"))


def _within(timeouts: Timeouts, seconds: float) -> Timeouts:
    if seconds <= 0:
        raise AddressFailed("The redirects took too long.", reason="timeout")
    return msgspec.structs.replace(timeouts, total=seconds)


def _redirected(request: EgressRequest, status: int, *, same: bool) -> EgressRequest:
    """What is asked after a redirect, as Fetch has it; another origin gets no header that may be a secret."""
    changed = request
    drops_body = status == _SEE_OTHER and request.method != b"HEAD"
    if drops_body or (status in _TO_GET and request.method == b"POST"):
        kept = tuple(header for header in request.headers if header[0].lower() not in _ABOUT_BODY)
        changed = msgspec.structs.replace(changed, method=b"GET", body=b"", headers=kept)
    if not same:
        kept = tuple(header for header in changed.headers if header[0].lower() in _ANYWHERE)
        changed = msgspec.structs.replace(changed, headers=kept, secrets=())
    return changed

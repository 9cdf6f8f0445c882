"""The way of a request: whose resource, which surface, who calls, what is asked and may it be, and the reply.

`Gateway.accept` decides on the head alone; only then is the body read, and `Admitted.answer` goes the rest of the way.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.errors import ForehearthError, Refused
from forehearth.core.exchange import Head, Header, Reply, Stream
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.trace import Trace
from forehearth.identity.access import require
from forehearth.policies.onion import Proceed
from forehearth.ports.entrance import Undecided
from forehearth.ports.identity import Identity
from forehearth.ports.meter import Meter, Traffic
from forehearth.ports.surface import Entry, Surface
from forehearth.routing.directory import Directory

_log = logging.getLogger("forehearth.gateway")
_JSON: Header = (b"content-type", b"application/json")
_STREAM_HEADERS: tuple[Header, ...] = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
_OK, _CLIENT_LEFT, _FIRST_FAULT_OF_OURS = 200, 499, 500
_INTERNAL = ForehearthError("The server had an internal error while processing your request.")


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant: its surfaces, its deployments, and each deployment's onion."""

    name: str
    surface_of: Callable[[bytes], Surface | None]
    """From a raw path to its surface; None for paths that are none of ours."""
    directory: Directory
    onions: Mapping[str, Proceed]
    """By deployment: its policies around the attempts at its backends."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the way leads through."""

    resource_of: Callable[[bytes], Resource]
    """From a `Host` to its resource; the default one for every other host."""
    identity: Identity
    meter: Meter
    traffic: Traffic
    clock: Clock
    new_id: Callable[[], str]
    max_body: int
    """Bytes."""


class Gateway:
    """The `Entrance` to all inference surfaces."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def accept(self, head: Head) -> "Admitted | Reply | Undecided | None":
        """See `ports.entrance`."""
        parts = self._parts
        resource = parts.resource_of(head.headers.get(b"host", b""))
        surface = resource.surface_of(head.raw_path)
        if surface is None:
            return None
        arrival = _Arrival(parts, resource, surface, head)
        try:
            principal = parts.identity.identify(head, resource.name, keys=surface.keys)
        except Refused as error:
            return arrival.refused(error)
        if isinstance(principal, Principal):
            return arrival.decided(principal)
        return Undecided(arrival.decided_later(principal))


class _Arrival:
    """A request of one of the surfaces, until it is decided whether it comes in."""

    __slots__ = ("_head", "_parts", "_resource", "_started", "_surface", "_trace")

    def __init__(self, parts: Parts, resource: Resource, surface: Surface, head: Head) -> None:
        self._parts = parts
        self._resource = resource
        self._surface = surface
        self._head = head
        self._started = parts.clock.monotonic()
        self._trace = Trace(parts.new_id(), head.headers.get(b"x-ms-client-request-id"))

    def decided(self, principal: Principal) -> "Admitted | Reply":
        """Let it in, answer what needs no body, or refuse."""
        surface = self._surface
        try:
            asked = surface.find(self._head)
            require(principal, asked.endpoint, Place(resource=self._resource.name, project=asked.project))
            entry = Entry(asked=asked, head=self._head, trace=self._trace, principal=principal, started=self._started)
            if asked.operation is not None:
                return Admitted(self._parts, self._resource, surface, entry)
            body = surface.page(entry)
        except Refused as error:
            return self.refused(error)
        self._count(asked.endpoint.name, _OK)
        return Reply(status=_OK, headers=[_JSON, *self._trace.headers()], body=body)

    async def decided_later(self, identified: Awaitable[Principal]) -> "Admitted | Reply":
        """The same, once it is known who calls."""
        try:
            principal = await identified
        except Refused as error:
            return self.refused(error)
        return self.decided(principal)

    def refused(self, error: Refused) -> Reply:
        """Say no in the surface's words."""
        reply = self._surface.refuse(error, self._trace)
        self._count("", reply.status)
        return reply

    def _count(self, operation: str, status: int) -> None:
        seconds = self._parts.clock.monotonic() - self._started
        self._parts.meter.request(self._surface.name, operation, "", status, seconds)


class Admitted:
    """A call that was let in: the `Admission` that answers it."""

    __slots__ = ("_deployment", "_entry", "_label", "_operation", "_parts", "_resource", "_surface", "max_body")

    def __init__(self, parts: Parts, resource: Resource, surface: Surface, entry: Entry) -> None:
        self._parts = parts
        self._resource = resource
        self._surface = surface
        self._entry = entry
        self._operation = entry.asked.endpoint.name
        self._deployment = ""
        self._label = ""
        self.max_body = parts.max_body

    async def answer(self, body: bytes) -> Reply:
        """See `ports.entrance`."""
        self._parts.traffic.began()
        try:
            call = self._surface.read(self._entry, body)
            deployment = self._resource.directory.resolve(call)
            self._deployment, self._label = deployment.name, deployment.label
            reply = self._surface.render(call, await self._resource.onions[deployment.name](call))
        except ForehearthError as error:
            return self._end_with(self._refusal(error))
        except Exception as error:  # noqa: BLE001 - a border: nothing but a reply goes on from here
            return self._end_with(self._refusal(self._internal(error)))
        except BaseException:
            self.ended(_CLIENT_LEFT)
            raise
        headers = [*reply.headers, *self._entry.trace.headers(), (b"x-ms-deployment-name", self._deployment.encode())]
        if reply.stream is None:
            return self._end_with(Reply(status=reply.status, headers=headers, body=reply.body))
        return Reply(status=reply.status, headers=[*headers, *_STREAM_HEADERS], stream=_Outgoing(self, reply.stream))

    def refuse(self, error: Refused) -> Reply:
        """See `ports.entrance`."""
        reply = self._refusal(error)
        self._record(reply.status)
        return reply

    def first_byte(self) -> None:
        """The first piece of this call's stream goes out."""
        entry, parts = self._entry, self._parts
        seconds = parts.clock.monotonic() - entry.started
        parts.traffic.first_byte(self._surface.name, self._operation, self._label, seconds)

    def failure(self, error: ForehearthError) -> tuple[int, bytes]:
        """What goes wrong within a stream, as its last event; and the status it would have been."""
        reply = self._refusal(error)
        return reply.status, b"data: " + reply.body + b"\n\n"

    def ended(self, status: int) -> None:
        """The call is over, its last byte included."""
        self._parts.traffic.ended()
        self._record(status)

    def _end_with(self, reply: Reply) -> Reply:
        self.ended(reply.status)
        return reply

    def _refusal(self, error: ForehearthError) -> Reply:
        reply = self._surface.refuse(error, self._entry.trace)
        if reply.status >= _FIRST_FAULT_OF_OURS:
            where = f"{self._label} {getattr(error, 'backend', '')}".strip()
            _log.warning("%s: %s", where, error.message, extra={"request_id": self._entry.trace.request_id})
        return reply

    def _internal(self, error: Exception) -> ForehearthError:
        _log.error("internal error", exc_info=error, extra={"request_id": self._entry.trace.request_id})
        return _INTERNAL

    def _record(self, status: int) -> None:
        entry, parts = self._entry, self._parts
        seconds = parts.clock.monotonic() - entry.started
        parts.meter.request(self._surface.name, self._operation, self._label, status, seconds)


class _Outgoing:
    """A call's stream on its way out. What goes wrong in it is told as its last event, and then raised."""

    __slots__ = ("_call", "_error", "_over", "_started", "_stream")

    def __init__(self, call: Admitted, stream: Stream) -> None:
        self._call = call
        self._stream = stream
        self._started = False
        self._over = False
        self._error: ForehearthError | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._error is not None:
            raise self._error
        try:
            piece = await self._stream.__anext__()
        except StopAsyncIteration:
            self._end(_OK)
            raise
        except ForehearthError as error:
            self._error = error
            status, last = self._call.failure(error)
            self._end(status)
            return last
        if not self._started:
            self._started = True
            self._call.first_byte()
        return piece

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        self._end(_CLIENT_LEFT)
        await self._stream.aclose()

    def _end(self, status: int) -> None:
        if not self._over:
            self._over = True
            self._call.ended(status)

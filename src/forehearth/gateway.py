"""The way of a request: whose resource, which surface, who calls, what is asked and may it be, and the reply.

`Gateway.accept` decides on the head alone; only then is the body read, and `Admitted.answer` goes the rest of the way.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

import msgspec

from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed, unavailable
from forehearth.core.errors import (
    DeploymentClosed,
    ForehearthError,
    NotAuthenticated,
    PermissionDenied,
    Refused,
)
from forehearth.core.exchange import Head, Header, OnePiece, Reply, Stream
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.refusal import Refusal
from forehearth.core.tap import Tap
from forehearth.core.trace import Trace
from forehearth.identity.access import require
from forehearth.policies.onion import Proceed
from forehearth.ports.entrance import Streamed, Undecided
from forehearth.ports.identity import Identity
from forehearth.ports.keep import Keep
from forehearth.ports.meter import Meter, Traffic
from forehearth.ports.refusals import Refusals
from forehearth.ports.surface import Entry, Surface, Upload
from forehearth.routing.chain import serve
from forehearth.routing.directory import Deployment, Directory

_log = logging.getLogger("forehearth.gateway")
_EVENTS = b"text/event-stream"
_JSON: Header = (b"content-type", b"application/json")
_STREAM_HEADERS: tuple[Header, ...] = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
_OK, _FIRST_FAULT_OF_OURS = 200, 500
_LEFT, _STOPPED = (499, "client_left"), (503, "server_stopped")
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
    refusals: Refusals | None = None
    """Who is told of callers that are not let in; None where nobody is."""
    keep: Keep | None = None
    """What stores answers; None where nothing does."""
    is_cutting: Callable[[], bool] = lambda: False
    """Whether the server stops and ends what is still in flight."""


async def carry(directory: Directory, onions: Mapping[str, Proceed], call: Call) -> Reply:
    """See `ports.door`."""
    deployment, reply = await serve(directory.resolve(call), call, onions)
    return msgspec.structs.replace(reply, headers=[*reply.headers, _served(deployment)])


def _served(deployment: Deployment) -> Header:
    return (b"x-ms-deployment-name", deployment.name.encode())


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
            place = Place(resource=self._resource.name, project=asked.project)
            at = msgspec.structs.replace(place, agent=asked.agent) if asked.agent else place
            require(principal, asked.endpoint, at)
            entry = Entry(
                asked=asked,
                head=self._head,
                trace=self._trace,
                principal=principal,
                place=place,
                started=self._started,
            )
            if asked.operation is not None or asked.act is not None:
                return Admitted(self._parts, self._resource, surface, entry)
            if asked.upload is not None:
                return Uploading(self._parts, self._resource, surface, entry)
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
        refusals = self._parts.refusals
        if refusals is not None and isinstance(error, NotAuthenticated | PermissionDenied):
            refusals.refused(self._told(error, reply.status))
        return reply

    def _told(self, error: NotAuthenticated | PermissionDenied, status: int) -> Refusal:
        """What is known of somebody who is not let in. Their path may be none of this surface's."""
        surface, head = self._surface, self._head
        try:
            asked = surface.find(head)
        except Refused:
            asked = None
        return Refusal(
            request_id=self._trace.request_id,
            resource=self._resource.name,
            project=asked.project if asked else "",
            deployment=(asked.deployment or "") if asked else "",
            operation=f"{surface.name}.{asked.endpoint.name}" if asked else surface.name,
            principal=error.principal,
            address=head.client,
            status=status,
            reason=error.message,
        )

    def _count(self, operation: str, status: int) -> None:
        seconds = self._parts.clock.monotonic() - self._started
        self._parts.meter.request(self._surface.name, operation, "", status, seconds)


class Admitted:
    """A call, or something else with a body, that was let in: the `Admission` that answers it."""

    __slots__ = ("_act", "_entry", "_operation", "_parts", "_record", "_resource", "_surface", "max_body")

    def __init__(self, parts: Parts, resource: Resource, surface: Surface, entry: Entry) -> None:
        self._parts = parts
        self._resource = resource
        self._surface = surface
        self._entry = entry
        self._operation = entry.asked.endpoint.name
        self._record = entry.record
        self._act = entry.asked.act
        self.max_body = parts.max_body

    @property
    def streamed(self) -> Streamed | None:
        """See `ports.entrance`."""
        return None

    async def answer(self, body: bytes) -> Reply:
        """See `ports.entrance`."""
        self._parts.traffic.began()
        try:
            entry, resource, surface = self._entry, self._resource, self._surface
            act = self._act
            if act is None:
                call = surface.read(entry, body)
                deployment, reply = await serve(resource.directory.resolve(call), call, resource.onions)
                if call.keep is not None and self._parts.keep is not None:
                    reply = await self._parts.keep(entry.place, call, reply)
                reply = surface.render(call, reply)
                headers = [*reply.headers, *entry.trace.headers(), _served(deployment)]
            else:
                reply = await act(entry, body)
                headers = [*reply.headers, *entry.trace.headers()]
        except ForehearthError as error:
            return self._end_with(self._refusal(error))
        except StoreFailed as error:
            return self._end_with(self._refusal(unavailable(error)))
        except Exception as error:  # noqa: BLE001 - a border: nothing but a reply goes on from here
            return self._end_with(self._refusal(self._internal(error)))
        except BaseException:
            self.broke_off()
            raise
        if reply.stream is None:
            return self._end_with(Reply(status=reply.status, headers=headers, body=reply.body))
        stream = _Outgoing(self, reply.stream, events=_is_event_stream(headers))
        return Reply(status=reply.status, headers=[*headers, *_STREAM_HEADERS], stream=stream, length=reply.length)

    def again(self) -> "Admitted | None":
        """See `ports.entrance`."""
        parts, resource, surface, before = self._parts, self._resource, self._surface, self._entry
        if not parts.identity.still(before.principal, before.head, resource.name, keys=surface.keys):
            return None
        entry = Entry(
            asked=before.asked,
            head=before.head,
            trace=Trace(parts.new_id(), before.trace.client_request_id),
            principal=before.principal,
            place=before.place,
            started=parts.clock.monotonic(),
        )
        return type(self)(parts, resource, surface, entry)

    def refuse(self, error: Refused) -> Reply:
        """See `ports.entrance`."""
        reply = self._refusal(error)
        self._count(reply.status)
        return reply

    def first_byte(self) -> None:
        """The first piece of this call's stream goes out."""
        record, parts = self._record, self._parts
        record.first_byte = seconds = parts.clock.monotonic() - self._entry.started
        parts.traffic.first_byte(self._surface.name, self._operation, record.deployment, seconds)

    def failure(self, error: ForehearthError) -> tuple[int, bytes]:
        """What goes wrong within a stream, as its last event; and the status it would have been."""
        reply = self._refusal(error)
        return reply.status, b"data: " + reply.body + b"\n\n"

    def ended(self, status: int, outcome: str = "ok") -> None:
        """The call is over, its last byte included."""
        record = self._record
        self._parts.traffic.ended()
        self._count(status)
        record.status, record.outcome = status, record.outcome or outcome
        record.close()

    def broke_off(self) -> None:
        """The connection ended before the answer did: its client left, or the server does not wait any longer."""
        self.ended(*(_STOPPED if self._parts.is_cutting() else _LEFT))

    def _end_with(self, reply: Reply) -> Reply:
        self.ended(reply.status)
        return reply

    def _refusal(self, error: ForehearthError) -> Reply:
        reply = self._surface.refuse(error, self._entry.trace)
        self._record.outcome = error.code
        if isinstance(error, DeploymentClosed) and self._parts.refusals is not None:
            self._parts.refusals.refused(self._closed(error, reply.status))
        if reply.status >= _FIRST_FAULT_OF_OURS:
            where = f"{self._record.deployment} {getattr(error, 'backend', '')}".strip()
            _log.warning("%s: %s", where, error.message, extra={"request_id": self._entry.trace.request_id})
        return reply

    def _closed(self, error: DeploymentClosed, status: int) -> Refusal:
        """A key was used for a deployment that it is not for."""
        entry = self._entry
        return Refusal(
            request_id=entry.trace.request_id,
            resource=entry.place.resource,
            project=entry.place.project,
            deployment=error.name,
            operation=f"{self._surface.name}.{self._operation}",
            principal=entry.principal,
            address=entry.head.client,
            status=status,
            reason="The key is not for this deployment.",
        )

    def _internal(self, error: Exception) -> ForehearthError:
        _log.error("internal error", exc_info=error, extra={"request_id": self._entry.trace.request_id})
        return _INTERNAL

    def _count(self, status: int) -> None:
        seconds = self._parts.clock.monotonic() - self._entry.started
        self._parts.meter.request(self._surface.name, self._operation, self._record.deployment, status, seconds)


def _is_event_stream(headers: Sequence[Header]) -> bool:
    return any(name == b"content-type" and value.startswith(_EVENTS) for name, value in headers)


class Uploading(Admitted):
    """Something with a body that may be large, which was let in."""

    __slots__ = ("_upload",)

    def __init__(self, parts: Parts, resource: Resource, surface: Surface, entry: Entry) -> None:
        super().__init__(parts, resource, surface, entry)
        self._upload = cast("Upload", entry.asked.upload)
        self.max_body = self._upload.most

    @property
    def streamed(self) -> Streamed | None:
        """See `ports.entrance`."""
        return self._take

    async def answer(self, body: bytes) -> Reply:
        """See `ports.entrance`."""
        return await self._take(OnePiece(body))

    async def _take(self, body: Stream) -> Reply:
        def act(entry: Entry, _: bytes) -> Awaitable[Reply]:
            return self._upload.act(entry, body)

        self._act = act
        return await super().answer(b"")


class _Outgoing(Tap):
    """A call's stream on its way out. What goes wrong in it is told as its last event, if it has such; then raised."""

    __slots__ = ("_call", "_ended", "_events", "_started")

    def __init__(self, call: Admitted, stream: Stream, *, events: bool) -> None:
        super().__init__(stream)
        self._call = call
        self._events = events
        self._started = False
        self._ended = False

    def take(self, piece: bytes) -> bytes:
        """See `core.tap`."""
        if not self._started:
            self._started = True
            self._call.first_byte()
        return piece

    def end(self) -> bytes:
        """See `core.tap`."""
        self._end(_OK)
        return b""

    def broke(self, error: BaseException) -> bytes:
        """See `core.tap`."""
        if not isinstance(error, ForehearthError):
            return b""
        status, last = self._call.failure(error)
        self._end(status)
        return last if self._events else b""

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        # The stream first: those it passed through write down what they saw of it before the record is closed.
        try:
            await super().aclose()
        finally:
            if not self._ended:
                self._ended = True
                self._call.broke_off()

    def _end(self, status: int) -> None:
        if not self._ended:
            self._ended = True
            self._call.ended(status)

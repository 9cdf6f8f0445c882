"""A call that was let in: from its body to the last byte of its answer."""

import logging
from collections.abc import Awaitable, Sequence
from typing import cast

from forehearth.core.document import StoreFailed, unavailable
from forehearth.core.errors import DeploymentClosed, ForehearthError, Refused
from forehearth.core.exchange import Header, OnePiece, Reply, Stream
from forehearth.core.refusal import Refusal
from forehearth.core.tap import Tap
from forehearth.core.trace import Trace
from forehearth.gateway.carrying import served_by
from forehearth.gateway.parts import Parts, Resource
from forehearth.ports.entrance import Streamed
from forehearth.ports.surface import Entry, Surface, Upload
from forehearth.routing.chain import serve

_log = logging.getLogger("forehearth.gateway")
_EVENTS = b"text/event-stream"
_STREAM_HEADERS: tuple[Header, ...] = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
_OK, _FIRST_FAULT_OF_OURS = 200, 500
_LEFT, _STOPPED = (499, "client_left"), (503, "server_stopped")
_INTERNAL = ForehearthError("The server had an internal error while processing your request.")


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
                headers = [*reply.headers, *entry.trace.headers(), served_by(deployment)]
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

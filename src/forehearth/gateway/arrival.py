"""From a head to the admission that goes on with the body, or to the reply that lets nobody in."""

from collections.abc import Awaitable

import msgspec

from forehearth.core.errors import NotAuthenticated, PermissionDenied, Refused
from forehearth.core.exchange import Head, Header, Reply
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.refusal import Refusal
from forehearth.core.trace import Trace
from forehearth.gateway.admitted import Admitted, Uploading
from forehearth.gateway.parts import Parts, Resource
from forehearth.identity.access import require
from forehearth.ports.entrance import Undecided
from forehearth.ports.surface import Entry, Surface

_JSON: Header = (b"content-type", b"application/json")
_OK = 200


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

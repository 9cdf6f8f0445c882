"""The way of a request: which surface, whose credential, what is asked, of which deployment, and the reply.

`accept` decides on the head alone; only then is the body read, and `Admitted.answer` goes the rest of the way.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol

import msgspec

from forehearth.core.call import Operation
from forehearth.core.clock import Clock
from forehearth.core.errors import ForehearthError, Refused
from forehearth.core.exchange import Head, Reply
from forehearth.core.principal import Principal
from forehearth.core.trace import Trace
from forehearth.policies.onion import Proceed
from forehearth.ports.meter import Meter
from forehearth.ports.surface import Entry, Page, Surface
from forehearth.routing.directory import Directory

_log = logging.getLogger("forehearth.gateway")
_STREAM_HEADERS = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
_CLIENT_LEFT = 499
_INTERNAL = ForehearthError("The server had an internal error while processing your request.")


class Identity(Protocol):
    """Knows who may come in."""

    def identify(self, headers: Mapping[bytes, bytes]) -> Principal:
        """The caller behind a head's credential. Raises `NotAuthenticated`."""
        ...


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the way leads through."""

    surface_of: Callable[[bytes], Surface | None]
    """From a raw path to its surface; None for paths that are none of ours."""
    identity: Identity
    directory: Directory
    onions: Mapping[str, Proceed]
    """By deployment: its policies around the attempts at its backends."""
    meter: Meter
    clock: Clock
    new_id: Callable[[], str]
    max_body: int
    """Bytes."""


class Gateway:
    """The `Entrance` to all inference surfaces."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def accept(self, head: Head) -> "Admitted | Reply | None":
        """See `ports.entrance`."""
        parts = self._parts
        surface = parts.surface_of(head.raw_path)
        if surface is None:
            return None
        started = parts.clock.monotonic()
        trace = Trace(parts.new_id(), head.headers.get(b"x-ms-client-request-id"))
        try:
            principal = parts.identity.identify(head.headers)
            asked = surface.find(head)
        except Refused as error:
            reply = surface.refuse(error, trace)
            parts.meter.request(surface.name, "", "", reply.status, parts.clock.monotonic() - started)
            return reply
        if isinstance(asked, Page):
            parts.meter.request(surface.name, asked.name, "", 200, parts.clock.monotonic() - started)
            return Reply(
                status=200, headers=[(b"content-type", b"application/json"), *trace.headers()], body=asked.body
            )
        operation, deployment = (asked, None) if isinstance(asked, Operation) else asked
        entry = Entry(
            operation=operation, deployment=deployment, head=head, trace=trace, principal=principal, started=started
        )
        return Admitted(parts, surface, entry)


class Admitted:
    """A call that was let in: the `Admission` that reads its body and answers it."""

    __slots__ = ("_deployment", "_entry", "_parts", "_surface", "max_body")

    def __init__(self, parts: Parts, surface: Surface, entry: Entry) -> None:
        self._parts = parts
        self._surface = surface
        self._entry = entry
        self._deployment = ""
        self.max_body = parts.max_body

    async def answer(self, body: bytes) -> Reply:
        """See `ports.entrance`."""
        try:
            call = self._surface.read(self._entry, body)
            deployment = self._parts.directory.resolve(call)
            self._deployment = deployment.name
            reply = await self._parts.onions[deployment.name](call)
            reply = self._surface.render(call, reply)
        except ForehearthError as error:
            return self.refuse(error)
        except Exception as error:  # noqa: BLE001 - a border: nothing but a reply goes on from here
            return self.refuse(self._internal(error))
        except BaseException:
            self._record(_CLIENT_LEFT)
            raise
        headers = [*reply.headers, *self._entry.trace.headers(), (b"x-ms-deployment-name", self._deployment.encode())]
        if reply.stream is None:
            self._record(reply.status)
            return msgspec.structs.replace(reply, headers=headers)
        return Reply(
            status=reply.status, headers=[*headers, *_STREAM_HEADERS], stream=self._until_its_end(reply.stream)
        )

    def refuse(self, error: ForehearthError) -> Reply:
        """Say what was wrong in the words of this surface."""
        reply = self._surface.refuse(error, self._entry.trace)
        self._record(reply.status)
        if reply.status >= 500:  # noqa: PLR2004 - ours or a backend's fault, so the operator should know
            backend = getattr(error, "backend", "")
            _log.warning(
                "%s %s: %s",
                self._deployment,
                backend,
                error.message,
                extra={"request_id": self._entry.trace.request_id},
            )
        return reply

    async def _until_its_end(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """The stream; what goes wrong in it is told as its last event, and then the connection is cut."""
        status = _CLIENT_LEFT
        try:
            async for piece in stream:
                yield piece
            status = 200
        except ForehearthError as error:
            said = self._surface.refuse(error, self._entry.trace)
            status = said.status
            yield b"data: " + said.body + b"\n\n"
            raise
        finally:
            await stream.aclose()
            self._record(status)

    def _internal(self, error: Exception) -> ForehearthError:
        _log.error("internal error", exc_info=error, extra={"request_id": self._entry.trace.request_id})
        return _INTERNAL

    def _record(self, status: int) -> None:
        entry, parts = self._entry, self._parts
        seconds = parts.clock.monotonic() - entry.started
        parts.meter.request(self._surface.name, entry.operation.value, self._deployment, status, seconds)

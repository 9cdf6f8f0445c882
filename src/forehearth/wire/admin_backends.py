"""Backends as the admin API shows them."""

from datetime import datetime

import msgspec

from forehearth.admin.office import Office
from forehearth.core.backend_state import BackendState
from forehearth.core.errors import Conflict
from forehearth.wire.admin_bodies import moment


class BackendView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One backend of one deployment."""

    deployment: str
    backend: str
    model: str
    priority: int
    weight: int
    state: str
    why: str | None
    until: datetime | None
    in_flight: int
    calls: int
    failures: int
    busy: int
    first_byte_seconds: float | None


class BackendsPage(msgspec.Struct, frozen=True, kw_only=True):
    """All backends of a resource, and which of the workers saw them so."""

    worker: int
    workers: int
    value: tuple[BackendView, ...]


def backends_page(office: Office, resource: str) -> BackendsPage:
    """How the backends of a resource are now. Raises `Conflict` where no server works that could know."""
    backends = office.backends
    if backends is None:
        raise Conflict("No server works here, and only a server knows how its backends are.")
    now = office.clock.unix()
    return BackendsPage(
        worker=backends.worker,
        workers=backends.workers,
        value=tuple(_view(each, now) for each in backends.states(resource)),
    )


def _view(state: BackendState, now: float) -> BackendView:
    return BackendView(
        deployment=state.deployment,
        backend=state.backend,
        model=state.model,
        priority=state.priority,
        weight=state.weight,
        state=state.state.value,
        why=state.why or None,
        until=moment(round(now + state.opens_in, 3)) if state.opens_in > 0 else None,
        in_flight=state.in_flight,
        calls=state.calls,
        failures=state.failures,
        busy=state.busy,
        first_byte_seconds=None if state.first_byte is None else round(state.first_byte, 6),
    )

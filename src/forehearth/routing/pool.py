"""A deployment's backends together: how many of them may be left out, and who is told when one is."""

import logging
from collections.abc import Callable

from forehearth.core.clock import Clock
from forehearth.core.routing_settings import BackendLimits
from forehearth.ports.capacity import Capacity
from forehearth.ports.meter import PoolMeter
from forehearth.routing.capacity import WorkerCapacity
from forehearth.routing.deployment import Backend, Deployment
from forehearth.routing.health import Health
from forehearth.routing.member import Member

_log = logging.getLogger("forehearth.routing")
_EVEN = 1e-9


Capacities = Callable[[Backend], Capacity | None]
"""What counts the limits of a backend; None for one that has none."""


def in_this_worker(backend: Backend) -> Capacity | None:
    """What a backend can take, where there is one worker; None for as much as there comes."""
    return None if backend.limits == BackendLimits() else WorkerCapacity(backend.limits)


class Pool:
    """The backends of one deployment, as this worker knows them."""

    def __init__(
        self, deployment: Deployment, clock: Clock, meter: PoolMeter, capacities: Capacities = in_this_worker
    ) -> None:
        self.deployment = deployment
        self.now = clock.monotonic
        self.meter = meter
        share = deployment.health.largest_share
        self._most_ejected = share * len(deployment.backends) + _EVEN
        self.members = tuple(
            Member(backend, Health(deployment.health, self._has_room), capacities(backend), self.now)
            for backend in deployment.backends
        )
        for member in self.members:
            member.on_ejection = self._ejected
        self.is_limited = any(member.capacity is not None for member in self.members)
        """Whether what a call may use has to be known before it is sent."""

    @property
    def ejected(self) -> int:
        """How many backends are left out because they failed."""
        return sum(member.health.is_ejected for member in self.members)

    def _ejected(self, member: Member) -> None:
        backend, health = member.backend, member.health
        self.meter.ejected(backend.name, backend.model)
        now = self.now()
        what = "asked last" if health.is_kept else "left out"
        label, seconds = self.deployment.label, health.opens_at(now) - now
        _log.warning("%s %s: %s for %.3g s: %s", label, backend.name, what, seconds, health.why)

    def _has_room(self) -> bool:
        return self.ejected + 1 <= self._most_ejected

"""Makes deployments and the attempts at their backends from the configuration, and keeps their pools in view."""

from collections.abc import Mapping

import msgspec

from forehearth.accounting.leases import Leases
from forehearth.accounting.shared_capacity import SharedCapacity
from forehearth.core.clock import Clock
from forehearth.core.routing_settings import BackendLimits, HealthSettings
from forehearth.core.settings import DeploymentBackend, DeploymentSettings
from forehearth.registry import STRATEGIES, Opened
from forehearth.routing.attempts import Attempts
from forehearth.routing.deployment import Backend, Deployment
from forehearth.routing.pool import Capacities, Pool, in_this_worker
from forehearth.routing.states import Pools
from forehearth.telemetry.metrics import Metrics


class Pooling:
    """What pools are made with. Those that it makes are added to `pools`."""

    def __init__(
        self, opened: Mapping[str, Opened], metrics: Metrics, clock: Clock, *, leases: Leases | None, pools: Pools
    ) -> None:
        """`leases` are what backends' limits are counted with; None where one worker counts them by itself."""
        self._opened = opened
        self._metrics = metrics
        self._clock = clock
        self._leases = leases
        self._pools = pools

    def deployment(self, name: str, label: str, wanted: DeploymentSettings) -> Deployment:
        """One deployment; `label` is what its resource is called in metrics, empty for the default one."""
        longest = max(self._opened[place.backend].total_seconds for place in wanted.backends)
        return Deployment(
            name=name,
            resource=label,
            facts=wanted.model,
            backends=tuple(self._backend(place, name) for place in wanted.backends),
            retries=wanted.retries,
            health=self._health(wanted),
            deadline=wanted.deadline_seconds or longest,
            fetch_images=wanted.fetch_images,
        )

    def attempts(self, resource: str, deployment: Deployment, wanted: DeploymentSettings) -> Attempts:
        """What asks its backends."""
        pool = Pool(
            deployment, self._clock, self._metrics.pool(deployment.label), self._capacities(resource, deployment)
        )
        self._pools.add(resource, pool)
        return Attempts(pool, self._metrics, strategy=STRATEGIES[wanted.strategy](wanted.affinity))

    def _backend(self, place: DeploymentBackend, name: str) -> Backend:
        opened = self._opened[place.backend]
        return Backend(
            name=place.backend,
            provider=opened.provider,
            sender=opened.sender,
            model=place.model or name,
            restarts=opened.restarts,
            priority=place.priority,
            weight=place.weight,
            limits=place.limits,
            responses=opened.responses,
        )

    def _capacities(self, resource: str, deployment: Deployment) -> Capacities:
        leases = self._leases
        if leases is None:
            return in_this_worker
        shared = {
            backend: SharedCapacity(backend.limits, leases, counter=f"{resource}/{deployment.name}/{index} backend")
            for index, backend in enumerate(deployment.backends)
            if backend.limits != BackendLimits()
        }
        return shared.get

    def _health(self, wanted: DeploymentSettings) -> HealthSettings:
        """A script that refuses one call means that one: with nobody else to ask, the next one gets its own answer."""
        alone = len(wanted.backends) == 1 and self._opened[wanted.backends[0].backend].by_script
        return msgspec.structs.replace(wanted.health, obey_seconds=0.0) if alone else wanted.health

"""All pools of a worker, for those who want to look at them."""

from collections.abc import Iterator

from forehearth.core.backend_state import BackendState
from forehearth.routing.member import Member
from forehearth.routing.pool import Pool


class Pools:
    """All pools of this worker, by resource."""

    def __init__(self) -> None:
        self._pools: dict[str, list[Pool]] = {}

    def add(self, resource: str, pool: Pool) -> None:
        """One more."""
        self._pools.setdefault(resource, []).append(pool)

    def states(self, resource: str | None = None) -> Iterator[BackendState]:
        """Every backend as it is now: of one resource, or of all."""
        chosen = self._pools.values() if resource is None else [self._pools.get(resource, [])]
        for pools in chosen:
            for pool in pools:
                for member in pool.members:
                    yield _state(pool, member)


def _state(pool: Pool, member: Member) -> BackendState:
    now, backend = pool.now(), member.backend
    state = member.state(0, now)
    median = member.streams.median
    return BackendState(
        deployment=pool.deployment.name,
        label=pool.deployment.label,
        backend=backend.name,
        model=backend.model,
        priority=backend.priority,
        weight=member.weight,
        state=state,
        why=member.health.why,
        opens_in=member.opens_at(0, now) - now,
        in_flight=member.in_flight,
        calls=member.calls,
        failures=member.failures,
        busy=member.busy,
        first_byte=member.answers.median if median is None else median,
    )

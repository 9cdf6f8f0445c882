"""What is counted of pools of backends, and how their backends are."""

from collections.abc import Callable, Iterable

from forehearth.core.backend_state import BackendState, State
from forehearth.telemetry.cells import Cells


class PoolCounts:
    """The numbers of one deployment's pool. It is a `ports.meter.PoolMeter`."""

    def __init__(self, cells: Cells, deployment: str) -> None:
        self._cells = cells
        self._deployment = ("deployment", deployment)

    def ejected(self, backend: str, model: str) -> None:
        """See `ports.meter`."""
        self._cells.add(
            1.0, "forehearth_backend_ejections_total", self._deployment, ("backend", backend), ("model", model)
        )

    def retried(self, *, allowed: bool) -> None:
        """See `ports.meter`."""
        self._cells.add(
            1.0, "forehearth_retries_total", self._deployment, ("outcome", "allowed" if allowed else "refused")
        )

    def spilled(self) -> None:
        """See `ports.meter`."""
        self._cells.add(1.0, "forehearth_spillovers_total", self._deployment)


class BackendGauges:
    """How backends are, as gauges of one worker."""

    def __init__(self, cells: Cells, worker: tuple[str, str]) -> None:
        self._cells = cells
        self._worker = worker
        self._known: dict[tuple[str, str, str], tuple[int, dict[State, int]]] = {}
        self.states: Callable[[], Iterable[BackendState]] = list

    def refresh(self) -> None:
        """Write down how they are now."""
        values = self._cells.values
        for each in self.states():
            key = (each.label, each.backend, each.model)
            in_flight, by_state = self._known.get(key) or self._new(*key)
            values[in_flight] = each.in_flight
            for state, cell in by_state.items():
                values[cell] = 1.0 if state is each.state else 0.0

    def _new(self, deployment: str, backend: str, model: str) -> tuple[int, dict[State, int]]:
        labels = (self._worker, ("deployment", deployment), ("backend", backend), ("model", model))
        by_state = {
            state: self._cells.cell("forehearth_backend_state", *labels, ("state", state.value)) for state in State
        }
        known = self._cells.cell("forehearth_backend_in_flight", *labels), by_state
        self._known[deployment, backend, model] = known
        return known

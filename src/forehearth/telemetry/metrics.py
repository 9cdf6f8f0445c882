"""What is counted, under which names and labels. A call costs a dictionary look-up and a few stores into memory.

Labels are names from the configuration or from fixed sets; nothing that a caller writes becomes one.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from forehearth.core.backend_state import BackendState
from forehearth.core.cache_state import CacheState
from forehearth.core.usage import Usage
from forehearth.telemetry.caches import CacheCounts, CacheGauges
from forehearth.telemetry.cells import Cells, Sample, read_all
from forehearth.telemetry.families import FAMILIES
from forehearth.telemetry.histogram import FIRST_BYTE_SECONDS, Histogram
from forehearth.telemetry.ledger import LedgerCounts
from forehearth.telemetry.limits import LimitCounts
from forehearth.telemetry.pools import BackendGauges, PoolCounts

REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """One worker's numbers. It is a `ports.meter.Meter`."""

    def __init__(self, cells: Cells, worker: str = "0") -> None:
        self._cells = cells
        self._values = cells.values
        self._worker = ("worker", worker)
        self._requests: dict[tuple[str, str, str, int], tuple[int, Histogram]] = {}
        self._first_bytes: dict[tuple[str, str, str], Histogram] = {}
        self._durations: dict[tuple[str, str, str], Histogram] = {}
        self._tokens: dict[str, tuple[int, int, int, int]] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._in_flight = cells.cell("forehearth_in_flight")
        self._opened = cells.cell("forehearth_upstream_connections_opened_total")
        self._backends = BackendGauges(cells, self._worker)
        self._caches = CacheGauges(cells, self._worker)
        self.limits = LimitCounts(cells)
        """What becomes of limits."""
        self.ledger = LedgerCounts(cells, self._worker)
        """What becomes of the records of calls."""
        self._connections: Callable[[], int] = int
        self._connections_seen = 0
        self._forget_gauges()

    def request(self, surface: str, operation: str, deployment: str, status: int, seconds: float) -> None:
        """Count one request of a surface, after its last byte; `deployment` is empty where none was found."""
        key = (surface, operation, deployment, status)
        known = self._requests.get(key)
        if known is None:
            known = self._requests[key] = self._new_request(*key)
        self._values[known[0]] += 1.0
        known[1].observe(seconds)

    def first_byte(self, surface: str, operation: str, deployment: str, seconds: float) -> None:
        """Note how long after the head the first byte of a stream went out."""
        key = (surface, operation, deployment)
        known = self._first_bytes.get(key)
        if known is None:
            known = self._first_bytes[key] = Histogram(
                self._cells, "forehearth_first_byte_seconds", FIRST_BYTE_SECONDS, _labels(*key)
            )
        known.observe(seconds)

    def tokens(self, deployment: str, usage: Usage) -> None:
        """Count what a call used, as its backend reported it."""
        known = self._tokens.get(deployment)
        if known is None:
            known = self._tokens[deployment] = self._new_tokens(deployment)
        values = self._values
        values[known[0]] += usage.prompt
        values[known[1]] += usage.completion
        values[known[2]] += usage.cached
        values[known[3]] += usage.reasoning

    def attempt(self, backend: str, outcome: str) -> None:
        """Count one try at a backend: `ok`, or the code of what went wrong."""
        known = self._attempts.get((backend, outcome))
        if known is None:
            known = self._attempts[backend, outcome] = self._cells.cell(
                "forehearth_backend_attempts_total", ("backend", backend), ("outcome", outcome)
            )
        self._values[known] += 1.0

    def began(self) -> None:
        """One more request is being answered."""
        self._values[self._in_flight] += 1.0

    def ended(self) -> None:
        """One of the requests that `began` counted is over."""
        self._values[self._in_flight] -= 1.0

    def watch_connections(self, total: Callable[[], int]) -> None:
        """From now on count the connections opened to backends as `total` tells them, looked at by `refresh`."""
        self._connections = total
        self._connections_seen = total()

    def watch_backends(self, states: Callable[[], Iterable[BackendState]]) -> None:
        """From now on show how backends are, as `states` tells it, looked at by `refresh`."""
        self._backends.states = states

    def pool(self, deployment: str) -> PoolCounts:
        """What counts the doings of one deployment's pool."""
        return PoolCounts(self._cells, deployment)

    def cache(self, deployment: str) -> CacheCounts:
        """What counts the doings of one deployment's cache."""
        return CacheCounts(self._cells, deployment)

    def watch_caches(self, states: Callable[[], Iterable[CacheState]]) -> None:
        """From now on show how full caches are, as `states` tells it, looked at by `refresh`."""
        self._caches.states = states

    def refresh(self) -> None:
        """Take over what is not told but looked at: before a page is made, and once in a while."""
        self._caches.refresh()
        self._backends.refresh()
        total = self._connections()
        self._values[self._opened] += total - self._connections_seen
        self._connections_seen = total

    def process_started(self, role: str) -> None:
        """Count one process that the parent started: a `worker` or the `embedded_host`."""
        self._values[self._cells.cell("forehearth_worker_starts_total", ("role", role))] += 1.0

    def introduce(self, facts: Mapping[str, str]) -> None:
        """Say which process this worker is now, by facts such as its process id and versions."""
        self._values[self._cells.cell("forehearth_worker_info", self._worker, *facts.items())] = 1.0

    def vitals(self, *, lag: float, cpu: float, resident: float) -> None:
        """Say how this worker does: seconds its event loop was late, processor seconds so far, bytes of memory."""
        self._values[self._cells.cell("forehearth_event_loop_lag_seconds", self._worker)] = lag
        self._values[self._cells.cell("forehearth_worker_cpu_seconds_total", self._worker)] = cpu
        self._values[self._cells.cell("forehearth_worker_resident_bytes", self._worker)] = resident

    def keys_age(self, seconds: float) -> None:
        """Say how old this worker's knowledge of keys and role assignments is."""
        self._values[self._cells.cell("forehearth_keys_age_seconds", self._worker)] = seconds

    def audit_lost(self, count: int) -> None:
        """Count audit records that could not be kept."""
        self._values[self._cells.cell("forehearth_audit_lost_total")] += count

    def refusals_unrecorded(self, count: int) -> None:
        """Count refused calls that the audit log does not tell of."""
        self._values[self._cells.cell("forehearth_refusals_unrecorded_total")] += count

    def _new_request(self, surface: str, operation: str, deployment: str, status: int) -> tuple[int, Histogram]:
        labels = _labels(surface, operation, deployment)
        durations = self._durations.get((surface, operation, deployment))
        if durations is None:
            durations = self._durations[surface, operation, deployment] = Histogram(
                self._cells, "forehearth_request_seconds", REQUEST_SECONDS, labels
            )
        return self._cells.cell("forehearth_requests_total", *labels, ("status", str(status))), durations

    def _new_tokens(self, deployment: str) -> tuple[int, int, int, int]:
        prompt, completion, cached, reasoning = (
            self._cells.cell("forehearth_tokens_total", ("deployment", deployment), ("kind", kind))
            for kind in ("prompt", "completion", "cached", "reasoning")
        )
        return prompt, completion, cached, reasoning

    def _forget_gauges(self) -> None:
        """Set to zero what was true of the process whose place this one takes, and of no other."""
        gauges = {name for name, family in FAMILIES.items() if family.kind == "gauge"}
        for sample in list(self._cells.samples()):
            if sample.series.metric in gauges:
                self._values[self._cells.cell(sample.series.metric, *sample.series.labels)] = 0.0


def summed(folder: Path) -> Callable[[], Iterable[Sample]]:
    """What tells the numbers of all workers that count in `folder`."""

    def read() -> Iterable[Sample]:
        return read_all(folder)

    return read


def _labels(surface: str, operation: str, deployment: str) -> tuple[tuple[str, str], ...]:
    return (("surface", surface), ("operation", operation), ("deployment", deployment))

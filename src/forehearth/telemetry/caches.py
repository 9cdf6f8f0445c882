"""What is counted of caches, and how full they are."""

from collections.abc import Callable, Iterable

from forehearth.core.cache_state import CacheState
from forehearth.ports.cache_meter import Outcome
from forehearth.telemetry.cells import Cells

LOOKUPS = "forehearth_cache_lookups_total"
REFUSED = "forehearth_cache_refused_total"
UNEMBEDDED = "forehearth_cache_embedding_failures_total"
ANSWERS = "forehearth_cache_answers_total"
ENTRIES = "forehearth_cache_entries"
BYTES = "forehearth_cache_bytes"


class CacheCounts:
    """The numbers of one deployment's cache. It is a `ports.cache_meter.CacheMeter`."""

    def __init__(self, cells: Cells, deployment: str) -> None:
        self._cells = cells
        self._deployment = ("deployment", deployment)

    def looked_up(self, outcome: Outcome) -> None:
        """See `ports.cache_meter`."""
        self._cells.add(1.0, LOOKUPS, self._deployment, ("outcome", outcome))

    def refused(self, difference: str) -> None:
        """See `ports.cache_meter`."""
        self._cells.add(1.0, REFUSED, self._deployment, ("difference", difference))

    def unembedded(self) -> None:
        """See `ports.cache_meter`."""
        self._cells.add(1.0, UNEMBEDDED, self._deployment)

    def kept(self, *, stored: bool) -> None:
        """See `ports.cache_meter`."""
        self._cells.add(1.0, ANSWERS, self._deployment, ("outcome", "kept" if stored else "not_kept"))


class CacheGauges:
    """How full caches are, as gauges of one worker."""

    def __init__(self, cells: Cells, worker: tuple[str, str]) -> None:
        self._cells = cells
        self._worker = worker
        self.states: Callable[[], Iterable[CacheState]] = list

    def refresh(self) -> None:
        """Write down how they are now."""
        for each in self.states():
            labels = (self._worker, ("deployment", each.label))
            self._cells.values[self._cells.cell(ENTRIES, *labels)] = each.entries
            self._cells.values[self._cells.cell(BYTES, *labels)] = each.bytes

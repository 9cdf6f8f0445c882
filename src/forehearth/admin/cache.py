"""What operators see of the caches, over all workers, and how they empty them."""

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from forehearth.admin.keys import Keys
from forehearth.caching.caches import Purge
from forehearth.caching.scope import Chosen
from forehearth.core.cache_state import CacheState
from forehearth.core.errors import NotFound
from forehearth.telemetry import caches
from forehearth.telemetry.cells import Sample


class CacheFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment's cache, in all workers together, since the server started."""

    state: CacheState
    """As this worker has it, but for `entries` and `bytes`, which are of all."""
    exact: int
    """Calls that were answered as the same call."""
    semantic: int
    """Calls that were answered as one that asks the same."""
    shadow: int
    """Calls that would have been."""
    misses: int
    bypassed: int
    """Calls that were not looked for."""
    refused: int
    """Near answers that a guard refused."""
    embedding_failures: int
    kept: int
    """Answers that were kept."""

    @property
    def hit_rate(self) -> float | None:
        """The share of hits among the calls that were looked for; None before the first."""
        hits = self.exact + self.semantic
        looked_up = hits + self.shadow + self.misses
        return hits / looked_up if looked_up else None


class CacheOffice(msgspec.Struct, frozen=True, kw_only=True):
    """The caches of a running server."""

    states: Callable[[str], Iterable[CacheState]]
    """By resource, in this worker."""
    samples: Callable[[], Iterable[Sample]]
    """The numbers of all workers."""
    purge: Callable[[Purge], Awaitable[None]]
    """Returns when every worker has had time to do it. Raises `StoreFailed`."""

    def figures(self, resource: str) -> list[CacheFigures]:
        """The caches of a resource."""
        counts: Counter[tuple[str, ...]] = Counter()
        for sample in self.samples():
            labels = dict(sample.series.labels)
            key = (sample.series.metric, labels.get("deployment", ""), labels.get("outcome", ""))
            counts[key] += int(sample.value)
        return [_figures(state, counts) for state in self.states(resource)]


async def chosen(keys: Keys, resource: str, *, project: str | None, caller: str | None) -> Chosen:
    """The scopes that an operator means; a key may be called by its name."""
    if caller is not None:
        with contextlib.suppress(NotFound):  # then it is the id of somebody who comes with a token
            caller = (await keys.get(resource, caller)).id
    return Chosen(project=project, caller=caller)


def _figures(state: CacheState, counts: Counter[tuple[str, ...]]) -> CacheFigures:
    def of(metric: str, outcome: str = "") -> int:
        return counts[metric, state.label, outcome]

    return CacheFigures(
        state=msgspec.structs.replace(state, entries=of(caches.ENTRIES), bytes=of(caches.BYTES)),
        exact=of(caches.LOOKUPS, "exact"),
        semantic=of(caches.LOOKUPS, "semantic"),
        shadow=of(caches.LOOKUPS, "shadow"),
        misses=of(caches.LOOKUPS, "miss"),
        bypassed=of(caches.LOOKUPS, "bypass"),
        refused=of(caches.REFUSED),
        embedding_failures=of(caches.UNEMBEDDED),
        kept=of(caches.ANSWERS, "kept"),
    )

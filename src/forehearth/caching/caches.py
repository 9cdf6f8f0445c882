"""All caches of a worker, for those who want to look at them or empty them."""

from collections.abc import Iterator

import msgspec

from forehearth.caching.cache import Cache
from forehearth.caching.scope import Chosen
from forehearth.core.cache_settings import CacheSettings
from forehearth.core.cache_state import CacheState


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """Which answers are to go: those of a resource, that have all of what else is given."""

    resource: str
    deployment: str | None = None
    chosen: Chosen = Chosen()


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    wanted: CacheSettings
    cache: Cache


class Caches:
    """The caches of this worker, by resource and deployment."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Known] = {}

    def add(self, resource: str, deployment: str, label: str, wanted: CacheSettings, cache: Cache) -> None:
        """One more."""
        self._known[resource, deployment] = _Known(label=label, wanted=wanted, cache=cache)

    def purge(self, purge: Purge) -> int:
        """Let answers go; how many there were in this worker."""
        return sum(
            known.cache.purge(purge.chosen)
            for (resource, deployment), known in self._known.items()
            if resource == purge.resource and purge.deployment in (None, deployment)
        )

    def clear(self) -> None:
        """Let all answers go."""
        for known in self._known.values():
            known.cache.purge(Chosen())

    def states(self, resource: str | None = None) -> Iterator[CacheState]:
        """Every cache as it is now: of one resource, or of all."""
        for (its_resource, deployment), known in self._known.items():
            if resource in (None, its_resource):
                semantic = known.wanted.semantic
                yield CacheState(
                    deployment=deployment,
                    label=known.label,
                    exact=known.wanted.exact is not None,
                    semantic="off" if semantic is None else semantic.mode,
                    entries=known.cache.entries,
                    bytes=known.cache.bytes,
                )

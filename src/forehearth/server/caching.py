"""Makes the caches that the configuration asks for, each with what it works with; and lets operators at them."""

import asyncio
import contextlib
import importlib
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping

from forehearth.admin.cache import CacheOffice
from forehearth.caching.cache import Cache, Index
from forehearth.caching.caches import Caches, Purge
from forehearth.caching.embedding import DeploymentEmbedder
from forehearth.caching.purges import Purges
from forehearth.caching.scope import scoping
from forehearth.core.cache_settings import CacheSettings, SemanticCacheSettings
from forehearth.core.clock import Clock
from forehearth.policies.cache import AnswerAgain
from forehearth.policies.onion import Policy, Proceed
from forehearth.routing.deployment import Deployment
from forehearth.server.context import WorkerContext
from forehearth.server.stores import Stores
from forehearth.telemetry.cells import Sample
from forehearth.telemetry.metrics import Metrics, summed

SEMANTIC = "forehearth.caching.semantic:SemanticIndex"
"""Loaded where a deployment has a semantic cache, because it needs numpy."""


class Caching:
    """What caches are made with. Those that it makes are added to `caches`."""

    def __init__(self, metrics: Metrics, clock: Clock, caches: Caches) -> None:
        self._metrics = metrics
        self._clock = clock
        self._caches = caches

    def policies(
        self, resource: str, deployment: Deployment, wanted: CacheSettings | None, answers: Mapping[str, Proceed]
    ) -> list[Policy]:
        """The cache of a deployment, as a layer around its calls; none where none is configured.

        `answers` has what asks the backends of each deployment of the resource, for vectors.
        """
        if wanted is None:
            return []
        semantic = wanted.semantic if wanted.semantic is not None and wanted.semantic.mode != "off" else None
        if semantic is None and wanted.exact is None:
            return []
        cache = Cache(wanted, None if semantic is None else _index(), self._clock)
        self._caches.add(resource, deployment.name, deployment.label, wanted, cache)
        policy = AnswerAgain(
            wanted,
            cache,
            scope=scoping(wanted.vary_by),
            embedder=None if semantic is None else self._embedder(semantic, answers),
            meter=self._metrics.cache(deployment.label),
            clock=self._clock,
        )
        return [policy]

    def _embedder(self, semantic: SemanticCacheSettings, answers: Mapping[str, Proceed]) -> DeploymentEmbedder:
        return DeploymentEmbedder(
            semantic.embeddings, answers[semantic.embeddings], self._clock, seconds=semantic.embedding_seconds
        )


def _index() -> Index:
    module, _, name = SEMANTIC.partition(":")
    index: Index = getattr(importlib.import_module(module), name)()
    return index


@contextlib.asynccontextmanager
async def opened_caches(
    context: WorkerContext, stores: Stores, clock: Clock, caches: Caches
) -> AsyncIterator[CacheOffice]:
    """The caches of a worker for its operators; from now on it sees what is purged in the others."""
    settings = context.settings
    purges = Purges(
        stores.documents,
        caches,
        clock,
        new_id=lambda: f"purge_{secrets.token_hex(16)}",
        others=settings.server.workers > 1 or settings.store.postgres is not None,
    )
    watching = None
    if any(True for _ in caches.states()):
        await purges.begin()
        watching = asyncio.create_task(purges.run(asyncio.sleep))
    read = summed(context.data.run / "metrics")

    def samples() -> Iterable[Sample]:
        context.metrics.refresh()
        return read()

    async def purge(wanted: Purge) -> None:
        await purges.purge(wanted, asyncio.sleep)

    try:
        yield CacheOffice(states=caches.states, samples=samples, purge=purge)
    finally:
        if watching is not None:
            watching.cancel()

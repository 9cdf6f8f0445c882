"""Caches as the admin API shows and empties them."""

from collections.abc import Mapping

import msgspec

from forehearth.admin.cache import CacheFigures, chosen
from forehearth.admin.office import Office
from forehearth.caching.caches import Purge
from forehearth.config.nearest import suggestion
from forehearth.core.errors import Conflict, InvalidField

PURGE_PARAMETERS = frozenset({"resource", "deployment", "project", "caller"})
_NO_SERVER = "No server works here, and the caches are in a server's memory."
_SHOWN = 100


class CacheView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One deployment's cache."""

    deployment: str
    exact: bool
    semantic: str
    entries: int
    bytes: int
    hits: int
    exact_hits: int
    semantic_hits: int
    shadow_hits: int
    misses: int
    bypassed: int
    refused_by_guards: int
    embedding_failures: int
    kept: int
    hit_rate: float | None


class CachesPage(msgspec.Struct, frozen=True, kw_only=True):
    """All caches of a resource."""

    value: tuple[CacheView, ...]


def caches_page(office: Office, resource: str) -> CachesPage:
    """How the caches of a resource do, in all workers. Raises `Conflict` where no server works that has any."""
    if office.caches is None:
        raise Conflict(_NO_SERVER)
    return CachesPage(value=tuple(map(_view, office.caches.figures(resource))))


async def purge(office: Office, resource: str, query: Mapping[str, str]) -> str:
    """Empty what the query names, everywhere; what that was, in words.

    Raises `InvalidField`, and `Conflict` where no server works that has a cache.
    """
    if office.caches is None:
        raise Conflict(_NO_SERVER)
    deployment = query.get("deployment")
    there = office.tenants[resource].deployments
    if deployment is not None and deployment not in there:
        hint = suggestion(deployment, sorted(there), "there are") or "there are none"
        raise InvalidField(f"There is no deployment '{deployment[:_SHOWN]}': {hint}", param="deployment")
    scopes = await chosen(office.keys, resource, project=query.get("project"), caller=query.get("caller"))
    await office.caches.purge(Purge(resource=resource, deployment=deployment, chosen=scopes))
    given = {name: query[name] for name in ("deployment", "project", "caller") if name in query}
    return "; ".join(f"{name}={value[:_SHOWN]}" for name, value in given.items()) or "everything"


def _view(figures: CacheFigures) -> CacheView:
    state, rate = figures.state, figures.hit_rate
    return CacheView(
        deployment=state.deployment,
        exact=state.exact,
        semantic=state.semantic,
        entries=state.entries,
        bytes=state.bytes,
        hits=figures.exact + figures.semantic,
        exact_hits=figures.exact,
        semantic_hits=figures.semantic,
        shadow_hits=figures.shadow,
        misses=figures.misses,
        bypassed=figures.bypassed,
        refused_by_guards=figures.refused,
        embedding_failures=figures.embedding_failures,
        kept=figures.kept,
        hit_rate=None if rate is None else round(rate, 4),
    )

"""Puts the gateway together from settings: opened backends, resources with their deployments, onions and surfaces."""

import secrets
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from forehearth.core.clock import SystemClock
from forehearth.core.ids import request_ids
from forehearth.core.settings import ResourceSettings, Settings
from forehearth.gateway.arrival import Gateway
from forehearth.gateway.carrying import carry
from forehearth.gateway.parts import Parts, Resource
from forehearth.policies.journal import WriteDown
from forehearth.policies.onion import Policy, Proceed, compose
from forehearth.ports.identity import Identity
from forehearth.registry import PROVIDERS, Kind, Surroundings
from forehearth.routing.deployment import Deployment
from forehearth.routing.directory import Directory
from forehearth.routing.resources import by_host
from forehearth.routing.routes import route
from forehearth.server.caching import Caching
from forehearth.server.ledger import written_down
from forehearth.server.limiting import Limiting
from forehearth.server.pooling import Pooling
from forehearth.server.pricing import Pricing
from forehearth.server.tenants import all_resources
from forehearth.telemetry.metrics import Metrics
from forehearth.wire.surfaces import FamiliesOf, surface_of


def build_gateway(
    settings: Settings,
    around: Surroundings,
    *,
    identity: Identity,
    metrics: Metrics,
    created: int,
    providers: Mapping[str, Kind] = PROVIDERS,
) -> Gateway:
    """The entrance to everything that `settings` names. `created` is when they were taken up, in Unix seconds."""
    kinds = {kind.settings: kind for kind in providers.values()}
    opened = {name: kinds[type(backend)].open(name, backend, around) for name, backend in settings.backends.items()}
    together = around.leases if settings.server.workers > 1 else None
    pooling = Pooling(opened, metrics, SystemClock(), leases=together, pools=around.pools)
    caching = Caching(metrics, SystemClock(), around.caches)
    pricing = Pricing(settings.backends, SystemClock())
    limiting = Limiting(around.leases, around.drains, metrics, pricing.amount)
    parts = _Parts(
        pooling=pooling,
        caching=caching,
        limiting=limiting,
        pricing=pricing,
        writing=around.writing,
        families=around.families,
        created=created,
    )
    resources = {
        name: _resource(name, wanted, parts, is_default=name == settings.server.resource)
        for name, wanted in all_resources(settings).items()
    }
    default = resources.pop(settings.server.resource)
    return Gateway(
        Parts(
            resource_of=by_host(default, resources),
            identity=identity,
            meter=metrics,
            traffic=metrics,
            clock=SystemClock(),
            new_id=request_ids(secrets.randbits(128), SystemClock()),
            max_body=settings.server.limits.body_bytes,
            refusals=around.refusals,
            keep=around.keep,
            is_cutting=around.is_cutting,
        )
    )


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the layers around a deployment's calls are made by."""

    pooling: Pooling
    caching: Caching
    limiting: Limiting
    pricing: Pricing
    writing: WriteDown | None
    families: FamiliesOf
    created: int


def _resource(name: str, wanted: ResourceSettings, parts: _Parts, *, is_default: bool) -> Resource:
    pooling, limiting = parts.pooling, parts.limiting
    label = "" if is_default else name
    deployments = {each: pooling.deployment(each, label, its) for each, its in wanted.deployments.items()}
    routes = {each: route(its) for each, its in wanted.routes.items()}
    directory = Directory(deployments, routes, created=parts.created)
    answers = {
        each: compose(
            [limiting.usage(deployments[each], its), limiting.fit(deployments[each], its)],
            pooling.attempts(name, deployments[each], its),
        )
        for each, its in wanted.deployments.items()
    }
    onions = {
        each: compose(_policies(name, deployment, wanted, parts, answers), answers[each])
        for each, deployment in deployments.items()
    }
    families = parts.families(name, partial(carry, directory, onions), directory)
    return Resource(
        name=name,
        surface_of=surface_of(directory, wanted.projects, families),
        directory=directory,
        onions=onions,
    )


def _policies(
    resource: str, deployment: Deployment, wanted: ResourceSettings, parts: _Parts, answers: Mapping[str, Proceed]
) -> Sequence[Policy]:
    """The layers of a deployment's calls around what asks its backends, the outermost first."""
    its = wanted.deployments[deployment.name]
    price_of = parts.pricing.prices(deployment, its)
    limits = parts.limiting.policies(wanted, deployment, its)
    caches = parts.caching.policies(resource, deployment, its.cache, answers)
    if parts.writing is None:
        return [*limits, *caches]
    outcomes, intents = written_down(
        parts.writing, resource, deployment, parts.limiting.tokens(deployment, its), price_of
    )
    return [outcomes, *limits, *caches, intents]

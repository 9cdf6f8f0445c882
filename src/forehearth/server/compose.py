"""Puts the gateway together from settings: opened backends, resources with their deployments, onions and surfaces."""

import secrets
from collections.abc import Mapping

from forehearth.core.clock import SystemClock
from forehearth.core.ids import request_ids
from forehearth.core.settings import DeploymentSettings, ResourceSettings, Settings
from forehearth.gateway import Gateway, Parts, Resource
from forehearth.policies.onion import Proceed, compose
from forehearth.policies.usage import CountUsage
from forehearth.ports.identity import Identity
from forehearth.ports.meter import Meter
from forehearth.registry import PROVIDERS, Kind, Opened, Surroundings
from forehearth.routing.attempts import Attempts
from forehearth.routing.directory import Backend, Deployment, Directory
from forehearth.routing.resources import by_host
from forehearth.telemetry.metrics import Metrics
from forehearth.wire.surfaces import surface_of


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
    resources = {
        name: _resource(name, wanted, opened, metrics, created, is_default=name == settings.server.resource)
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
            new_id=request_ids(secrets.randbits(128)),
            max_body=settings.server.limits.body_bytes,
        )
    )


def all_resources(settings: Settings) -> dict[str, ResourceSettings]:
    """Every resource by its name; the default one is what stands at the top of the configuration."""
    default = ResourceSettings(deployments=settings.deployments, routes=settings.routes, projects=settings.projects)
    return {settings.server.resource: default, **settings.resources}


def _resource(
    name: str,
    wanted: ResourceSettings,
    opened: Mapping[str, Opened],
    metrics: Metrics,
    created: int,
    *,
    is_default: bool,
) -> Resource:
    label = "" if is_default else name
    deployments = {each: _deployment(each, label, settings, opened) for each, settings in wanted.deployments.items()}
    routes = {each: route.deployment for each, route in wanted.routes.items()}
    directory = Directory(deployments, routes, created=created)
    return Resource(
        name=name,
        surface_of=surface_of(directory, wanted.projects),
        directory=directory,
        onions={each: _onion(deployment, metrics) for each, deployment in deployments.items()},
    )


def _deployment(name: str, resource: str, wanted: DeploymentSettings, opened: Mapping[str, Opened]) -> Deployment:
    backends = tuple(
        Backend(
            name=place.backend,
            provider=opened[place.backend].provider,
            sender=opened[place.backend].sender,
            model=place.model or name,
            restarts=opened[place.backend].restarts,
        )
        for place in wanted.backends
    )
    return Deployment(name=name, facts=wanted.model, backends=backends, resource=resource)


def _onion(deployment: Deployment, meter: Meter) -> Proceed:
    return compose([CountUsage(deployment.label, meter)], Attempts(deployment, meter))

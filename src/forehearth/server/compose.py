"""Puts the gateway together from settings: opened backends, deployments, their onions, the surfaces."""

import secrets
from collections.abc import Mapping

from forehearth.core.clock import SystemClock
from forehearth.core.ids import request_ids
from forehearth.core.secret import Secret
from forehearth.core.settings import DeploymentSettings, Settings
from forehearth.gateway import Gateway, Parts
from forehearth.identity.keys import Keys
from forehearth.policies.onion import Proceed, compose
from forehearth.policies.usage import CountUsage
from forehearth.ports.meter import Meter
from forehearth.registry import PROVIDERS, Kind, Opened, Surroundings
from forehearth.routing.attempts import Attempts
from forehearth.routing.directory import Backend, Deployment, Directory
from forehearth.telemetry.metrics import Metrics
from forehearth.wire.surfaces import surface_of


def build_gateway(
    settings: Settings,
    around: Surroundings,
    *,
    key: Secret,
    metrics: Metrics,
    created: int,
    providers: Mapping[str, Kind] = PROVIDERS,
) -> Gateway:
    """The entrance to everything that `settings` names. `created` is when they were taken up, in Unix seconds."""
    kinds = {kind.settings: kind for kind in providers.values()}
    opened = {name: kinds[type(backend)].open(name, backend, around) for name, backend in settings.backends.items()}
    deployments = {name: _deployment(name, wanted, opened) for name, wanted in settings.deployments.items()}
    routes = {name: route.deployment for name, route in settings.routes.items()}
    directory = Directory(deployments, routes, created=created)
    return Gateway(
        Parts(
            surface_of=surface_of(directory),
            identity=Keys({"development": key}, pepper=secrets.token_bytes(32)),
            directory=directory,
            onions={name: _onion(deployment, metrics) for name, deployment in deployments.items()},
            meter=metrics,
            traffic=metrics,
            clock=SystemClock(),
            new_id=request_ids(secrets.randbits(128)),
            max_body=settings.server.limits.body_bytes,
        )
    )


def _deployment(name: str, wanted: DeploymentSettings, opened: Mapping[str, Opened]) -> Deployment:
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
    return Deployment(name=name, facts=wanted.model, backends=backends)


def _onion(deployment: Deployment, meter: Meter) -> Proceed:
    return compose([CountUsage(deployment.name, meter)], Attempts(deployment, meter))

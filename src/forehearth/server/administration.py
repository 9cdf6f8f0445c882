"""What operators do, put together: in a worker, behind `/admin`, and for commands that work in a data directory."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

from starlette.requests import Request

from forehearth.admin.audit import Audit
from forehearth.admin.key_scope import Tenant
from forehearth.admin.keys import Keys, KeyTools
from forehearth.admin.office import Office
from forehearth.config.loader import load, locate
from forehearth.core.clock import Clock, SystemClock
from forehearth.core.errors import PathNotFound
from forehearth.core.exchange import Head
from forehearth.core.principal import Principal
from forehearth.core.settings import Settings
from forehearth.identity.key_watch import KeyWatch
from forehearth.ports.identity import Identity
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.routing.resources import by_host
from forehearth.server.compose import all_resources
from forehearth.server.context import WorkerContext
from forehearth.server.data_directory import locked, open_data_directory
from forehearth.server.identity import Identities
from forehearth.server.installation import pepper
from forehearth.server.stores import Stores, opened_stores
from forehearth.wire.admin import AdminPages, AdminRoute, Authorise

Spread = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def administered(
    context: WorkerContext, stores: Stores, identities: Identities, clock: Clock
) -> AsyncIterator[AdminRoute]:
    """`/admin` of a worker, whose keys are from now on those of the store."""
    settings = context.settings
    watch = KeyWatch(stores.documents, identities.keys, clock, context.metrics.keys_age)
    await watch.refresh()
    spread = partial(watch.spread, asyncio.sleep, others=settings.server.workers > 1)
    watching = asyncio.create_task(watch.run(asyncio.sleep))
    try:
        lost = context.metrics.audit_lost
        async with _office(settings, stores, pepper(context.data), clock, spread, lost) as office:
            ports = {each.port for each in context.listeners if each.admin}
            authorise = _authorise(identities.callers, ports)
            resource_of = by_host(settings.server.resource, {name: name for name in settings.resources})
            yield AdminRoute(AdminPages(office), authorise, resource_of)
    finally:
        watching.cancel()


@contextlib.asynccontextmanager
async def open_admin(data_dir: Path, config: Path | None) -> AsyncIterator[Office]:
    """The same for a command, in a data directory that no server holds.

    Raises `Misconfigured` when one does, or when directory or configuration cannot be used.
    """
    data = open_data_directory(data_dir)
    settings = load(locate(config, Path.cwd()), providers=PROVIDER_SETTINGS, environ=os.environ)
    with locked(data):
        async with (
            opened_stores(data) as stores,
            _office(settings, stores, pepper(data), SystemClock(), _nobody_to_tell) as office,
        ):
            yield office


@contextlib.asynccontextmanager
async def _office(
    settings: Settings,
    stores: Stores,
    secret: bytes,
    clock: Clock,
    spread: Spread,
    lost: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[Office]:
    tools = KeyTools(clock=clock, random_bytes=secrets.token_bytes, pepper=secret, spread=spread)
    async with Audit(stores.audit, clock, kept_days=settings.audit.kept_days, lost=lost) as audit:
        yield Office(
            keys=Keys(stores.documents, tools),
            audit=audit,
            tenants=_tenants(settings),
            default=settings.server.resource,
            clock=clock,
        )


def _tenants(settings: Settings) -> dict[str, Tenant]:
    return {
        name: Tenant(
            deployments=frozenset(resource.deployments),
            routes={route: wanted.deployment for route, wanted in resource.routes.items()},
            projects=frozenset({"default", *resource.projects}),
        )
        for name, resource in all_resources(settings).items()
    }


def _authorise(identity: Identity, ports: set[int]) -> Authorise:
    """Who sends a request to `/admin`. Where it has ports of its own, no other has it."""

    async def authorise(request: Request, resource: str) -> Principal:
        scope = request.scope
        if ports and scope["server"][1] not in ports:
            raise PathNotFound("Resource not found.")
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers[name] = headers[name] + b", " + value if name in headers else value
        client = scope.get("client")
        head = Head(
            method=scope["method"].encode(),
            raw_path=scope["raw_path"],
            query=scope["query_string"],
            headers=headers,
            scheme=scope["scheme"],
            client=client[0] if client else "",
        )
        found = identity.identify(head, resource, keys=True)
        return found if isinstance(found, Principal) else await found

    return authorise


async def _nobody_to_tell() -> None:
    """No server runs, so nobody knows other keys."""

"""What operators do, put together, and `/admin` of a worker."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from starlette.requests import Request

from forehearth.admin.audit import Audit
from forehearth.admin.key_scope import Tenant
from forehearth.admin.keys import Keys, KeyTools
from forehearth.admin.office import Office
from forehearth.core.clock import Clock
from forehearth.core.errors import PathNotFound
from forehearth.core.exchange import Head
from forehearth.core.principal import Principal
from forehearth.core.settings import Settings
from forehearth.identity.key_watch import KeyWatch
from forehearth.ports.identity import Identity
from forehearth.routing.resources import by_host
from forehearth.server.compose import all_resources
from forehearth.server.context import WorkerContext
from forehearth.server.identity import Identities
from forehearth.server.installation import pepper
from forehearth.server.stores import Stores
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
        async with opened_office(settings, stores, pepper(context.data), clock, spread, lost) as office:
            ports = {each.port for each in context.listeners if each.admin}
            authorise = _authorise(identities.callers, ports)
            resource_of = by_host(settings.server.resource, {name: name for name in settings.resources})
            yield AdminRoute(AdminPages(office), authorise, resource_of)
    finally:
        watching.cancel()


@contextlib.asynccontextmanager
async def opened_office(
    settings: Settings,
    stores: Stores,
    secret: bytes,
    clock: Clock,
    spread: Spread,
    lost: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[Office]:
    """Where operators' wishes go. `secret` is the pepper; `spread` returns when everybody knows of a change."""
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

"""What operators do, put together, and `/admin` of a worker."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from starlette.requests import Request

from forehearth.admin.audit import Audit
from forehearth.admin.backends import Backends
from forehearth.admin.cache import CacheOffice
from forehearth.admin.enrichments import Enrichments
from forehearth.admin.key_scope import Tenant
from forehearth.admin.keys import Keys, KeyTools
from forehearth.admin.office import Office
from forehearth.admin.role_assignments import RoleAssignments, RoleTools
from forehearth.admin.runs import Runs
from forehearth.core.clock import Clock
from forehearth.core.errors import PathNotFound
from forehearth.core.exchange import Head
from forehearth.core.principal import Principal
from forehearth.core.settings import Settings
from forehearth.documents.watch import Watch
from forehearth.identity.assignment_records import AssignmentRecord
from forehearth.identity.stored import WHAT, StoredIdentities
from forehearth.ports.identity import Identity
from forehearth.routing.resources import by_host
from forehearth.routing.states import Pools
from forehearth.server.connections import made_connections
from forehearth.server.context import WorkerContext
from forehearth.server.identity import Identities, holders
from forehearth.server.ledger import Ledger
from forehearth.server.run_kinds import RUN_KINDS
from forehearth.server.stores import Stores
from forehearth.server.tenants import all_resources
from forehearth.wire.admin import AdminPages, AdminRoute, Authorise

Spread = Callable[[], Awaitable[None]]


class Inside(NamedTuple):
    """What a working server has besides its stores."""

    pools: Pools
    caches: CacheOffice
    ledger: Ledger | None
    enrichments: Enrichments


@contextlib.asynccontextmanager
async def administered(
    context: WorkerContext,
    stores: Stores,
    identities: Identities,
    clock: Clock,
    inside: Inside,
) -> AsyncIterator[AdminRoute]:
    """`/admin` of a worker, whose keys are from now on those of the store."""
    settings = context.settings
    stored = StoredIdentities(identities.keys, identities.assignments, identities.callers.forget)
    watch = Watch(stores.documents, stored.followed, clock, what=WHAT, told=context.metrics.keys_age)
    await watch.refresh()
    others = settings.server.workers > 1 or settings.store.postgres is not None
    spread = partial(watch.spread, asyncio.sleep, others=others)
    watching = asyncio.create_task(watch.run(asyncio.sleep))
    try:
        metrics, configured = context.metrics, identities.assignments.configured
        async with (
            opened_office(settings, stores, clock, spread, configured, metrics.audit_lost) as office,
            identities.refusals.recorded_in(office.audit, metrics.refusals_unrecorded),
            identities.disclosures.recorded_in(office.audit),
            identities.changes.recorded_in(office.audit),
        ):
            ports = {each.port for each in context.listeners if each.admin}
            authorise = _authorise(identities.callers, ports)
            resource_of = by_host(settings.server.resource, {name: name for name in settings.resources})
            backends = Backends(states=inside.pools.states, worker=context.index, workers=settings.server.workers)
            ledger = None if inside.ledger is None else inside.ledger.office
            whole = msgspec.structs.replace(
                office, backends=backends, caches=inside.caches, ledger=ledger, enrichments=inside.enrichments
            )
            yield AdminRoute(AdminPages(whole), authorise, resource_of, identities.refusals)
    finally:
        watching.cancel()


@contextlib.asynccontextmanager
async def opened_office(
    settings: Settings,
    stores: Stores,
    clock: Clock,
    spread: Spread,
    configured: Sequence[AssignmentRecord],
    lost: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[Office]:
    """Where operators' wishes go. `spread` returns when everybody knows of a change.

    `configured` are the role assignments that are not made here.
    """
    tools = KeyTools(clock=clock, random_bytes=secrets.token_bytes, pepper=stores.pepper, spread=spread)
    async with Audit(stores.audit, clock, kept_days=settings.audit.kept_days, lost=lost) as audit:
        keys = Keys(stores.documents, tools)
        role_tools = RoleTools(clock=clock, spread=spread, holders=holders(settings), configured=configured)
        yield Office(
            keys=keys,
            roles=RoleAssignments(stores.documents, keys, role_tools),
            audit=audit,
            connections=made_connections(settings, stores, clock),
            runs=Runs(stores.documents, stores.jobs, RUN_KINDS, clock),
            tenants=_tenants(settings),
            default=settings.server.resource,
            clock=clock,
        )


def _tenants(settings: Settings) -> dict[str, Tenant]:
    return {
        name: Tenant(
            deployments=frozenset(resource.deployments),
            routes={route: wanted.chain[0] for route, wanted in resource.routes.items()},
            projects=frozenset({"default", *resource.projects}),
            products=frozenset(resource.products),
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

"""What a worker opens and serves with: the HTTP client, the gateway, the pages beside it, the listeners."""

import asyncio
import contextlib
import gc
import secrets
from collections.abc import Sequence

from starlette.routing import BaseRoute

from forehearth.core.clock import SystemClock
from forehearth.core.ids import request_ids
from forehearth.core.settings import Settings
from forehearth.egress.client import GuardedClient
from forehearth.gateway.arrival import Gateway
from forehearth.http.server import HttpServer, Listener
from forehearth.identity.development.issuer import DevelopmentIssuer
from forehearth.policies.drains import Drains
from forehearth.registry import Surroundings
from forehearth.server import describing
from forehearth.server.administration import Inside, administered
from forehearth.server.app import create_app
from forehearth.server.blobs import opened_blobs
from forehearth.server.caching import opened_caches
from forehearth.server.compose import build_gateway
from forehearth.server.connections import made_connections
from forehearth.server.context import WorkerContext
from forehearth.server.counters import opened_leases
from forehearth.server.development import open_development_issuer
from forehearth.server.encryption_keys import written_keys
from forehearth.server.enriching import enriched
from forehearth.server.families import families
from forehearth.server.fetching import Fetching
from forehearth.server.identity import build_identities
from forehearth.server.installation import written
from forehearth.server.ledger import opened_ledger
from forehearth.server.reach import reached
from forehearth.server.spooling import opened_spool
from forehearth.server.stores import awaited_stores
from forehearth.server.sweeping import swept
from forehearth.server.turns import SharedTurns
from forehearth.server.working import Workshop
from forehearth.stored_completions.keeping import Keeping
from forehearth.stored_completions.service import StoredCompletions
from forehearth.transport.client import HttpClient
from forehearth.transport.token_keeper import TokenKeepers
from forehearth.wire.api_management import as_api_management
from forehearth.wire.connections import rows as connection_rows
from forehearth.wire.development_issuer import routes as issuer_routes
from forehearth.wire.recorded import recorded


async def run_worker(context: WorkerContext) -> None:
    """Serve until the context's shutdown is over."""
    settings, clock = context.settings, SystemClock()
    async with (
        awaited_stores(settings.store, context.data, clock, context.shutdown.begun) as stores,
        swept(stores, clock) if context.index == 0 else contextlib.nullcontext(),
        opened_blobs(context, stores, clock) as blobs,
        opened_spool(context) as spool,
        HttpClient() as client,
        GuardedClient(settings.egress, clock=clock) as egress,
        TokenKeepers() as keepers,
        opened_leases(settings, context.data, clock, context.index) as leases,
        opened_ledger(context, clock) as ledger,
        Drains() as drains,
    ):
        context.conceal(*written(stores.pepper), *written_keys(context.data))
        context.metrics.watch_connections(lambda: client.counters.connections_opened)
        issuer = open_development_issuer(context, clock)
        fetch, turns = Fetching(client, context.environ), SharedTurns(context.data.run)
        identities = build_identities(
            settings, issuer=issuer, key=context.key, pepper=stores.pepper, fetch=fetch, turns=turns, clock=clock
        )
        workshop, connections = Workshop(), made_connections(settings, stores, clock)
        made = families(
            stores,
            clock,
            connection_rows(connections, identities.disclosures),
            workshop,
            reach=reached(connections, stores.pepper, blobs=blobs, spool=spool, egress=egress),
            upload_bytes=settings.server.limits.upload_bytes,
        )
        around = Surroundings(
            http=client,
            environ=context.environ,
            embedded_socket=context.embedded_socket,
            tokens=keepers,
            leases=leases,
            drains=drains,
            refusals=identities.refusals,
            writing=None if ledger is None else ledger.writing,
            keep=Keeping(StoredCompletions(stores.documents, clock=clock)),
            families=recorded(made, identities.changes),
            is_cutting=context.shutdown.overdue.is_set,
        )
        gateway = build_gateway(
            settings, around, identity=identities.callers, metrics=context.metrics, created=int(clock.unix())
        )
        _watch(context, around)
        await keepers.begin()
        try:
            async with (
                opened_caches(context, stores, clock, around.caches) as caches,
                enriched(context, stores, clock) as jobs,
                administered(context, stores, identities, clock, Inside(around.pools, caches, ledger, jobs)) as admin,
                workshop.open(stores.jobs, clock),
            ):
                await _serve(context, gateway, [*_issuing(issuer, settings), *_describing(context), admin])
        finally:
            await identities.tokens.aclose()


def _watch(context: WorkerContext, around: Surroundings) -> None:
    context.metrics.watch_backends(around.pools.states)
    context.metrics.watch_caches(around.caches.states)


def _issuing(issuer: DevelopmentIssuer | None, settings: Settings) -> Sequence[BaseRoute]:
    return issuer_routes(issuer, settings.server.tls.names) if issuer is not None else ()


def _describing(context: WorkerContext) -> Sequence[BaseRoute]:
    return describing.routes([each.port for each in context.listeners if each.admin])


async def _serve(context: WorkerContext, gateway: Gateway, routes: Sequence[BaseRoute]) -> None:
    settings = context.settings.server
    pages = create_app(
        health=context.health,
        metrics=context.metrics_page,
        new_id=request_ids(secrets.randbits(128), SystemClock()),
        routes=routes,
    )
    entrance = as_api_management(gateway, settings.prefixes, settings.subscription_key)
    server = HttpServer(
        entrance,
        pages,
        limits=settings.limits,
        grace_seconds=settings.grace_seconds,
        on_drain=context.turn_away,
    )
    listeners = [Listener(socket=each.socket, tls=context.tls if each.tls else None) for each in context.listeners]
    cut = asyncio.create_task(_cut_when_overdue(context, server))
    announced = asyncio.create_task(_announce_when_started(context, server))
    try:
        await server.serve(listeners, context.shutdown.closing)
    finally:
        cut.cancel()
        announced.cancel()


async def _cut_when_overdue(context: WorkerContext, server: HttpServer) -> None:
    await context.shutdown.overdue.wait()
    server.stop_now()


async def _announce_when_started(context: WorkerContext, server: HttpServer) -> None:
    await server.started.wait()
    settle()
    context.ready()


def settle() -> None:
    """Have the collector of garbage look no more at what is there now, and stays.

    Each of its full rounds holds up all calls of the worker, by some tens of milliseconds for these objects alone.
    """
    gc.collect()
    gc.freeze()

"""What a worker opens and serves with: the HTTP client, the gateway, the pages beside it, the listeners."""

import asyncio
import secrets
from collections.abc import Sequence

from starlette.routing import BaseRoute

from forehearth.core.clock import SystemClock
from forehearth.core.ids import request_ids
from forehearth.gateway import Gateway
from forehearth.http.server import HttpServer, Listener
from forehearth.registry import Surroundings
from forehearth.server.administration import administered
from forehearth.server.app import create_app
from forehearth.server.compose import build_gateway
from forehearth.server.context import WorkerContext
from forehearth.server.development import open_development_issuer
from forehearth.server.fetching import Fetching
from forehearth.server.identity import build_identities
from forehearth.server.installation import pepper
from forehearth.server.stores import opened_stores
from forehearth.transport.client import HttpClient
from forehearth.transport.token_keeper import TokenKeepers
from forehearth.wire.development_issuer import routes as issuer_routes


async def run_worker(context: WorkerContext) -> None:
    """Serve until the context's shutdown is over."""
    settings, clock = context.settings, SystemClock()
    async with HttpClient() as client, TokenKeepers() as keepers, opened_stores(context.data) as stores:
        context.metrics.watch_connections(lambda: client.counters.connections_opened)
        around = Surroundings(
            http=client, environ=context.environ, embedded_socket=context.embedded_socket, tokens=keepers
        )
        issuer = open_development_issuer(context, clock)
        identities = build_identities(
            settings,
            issuer=issuer,
            key=context.key,
            pepper=pepper(context.data),
            fetch=Fetching(client, context.environ),
            clock=clock,
        )
        gateway = build_gateway(
            settings, around, identity=identities.callers, metrics=context.metrics, created=int(clock.unix())
        )
        await keepers.begin()
        try:
            async with administered(context, stores, identities, clock) as admin:
                own = issuer_routes(issuer, settings.server.tls.names) if issuer is not None else []
                await _serve(context, gateway, [*own, admin])
        finally:
            await identities.tokens.aclose()


async def _serve(context: WorkerContext, gateway: Gateway, routes: Sequence[BaseRoute]) -> None:
    settings = context.settings.server
    pages = create_app(
        health=context.health,
        metrics=context.metrics_page,
        new_id=request_ids(secrets.randbits(128)),
        routes=routes,
    )
    server = HttpServer(gateway, pages, limits=settings.limits, grace_seconds=settings.grace_seconds)
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
    context.ready()

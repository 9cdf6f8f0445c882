"""What a worker opens and serves with: the HTTP client, the gateway, the pages beside it, the listeners."""

import asyncio
import secrets

from forehearth.core.clock import SystemClock
from forehearth.core.ids import request_ids
from forehearth.http.server import HttpServer, Listener
from forehearth.registry import Surroundings
from forehearth.server.app import create_app
from forehearth.server.compose import build_gateway
from forehearth.server.context import WorkerContext
from forehearth.server.development import open_development_issuer
from forehearth.server.fetching import Fetching
from forehearth.server.identity import build_identities
from forehearth.server.installation import pepper
from forehearth.transport.client import HttpClient
from forehearth.transport.token_keeper import TokenKeepers
from forehearth.wire.development_issuer import routes as issuer_routes


async def run_worker(context: WorkerContext) -> None:
    """Serve until the context's shutdown is over."""
    settings = context.settings
    async with HttpClient() as client, TokenKeepers() as keepers:
        context.metrics.watch_connections(lambda: client.counters.connections_opened)
        around = Surroundings(
            http=client, environ=context.environ, embedded_socket=context.embedded_socket, tokens=keepers
        )
        clock = SystemClock()
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
        pages = create_app(
            health=context.health,
            metrics=context.metrics_page,
            new_id=request_ids(secrets.randbits(128)),
            routes=issuer_routes(issuer, settings.server.tls.names) if issuer is not None else (),
        )
        server = HttpServer(gateway, pages, limits=settings.server.limits, grace_seconds=settings.server.grace_seconds)
        listeners = [Listener(socket=each.socket, tls=context.tls if each.tls else None) for each in context.listeners]
        cut = asyncio.create_task(_cut_when_overdue(context, server))
        announced = asyncio.create_task(_announce_when_started(context, server))
        try:
            await server.serve(listeners, context.shutdown.closing)
        finally:
            cut.cancel()
            announced.cancel()
            await identities.tokens.aclose()


async def _cut_when_overdue(context: WorkerContext, server: HttpServer) -> None:
    await context.shutdown.overdue.wait()
    server.stop_now()


async def _announce_when_started(context: WorkerContext, server: HttpServer) -> None:
    await server.started.wait()
    context.ready()

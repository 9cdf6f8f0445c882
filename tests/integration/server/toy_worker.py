"""A worker of the real kind whose door is a toy: what a call does is written in its path."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator

import msgspec

from forehearth.core.errors import Misconfigured, Refused
from forehearth.core.exchange import Head, Reply
from forehearth.core.secret import Secret
from forehearth.http.server import HttpServer, Listener
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.app import create_app
from forehearth.server.context import WorkerContext
from forehearth.server.worker_process import work
from forehearth.telemetry.metrics import Metrics

CONCEALED = "toy-w0rds-of-the-worker"
log = logging.getLogger("forehearth.toy")


class Toy(msgspec.Struct, frozen=True):
    """Both door and admission: `/pid`, `/key`, `/slow/SECONDS`, `/stream/EVENTS/SECONDS_BETWEEN`, `/exit/STATUS`."""

    metrics: Metrics
    key: str
    path: list[str] = []
    max_body: int = 1000
    streamed: None = None

    def accept(self, head: Head) -> "Toy | None":
        path = head.raw_path.decode().strip("/").split("/")
        return Toy(self.metrics, self.key, path) if path[0] in {"pid", "key", "slow", "stream", "exit"} else None

    async def answer(self, _: bytes) -> Reply:
        self.metrics.request("toy", self.path[0], "", 200, 0.001)
        match self.path:
            case ["slow", seconds]:
                await asyncio.sleep(float(seconds))
            case ["stream", events, between]:
                return Reply(
                    status=200,
                    headers=[(b"content-type", b"text/event-stream")],
                    stream=stream(int(events), float(between)),
                )
            case ["exit", status]:
                os._exit(int(status))
            case ["key"]:
                return Reply(status=200, body=self.key.encode())
        return Reply(status=200, body=str(os.getpid()).encode())

    def refuse(self, _: Refused) -> Reply:
        return Reply(status=400)


async def stream(events: int, between: float) -> AsyncGenerator[bytes, None]:
    for number in range(events):
        yield f"data: {number}\n\n".encode()
        await asyncio.sleep(between)


async def run_worker(context: WorkerContext) -> None:
    if context.settings.server.resource == "cannot-start":
        raise Misconfigured("this worker was told not to start")
    context.conceal(Secret(CONCEALED))
    log.warning("this worker says %s", CONCEALED)
    server = HttpServer(
        Toy(context.metrics, context.key.reveal()),
        create_app(health=context.health, metrics=context.metrics_page, new_id=lambda: "id"),
        on_drain=context.turn_away,
    )
    listeners = [Listener(socket=each.socket, tls=context.tls if each.tls else None) for each in context.listeners]
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(listeners, context.shutdown.closing))
        others = [tasks.create_task(tell(server, context)), tasks.create_task(cut(server, context))]
        await serving
        for each in others:
            each.cancel()


async def tell(server: HttpServer, context: WorkerContext) -> None:
    await server.started.wait()
    context.ready()


async def cut(server: HttpServer, context: WorkerContext) -> None:
    await context.shutdown.overdue.wait()
    server.stop_now()


if __name__ == "__main__":
    sys.exit(work(run_worker, PROVIDER_SETTINGS))

"""Thousands of streams that are open and say nothing: what each costs in memory, and whether all of it comes back."""

import asyncio
import resource

from bench.errors import MissingToolError
from bench.faults.figures import Outcome, Part, Stage, at_least, at_most
from bench.faults.hosts import until
from bench.faults.served import Program, Served, forehearth, program
from bench.faults.silent_host import EVENT

STREAMS = 10_000
MOST_KIB = 60
_AT_ONCE = 200
_SETTLE = 2.0
_GONE_WITHIN = 5.0
_BODY = b'{"model":"chat","stream":true,"messages":[{"role":"user","content":"wait"}]}'
_CONFIGURATION = """\
version: 1
server:
  tls_port: null
  workers: 2
  limits:
    connections: 20000
    connections_per_client: 20000
backends:
  host:
    provider: openai_compatible
    base_url: http://127.0.0.1:%d/v1
    connection:
      connections: 20000
      idle_seconds: 600
deployments:
  chat:
    backends:
      - backend: host
"""


async def measure(stage: Stage, *, streams: int = STREAMS) -> Outcome:
    """Open them, look, and leave."""
    streams = stage.count(streams, 200)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < streams + 1_000:
        raise MissingToolError(f"{streams:,} streams need as many open files; this system allows {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with (
        program("bench.faults.silent_host") as stub,
        forehearth(_CONFIGURATION.replace("%d", str(stub.port)), stage.folder) as server,
    ):
        warm = await _open(server, 200)  # what the first streams allocate stays for all of them
        await _leave(warm, stub)
        empty, files = server.rss_bytes(), server.descriptors()
        opened = await _open(server, streams)
        await asyncio.sleep(_SETTLE)
        each = (server.rss_bytes() - empty) / streams / 1024
        held = stub.connections()
        still = await _leave(opened, stub)
        await until(lambda: server.descriptors() <= files, _GONE_WITHIN)  # the ledger may have one open to read
        left = server.descriptors() - files
    gone = f"streams to the host still open {_GONE_WITHIN:g} s after the clients left"
    return Outcome(
        figures=[
            at_least("streams open at once, on two workers", held, streams),
            at_most("memory of the workers for each", each, MOST_KIB, "KiB", digits=1),
            at_most(gone, still, 0),
            at_most("open files more than before", max(0, left), 0),
        ]
    )


async def _open(server: Served, count: int) -> list[asyncio.StreamWriter]:
    gate = asyncio.Semaphore(_AT_ONCE)
    request = server.request(_BODY)

    async def one() -> asyncio.StreamWriter:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request)
            await reader.readuntil(EVENT)
            return writer

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def _leave(opened: list[asyncio.StreamWriter], stub: Program) -> int:
    """All clients leave; how many streams to the host are open when that should have been noticed."""
    for writer in opened:
        writer.transport.abort()
    await until(lambda: not stub.connections(), _GONE_WITHIN)
    return stub.connections()


PART = Part(
    title="Idle streams",
    done="10,000 streams are opened on two workers, say one event each and then nothing, until their clients leave.",
    measure=measure,
)

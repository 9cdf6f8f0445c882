"""Thousands of streams that are open and say nothing: what each costs in memory, and whether all of it comes back."""

import asyncio
import resource
from pathlib import Path

from bench.errors import MissingToolError
from bench.faults.figures import Figure
from bench.faults.served import Program, Served, forehearth, program
from bench.faults.silent_host import EVENT

PART = "Idle streams"
STREAMS = 10_000
MOST_KIB = 60
_AT_ONCE = 200
_SETTLE = 2.0
_GONE_WITHIN = 5.0
_LOOK = 0.1
_BODY = b'{"model":"chat","stream":true,"messages":[{"role":"user","content":"wait"}]}'
_CONFIGURATION = """\
version: 1
server:
  port: {port}
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


async def measure(work: Path, *, streams: int = STREAMS) -> list[Figure]:
    """Open them, look, and leave."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < streams + 1_000:
        raise MissingToolError(f"{streams:,} streams need as many open files; this system allows {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with (
        program("bench.faults.silent_host") as stub,
        forehearth(_CONFIGURATION.replace("%d", str(stub.port)), work) as server,
    ):
        warm = await _open(server, 200)  # what the first streams allocate stays for all of them
        await _leave(warm, stub)
        empty, files = server.rss_bytes(), server.descriptors()
        opened = await _open(server, streams)
        await asyncio.sleep(_SETTLE)
        each = (server.rss_bytes() - empty) / streams / 1024
        held = stub.connections()
        still = await _leave(opened, stub)
        left = server.descriptors() - files
    return [
        Figure(
            part=PART,
            what="streams open at once, on two workers",
            found=f"{held:,}",
            bound=f"{streams:,}",
            reached=held == streams,
        ),
        Figure(
            part=PART,
            what="memory of the workers for each",
            found=f"{each:.1f} KiB",
            bound=f"{MOST_KIB} KiB",
            reached=each <= MOST_KIB,
        ),
        Figure(
            part=PART,
            what=f"streams to the host still open {_GONE_WITHIN:g} s after the clients left",
            found=str(still),
            bound="0",
            reached=still == 0,
        ),
        Figure(part=PART, what="open files more than before", found=str(max(0, left)), bound="0", reached=left <= 0),
    ]


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
    for _ in range(int(_GONE_WITHIN / _LOOK)):
        if not stub.connections():
            break
        await asyncio.sleep(_LOOK)
    return stub.connections()

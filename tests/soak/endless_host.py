"""A model host whose streams have no end, as a process of its own: `python -m tests.soak.endless_host`.

It prints its port, and ends with its standard input. Its last line is JSON: for each of its callers, how many seconds
passed from the first piece that nobody took until the gateway gave the call up.
"""

import asyncio
import json
import socket
import sys
import time

from forehearth.testing.raw_upstream import Peer, RawUpstream
from tests.soak.faults import OPEN, chunk, event

PIECE = chunk(event("x" * 64_000))
EVERY = 0.1
"""Seconds between pieces: a host that writes as fast as it can would be what slows the gateway down."""
BUFFER = 16_384
"""Bytes that the kernel keeps for a caller here: so that a piece is not taken soon after the gateway takes no more."""


async def serve() -> list[float]:
    stalled: list[float] = []

    async def endless(peer: Peer) -> None:
        if not await peer.request():
            return
        peer._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        await peer.send(OPEN)
        gone = asyncio.ensure_future(peer.closed())
        while not gone.done():
            asked = time.monotonic()
            await peer.send(PIECE)
            await asyncio.wait({gone}, timeout=EVERY)
        stalled.append(time.monotonic() - asked)

    async with RawUpstream(endless) as host:
        sys.stdout.write(f"{host.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    return stalled


def main() -> None:
    sys.stdout.write(json.dumps(asyncio.run(serve())) + "\n")


if __name__ == "__main__":
    main()

"""A model host whose streams have no end, as a process of its own: `python -m tests.soak.endless_host`.

It prints its port, and ends with its standard input; its last line is how many seconds each of its callers lasted, as
JSON: how long the gateway held on to a client that does not read.
"""

import asyncio
import json
import sys
import time

from forehearth.testing.raw_upstream import Peer, RawUpstream
from tests.soak.faults import OPEN, chunk, event

PIECE = chunk(event("x" * 8_000))


async def serve() -> list[float]:
    lasted: list[float] = []

    async def endless(peer: Peer) -> None:
        if not await peer.request():
            return
        began = time.monotonic()
        await peer.send(OPEN)
        gone = asyncio.ensure_future(peer.closed())
        while not gone.done():
            await peer.send(PIECE)
            await asyncio.sleep(0)
        lasted.append(time.monotonic() - began)

    async with RawUpstream(endless) as host:
        sys.stdout.write(f"{host.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    return lasted


def main() -> None:
    sys.stdout.write(json.dumps(asyncio.run(serve())) + "\n")


if __name__ == "__main__":
    main()

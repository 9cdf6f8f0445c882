"""A model host as a process of its own, on a Unix socket: `python -m … SOCKET GGUF`. Says when it listens."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

from forehearth.embedded.catalogue import gguf_source
from forehearth.embedded.host import HostLimits, open_host
from forehearth.http.server import HttpServer, Listener


async def nothing_else(*_: Any) -> None:
    raise NotImplementedError


async def serve(path: str, model: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    async with open_host({"own": gguf_source(model)}, HostLimits(slots=1)) as host:
        await host.preload()
        server = HttpServer(host, nothing_else)
        serving = asyncio.create_task(server.serve([Listener(socket=listening)], asyncio.Event()))
        await server.started.wait()
        print("ready", flush=True)  # noqa: T201 - the test reads it
        await serving


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))

"""A listener on every address of the machine, which counts who reaches it."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest


class Listener:
    """Answers 200 to everything, on one port of all addresses of both families."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.heads: list[bytes] = []
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer.replace(b"PORT", str(self.port).encode()))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _listen() -> tuple[Listener, asyncio.Server]:
    six = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    listener = Listener(six.getsockname()[1])
    return listener, await asyncio.start_server(listener.serve, sock=six)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    made, server = await _listen()
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
async def other() -> AsyncIterator[Listener]:
    made, server = await _listen()
    yield made
    server.close()
    await server.wait_closed()

"""A line to a PostgreSQL server that a test cuts: what goes through it, and what is lost on the way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class Line:
    """Carries bytes between a port and the server's socket. Made by `line_to`."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.passes_answers = True
        """Whether what the server says arrives. What it is told always does."""
        self.opened = 0

    def cut(self) -> None:
        """End every connection, as a network does that went away."""
        for end in self._ends:
            end.transport.abort()

    async def carry(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        self.opened += 1
        there, onward = await asyncio.open_unix_connection(self._socket)
        self._ends |= {back, onward}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._copy(here, onward, asks=True))
                both.create_task(self._copy(there, back, asks=False))
        except* OSError:
            pass  # the other side has ended it
        finally:
            self._ends -= {back, onward}
            for end in (back, onward):
                end.close()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, asks: bool) -> None:
        while data := await source.read(65_536):
            if asks or self.passes_answers:
                target.write(data)
                await target.drain()
        target.close()


@contextlib.asynccontextmanager
async def line_to(socket: Path) -> AsyncIterator[Line]:
    """A line from a free port of this machine to a Unix socket."""
    line = Line(socket)
    async with await asyncio.start_server(line.carry, "127.0.0.1", 0) as server:
        line.port = server.sockets[0].getsockname()[1]
        yield line
        line.cut()

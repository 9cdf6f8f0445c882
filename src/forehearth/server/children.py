"""A process that the parent started: ordered and heard over one socket, which is also how each notices the other's end.

The socket is the child's standard input. The first line is its order (settings, so that no secret is in its arguments
or its environment), the rest are messages. When the parent is gone, however it went, the child reads the end of it.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence

from forehearth.server.messages import Message, Upward, from_child, line

LINE_LIMIT = 1024 * 1024


def module_command(module: str) -> tuple[str, ...]:
    """The command that runs a module of ours. `-P`: nothing in the current folder is mistaken for a module."""
    return (sys.executable, "-P", "-m", module)


class Child:
    """One running child. Make it with `started`, give it its `order`, then await `ended`."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._ordered = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def order(self, order: bytes) -> None:
        """Tell it what it was started for, in one line."""
        self._ordered = True
        self._writer.write(order + b"\n")

    def tell(self, message: Message) -> None:
        """Send it a message. One that has no order yet is ended: it would take the message for it."""
        if not self._ordered:
            self.kill()
        elif not self._writer.is_closing():
            self._writer.write(line(message))

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self, heard: Callable[[Upward], None]) -> int:
        """Pass on what it says until it ends; return its exit status, negative for a signal."""
        with contextlib.suppress(ConnectionError, ValueError):
            while received := await self._reader.readline():
                heard(from_child(received))
        return await self._process.wait()

    async def see_out(self) -> None:
        """End it if it still runs, and give back what it took."""
        self.kill()
        await self._process.wait()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def started(command: Sequence[str], descriptors: Sequence[int] = ()) -> AsyncIterator[Child]:
    """A child that runs `command` and has `descriptors` under the same numbers; it does not outlive the context."""
    ours, theirs = socket.socketpair()
    # Ctrl-C reaches the whole foreground group. The parent alone decides what it means, so children begin with it
    # blocked (a mask survives exec) and ignore it once they run.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with theirs:
            process = await asyncio.create_subprocess_exec(*command, stdin=theirs.fileno(), pass_fds=descriptors)
    except BaseException:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    child = Child(process, *await asyncio.open_connection(sock=ours, limit=LINE_LIMIT))
    try:
        yield child
    finally:
        await child.see_out()

"""The model host's place: a socket that is always there, and behind it at most one host, started by the first call.

While no host may run (its weights are not there, or it died several times in a row) calls are answered 503 with
`retry-after` here, so that none of them hangs.
"""

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from forehearth.core.clock import Clock
from forehearth.server.backoff import Backoff
from forehearth.server.children import Child, started
from forehearth.server.messages import Ready, Stop, Trouble, Upward
from forehearth.server.workers import ending

log = logging.getLogger("forehearth.server")

WEIGHTS_RETRY_SECONDS = 5.0
"""What calls are told to wait while the weights are fetched."""

HEAD_SECONDS = 5.0
LINGER_SECONDS = 2.0
"""How long a refused call may take to send what it was sending; closing earlier could reset the answer away."""

CHUNK = 65_536


class Activation:
    """Run `run()` as a task; cancelling it ends the host at once."""

    def __init__(
        self,
        command: Sequence[str],
        order: bytes,
        listener: socket.socket,
        *,
        clock: Clock,
        counted: Callable[[], None],
        troubled: Callable[[str], None],
    ) -> None:
        """`order` is told to every host, which inherits `listener`; `counted` is called whenever one was started.

        `troubled` is told why a host could not do what it was started for.
        """
        self._command = command
        self._order = order
        self._listener = listener
        self._clock = clock
        self._counted = counted
        self._troubled = troubled
        self._host: Child | None = None
        self._stopping = False
        self._trouble = ""
        self.allowed = asyncio.Event()
        """A host may be started: what it needs is there."""
        self.loaded = asyncio.Event()
        """A host has told that it has what it was to load."""

    async def run(self, *, preload: bool) -> None:
        """Start a host when a call comes, or at once when `preload`, and another one when it dies."""
        async with asyncio.TaskGroup() as answers:
            await self._refuse_until(self.allowed.wait(), lambda: WEIGHTS_RETRY_SECONDS, answers)
            backoff = Backoff()
            waits = not preload
            while not self._stopping:
                if waits:
                    await self._call()
                waits = True
                await self._hold(backoff, answers)

    def stop(self, grace: float) -> None:
        """Have the host end, and start none any more."""
        self._stopping = True
        if self._host is not None:
            self._host.tell(Stop(grace=grace))

    @property
    def pid(self) -> int | None:
        """The host's process id; None when none is running."""
        return self._host.pid if self._host is not None else None

    async def _hold(self, backoff: Backoff, answers: asyncio.TaskGroup) -> None:
        """One host's life, and the wait after it."""
        began = self._clock.monotonic()
        try:
            async with started(self._command, [self._listener.fileno()]) as host:
                self._host = host
                self._counted()
                log.info("the model host is started (process %d)", host.pid)
                host.order(self._order)
                status = await host.ended(self._heard)
        finally:
            self._host = None
        if self._stopping:
            return
        delay = backoff.after(self._clock.monotonic() - began)
        log.error(
            "the model host (process %d) ended by %s%s; %s the next call starts another one",
            host.pid,
            ending(status),
            f" ({self._trouble})" if self._trouble else "",
            f"after {delay:g} s" if delay else "from now on",
        )
        if self._trouble:
            self._troubled(self._trouble)
        self._trouble = ""
        if not delay:
            return
        again = self._clock.monotonic() + delay
        await self._refuse_until(asyncio.sleep(delay), lambda: again - self._clock.monotonic(), answers)

    def _heard(self, message: Upward) -> None:
        if isinstance(message, Ready):
            self.loaded.set()
        elif isinstance(message, Trouble):
            self._trouble = message.reason

    async def _call(self) -> None:
        """Wait until somebody connects. The connection stays in the queue, for the host to accept."""
        loop = asyncio.get_running_loop()
        called: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._listener, _settle, called)
        try:
            await called
        finally:
            loop.remove_reader(self._listener)

    async def _refuse_until(
        self, end: Awaitable[object], retry: Callable[[], float], answers: asyncio.TaskGroup
    ) -> None:
        """Answer every call that comes with 503, until `end` is over."""
        refusing = asyncio.ensure_future(self._refuse(retry, answers))
        try:
            await end
        finally:
            refusing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await refusing

    async def _refuse(self, retry: Callable[[], float], answers: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)  # the flag is shared with the host, which may have changed it
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            answers.create_task(_answer(connection, retry()))


async def _answer(connection: socket.socket, retry_after: float) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        async with asyncio.timeout(HEAD_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal(retry_after))
        writer.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            while await reader.read(CHUNK):
                pass
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _settle(called: asyncio.Future[None]) -> None:
    if not called.done():
        called.set_result(None)


def refusal(retry_after: float) -> bytes:
    """The whole answer to a call that no host can take now."""
    body = msgspec.json.encode(
        {
            "error": {
                "message": "The embedded models are not available yet. Try again shortly.",
                "type": "server_error",
                "param": None,
                "code": "backend_overloaded",
            }
        }
    )
    head = (
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
        f"retry-after: {max(1, math.ceil(retry_after))}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body

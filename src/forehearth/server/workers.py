"""The workers: as many processes as were asked for, each replaced when it dies, all accepting on the same sockets."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence

from forehearth.core.clock import Clock
from forehearth.core.errors import Misconfigured
from forehearth.server.backoff import Backoff
from forehearth.server.children import Child, started
from forehearth.server.messages import Ready, Stop, Trouble, Upward

log = logging.getLogger("forehearth.server")


class Workers:
    """Run `run()` to its end; it ends when `drain` or `kill` was called and every worker is gone."""

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        order: Callable[[int], Awaitable[bytes]],
        descriptors: Sequence[int],
        *,
        clock: Clock,
        counted: Callable[[], None],
    ) -> None:
        """`order` makes the order of each of `count` workers, which all inherit `descriptors`.

        `counted` is called whenever a process was started. A worker imports what it needs while its order is made.
        """
        self._command = command
        self._count = count
        self._order = order
        self._descriptors = descriptors
        self._clock = clock
        self._counted = counted
        self._running: dict[int, Child] = {}
        self._waiting = set(range(count))
        self._troubles: dict[int, str] = {}
        self._stop: Stop | None = None
        self._wake = asyncio.Event()
        self.ready = asyncio.Event()
        """Every worker has been ready once."""

    async def run(self) -> None:
        """Keep every worker running. Raises `Misconfigured` when one cannot start in the first place."""
        async with asyncio.TaskGroup() as tasks:
            for index in range(self._count):
                tasks.create_task(self._keep(index))

    def drain(self, grace: float) -> None:
        """Have every worker finish what is in flight, within `grace` seconds, and end; start none any more."""
        self._stop = Stop(grace=grace)
        self._wake.set()
        for child in self._running.values():
            child.tell(self._stop)

    def kill(self) -> None:
        """End every worker at once."""
        self._stop = self._stop or Stop(grace=0.0)
        self._wake.set()
        for child in self._running.values():
            child.kill()

    @property
    def _ends(self) -> bool:
        return self._stop is not None

    async def _keep(self, index: int) -> None:
        backoff = Backoff()
        while not self._ends:
            began = self._clock.monotonic()
            pid, status = await self._live(index)
            if self._stop is not None:
                return
            self._judge(index, status)
            delay = backoff.after(self._clock.monotonic() - began)
            log.warning(
                "worker %d (process %d) ended by %s: another one is started in %g s", index, pid, ending(status), delay
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), delay)

    async def _live(self, index: int) -> tuple[int, int]:
        """One worker from start to end: its process id and its exit status."""
        async with started(self._command, self._descriptors) as child:
            self._counted()
            self._running[index] = child
            try:
                child.order(await self._order(index))
                if self._stop is not None:
                    child.tell(self._stop)
                return child.pid, await child.ended(lambda message: self._heard(index, message))
            finally:
                del self._running[index]

    def _heard(self, index: int, message: Upward) -> None:
        if isinstance(message, Ready):
            self._waiting.discard(index)
            if not self._waiting:
                self.ready.set()
        elif isinstance(message, Trouble):
            self._troubles[index] = message.reason

    def _judge(self, index: int, status: int) -> None:
        """Stop the whole start when a worker ended before it was ever ready: the next one would do the same."""
        reason = self._troubles.pop(index, "")
        if index in self._waiting:
            raise Misconfigured(reason or f"worker {index} ended by {ending(status)} while it started")


def ending(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-status).name}"
    return f"signal {-status}"

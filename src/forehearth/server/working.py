"""The jobs that this process does: a worker, and what does a job of each kind at each resource."""

import contextlib
from collections.abc import AsyncIterator

from forehearth.core.clock import Clock
from forehearth.jobs.run import JobFailed, Run
from forehearth.jobs.worker import Handler, Worker
from forehearth.ports.jobs import JobStore


class Workshop:
    """Filled while the server is put together, and opened when it is complete."""

    def __init__(self) -> None:
        self._handlers: dict[str, dict[str, Handler]] = {}
        self._worker: Worker | None = None

    def add(self, kind: str, resource: str, handler: Handler) -> None:
        """Jobs of this kind at this resource are done by the handler."""
        self._handlers.setdefault(kind, {})[resource] = handler

    def nudge(self) -> None:
        """There is something to do. Before it is open nobody needs to know: an open one looks by itself."""
        if self._worker is not None:
            self._worker.nudge()

    @contextlib.asynccontextmanager
    async def open(self, store: JobStore, clock: Clock) -> AsyncIterator[None]:
        """Do jobs until the end."""
        handlers = {kind: _at_resources(found) for kind, found in self._handlers.items()}
        async with Worker(store, handlers, clock) as worker:
            self._worker = worker
            try:
                yield
            finally:
                self._worker = None


def _at_resources(handlers: dict[str, Handler]) -> Handler:
    async def done(run: Run) -> object:
        handler = handlers.get(run.job.place.resource)
        if handler is None:
            raise JobFailed("not_found", "The resource is not served any more.")
        return await handler(run)

    return done

"""A model that is loaded when it is first needed, in a thread, once; who goes away meanwhile does not stop that."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Generic, Literal, TypeVar

from forehearth.core.errors import Overloaded
from forehearth.embedded.slots import RETRY_AFTER

State = Literal["unloaded", "loading", "ready", "failed", "closed"]
Loaded = TypeVar("Loaded")


class Loading(Generic[Loaded]):
    """Holds what `load` returns. After a failure the next one who needs it tries again."""

    def __init__(
        self, load: Callable[[], Loaded], threads: Executor, fetch: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """`fetch` is awaited before `load` is called, where what it loads may not be on this machine yet."""
        self._load = load
        self._threads = threads
        self._fetch = fetch
        self._task: asyncio.Task[Loaded] | None = None
        self.state: State = "unloaded"

    async def get(self) -> Loaded:
        """What was loaded. Raises what `load` raises, and `Overloaded` after the end."""
        self.refuse_when_closed()
        if self._task is None or (self._task.done() and self.state == "failed"):
            self.state = "loading"
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(self._task)

    async def _run(self) -> Loaded:
        try:
            if self._fetch is not None:
                await self._fetch()
            loaded = await asyncio.get_running_loop().run_in_executor(self._threads, self._load)
        except BaseException:
            if self.state == "loading":
                self.state = "failed"
            raise
        if self.state == "loading":
            self.state = "ready"
        return loaded

    def refuse_when_closed(self) -> None:
        """Raise `Overloaded` once the end has begun."""
        if self.state == "closed":
            raise Overloaded("The model host is shutting down.", retry_after=RETRY_AFTER)

    async def close(self) -> Loaded | None:
        """Let nobody in any more; return what was loaded, once it is, for the caller to free."""
        self.state = "closed"
        if self._task is None:
            return None
        if self._fetch is not None and not self._task.done():
            self._task.cancel()
        await asyncio.wait({self._task})
        return None if self._task.cancelled() or self._task.exception() is not None else self._task.result()

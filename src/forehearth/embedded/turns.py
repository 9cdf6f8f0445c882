"""A model that does one call at a time: loaded when it is first asked, in a thread, and told to stop by an event."""

import asyncio
import functools
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

from forehearth.core.errors import Broken, Overloaded
from forehearth.embedded.loading import Loading, State
from forehearth.embedded.slots import Slots

Engine = TypeVar("Engine")
Made = TypeVar("Made")

FETCHING_SECONDS: Final = 60.0
"""How long a call waits for a model that is being fetched or loaded."""
FETCHING_RETRY: Final = 10.0


class Stopped(Broken):
    """The model was told to stop."""

    code = "stopped"


def check(stop: threading.Event) -> None:
    """Raise `Stopped` once `stop` is set."""
    if stop.is_set():
        raise Stopped("The model was told to stop.")


class Turn(Generic[Engine]):
    """One call's time with the engine."""

    def __init__(self, engine: Engine, threads: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._threads = threads
        self._work: asyncio.Future[Any] | None = None
        self.stop = threading.Event()

    async def run(self, work: Callable[[Engine, threading.Event], Made]) -> Made:
        """What `work` makes, in the engine's thread; it looks at the event now and then, and stops."""
        made = asyncio.get_running_loop().run_in_executor(self._threads, work, self._engine, self.stop)
        self._work = made
        return await asyncio.shield(made)

    def end(self, give_back: Callable[[], None]) -> None:
        """Have the work stop, and the place given back when it has."""
        self.stop.set()
        if self._work is None or self._work.done():
            give_back()
        else:
            self._work.add_done_callback(lambda _: give_back())


class Turns(Generic[Engine]):
    """The one place at an engine, and the line before it."""

    def __init__(
        self,
        load: Callable[[], Engine],
        most_waiting: int,
        *,
        name: str,
        fetch: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`load` runs in a thread of `name`; `fetch` comes before it, where the model may not be here yet."""
        self.slots = Slots(1, most_waiting)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._loading = Loading(load, self._threads, fetch)
        self._running: set[Turn[Engine]] = set()

    @property
    def state(self) -> State:
        """Whether the model is in memory."""
        return self._loading.state

    async def ready(self) -> Engine:
        """The loaded engine, fetched and loaded where nobody has.

        Raises `ModelUnusable` and `WeightsMissing`, and `Overloaded` where it takes long: what was begun goes on.
        """
        try:
            async with asyncio.timeout(FETCHING_SECONDS):
                return await self._loading.get()
        except TimeoutError as error:
            message = "This model is being fetched, as it was asked for the first time: try again shortly."
            raise Overloaded(message, retry_after=FETCHING_RETRY) from error

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[Turn[Engine], None]:
        """Wait for the engine. Whoever leaves, at any time, has its work stopped. Raises as `ready` does."""
        self.slots.refuse_when_full()
        with self.slots.arriving():
            engine = await self.ready()
        give_back = await self.slots.take()
        turn = Turn(engine, self._threads)
        self._running.add(turn)
        try:
            self._loading.refuse_when_closed()
            yield turn
        finally:
            self._running.discard(turn)
            turn.end(give_back)

    async def close(self) -> None:
        """Let nobody in any more, stop what runs, free the model."""
        loading = asyncio.create_task(self._loading.close())
        for turn in self._running:
            turn.stop.set()
        await loading
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, functools.partial(self._threads.shutdown, wait=True))

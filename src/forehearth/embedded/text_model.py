"""A chat model of the host: loaded when it is first asked, so many calls at once, freed at the end."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import msgspec

from forehearth.core.errors import Overloaded
from forehearth.embedded.catalogue import DEFAULT_CONTEXT, ModelSource
from forehearth.embedded.chat_engine import EngineSettings, LlamaEngine
from forehearth.embedded.generation import Engine, Generation, Operation, Piece
from forehearth.embedded.gguf import GgufHead, read_head
from forehearth.embedded.loading import Loading, State
from forehearth.embedded.slots import Slots

Load = Callable[[ModelSource, "TextLimits"], tuple[Engine, GgufHead]]
"""Loads a model; runs in a thread. Raises `ModelUnusable`."""


class TextLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the machine a chat model may take."""

    threads: int
    slots: int = 4
    """Calls at once."""
    most_waiting: int = 64
    """Calls in line behind them; one more is told to come back."""


def load_llama(source: ModelSource, limits: TextLimits) -> tuple[Engine, GgufHead]:
    """Load a GGUF file into the real engine."""
    head = read_head(source.files["gguf"])
    settings = EngineSettings(
        threads=limits.threads,
        slots=limits.slots,
        context_tokens=min(source.context_tokens or DEFAULT_CONTEXT, head.context_tokens or DEFAULT_CONTEXT),
        compact_cache=source.compact_cache,
    )
    return LlamaEngine(source.files["gguf"], settings), head


class TextModel:
    """One chat model. `name` is what callers say, `source` where its file is."""

    def __init__(self, name: str, source: ModelSource, limits: TextLimits, load: Load = load_llama) -> None:
        self.name = name
        self.source = source
        self.slots = Slots(limits.slots, limits.most_waiting)
        self._threads = ThreadPoolExecutor(limits.slots, thread_name_prefix="engine")
        self._loading = Loading(functools.partial(load, source, limits), self._threads)
        self._running: set[Generation] = set()

    @property
    def state(self) -> State:
        """Whether it is in memory."""
        return self._loading.state

    async def ready(self) -> GgufHead:
        """Wait until the model is loaded, loading it where nobody has. Raises `ModelUnusable`."""
        return (await self._loading.get())[1]

    async def generate(self, operation: Operation, body: bytes) -> AsyncGenerator[Piece, None]:
        """The engine's answer to `body`, a request in its dialect, streamed; first a piece without text.

        Closing it at any time stops the engine; the place at the engine is free again as soon as that has.
        """
        engine, _ = await self._loading.get()
        give_back = await self.slots.take()
        try:
            self._loading.refuse_when_closed()
        except Overloaded:
            give_back()
            raise
        generation = Generation(loop := asyncio.get_running_loop())
        self._running.add(generation)
        run = loop.run_in_executor(self._threads, generation.run, engine, operation, body)
        run.add_done_callback(functools.partial(self._ran, generation, give_back))
        try:
            async with aclosing(generation.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            generation.cancel()

    def _ran(self, generation: Generation, give_back: Callable[[], None], _: object) -> None:
        self._running.discard(generation)
        give_back()

    async def close(self) -> None:
        """Stop what runs, wait until the engine has, free the model."""
        loaded = await self._loading.close()
        for generation in self._running:
            generation.cancel()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, functools.partial(self._threads.shutdown, wait=True))
        if loaded is not None:
            await loop.run_in_executor(None, loaded[0].close)

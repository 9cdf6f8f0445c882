"""Several answers to one prompt, side by side: each is a task, and what they say comes out of one queue."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from forehearth.core.usage import Usage

Part = TypeVar("Part")


class Choices(Generic[Part]):
    """Runs `count` answers, at most `abreast` at once, so that one request does not fill the line."""

    def __init__(self, make: Callable[[int], AsyncGenerator[Part, None]], count: int, abreast: int) -> None:
        self._queue: asyncio.Queue[tuple[int, Part] | BaseException | None] = asyncio.Queue()
        self._turns = asyncio.Semaphore(abreast)
        self._left = count
        self._tasks = [asyncio.create_task(self._run(make, index)) for index in range(count)]

    async def _run(self, make: Callable[[int], AsyncGenerator[Part, None]], index: int) -> None:
        try:
            async with self._turns, aclosing(make(index)) as parts:
                async for part in parts:
                    self._queue.put_nowait((index, part))
        except Exception as error:  # noqa: BLE001 - it is raised to whoever reads
            self._queue.put_nowait(error)
        else:
            self._queue.put_nowait(None)

    async def parts(self) -> AsyncGenerator[tuple[int, Part], None]:
        """What the answers say, each with the answer's number, as it comes. Raises the first error of any."""
        while self._left:
            item = await self._queue.get()
            if item is None:
                self._left -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item

    async def aclose(self) -> None:
        """Stop them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def add_usage(total: Usage | None, one: Usage) -> Usage:
    """The prompt is the same for all, so it counts once; what was said adds up."""
    if total is None:
        return one
    return Usage(
        prompt=total.prompt, completion=total.completion + one.completion, cached=min(total.cached, one.cached)
    )

"""Answers that are read to their end although their clients have left, so that what they used is known."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self


class Drains:
    """The tasks that do so. Left at the end of the server: what still drains is then broken off."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self, draining: Coroutine[Any, Any, None]) -> None:
        """Read on."""
        task = asyncio.create_task(draining)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

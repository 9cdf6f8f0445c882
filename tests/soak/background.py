"""Fakes that run in a thread of their own, with an event loop of their own, while a test waits for something else."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

Fake = TypeVar("Fake")
PATIENCE = 30.0
"""Seconds in which a fake must open, and close."""


@contextmanager
def in_a_thread(fake: AbstractAsyncContextManager[Fake]) -> Iterator[Fake]:
    """Run it until the end of the `with`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        opened = asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result(PATIENCE)
        try:
            yield opened
        finally:
            asyncio.run_coroutine_threadsafe(fake.__aexit__(None, None, None), loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

"""An event loop whose time passes only when nobody has anything to do: it jumps to the next timer. There is no I/O.

`asyncio.sleep` works as always, and costs no time. For simulations of minutes that run in a moment; where a test winds
the clock itself, `forehearth.testing.clock` is the one.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Clock:
    """A `core.clock.Clock`, and the sleep that goes with it. The calendar can be set."""

    sleep = staticmethod(asyncio.sleep)

    def __init__(self, loop: "_Loop", unix: float) -> None:
        self._loop = loop
        self._offset = unix - loop.time()

    def monotonic(self) -> float:
        return self._loop.time()

    def unix(self) -> float:
        return self._loop.time() + self._offset

    def step(self, seconds: float) -> None:
        """Set the calendar ahead, or back."""
        self._offset += seconds


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        self.now += max(0.0, timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Selector) -> None:
        self._times = selector
        super().__init__(selector)

    def time(self) -> float:
        return self._times.now


def run(
    work: Callable[[Clock], Coroutine[Any, Any, Result]], *, monotonic: float = 1_000.0, unix: float = 1_800_000_000.0
) -> Result:
    """What `work` returns, with a clock that begins at these times."""
    selector = _Selector()
    selector.now = monotonic
    loop = _Loop(selector)
    try:
        return loop.run_until_complete(work(Clock(loop, unix)))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

"""How a process learns that it is to end: a beginning, when it takes nothing new, and a moment when it is cut off."""

import asyncio


class Shutdown:
    """Wait for `begun`, finish what is in flight, and drop the rest at `overdue`."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        """Nothing new is taken from now on, and readiness says so."""
        self.overdue = asyncio.Event()
        """What is still in flight is cut off now."""
        self._cut: asyncio.TimerHandle | None = None

    def begin(self, grace: float) -> None:
        """Begin to end; what is in flight has `grace` seconds. Said again, the earlier cut holds."""
        self.begun.set()
        loop = asyncio.get_running_loop()
        cut = loop.time() + grace
        if self._cut is not None and self._cut.when() <= cut:
            return
        if self._cut is not None:
            self._cut.cancel()
        self._cut = loop.call_at(cut, self.overdue.set)

    @property
    def left(self) -> float:
        """Seconds until what is in flight is cut off; 0 when the cut is due. Only after `begin`."""
        if self._cut is None:
            raise RuntimeError("asked for what is left before the end began")
        return max(0.0, self._cut.when() - asyncio.get_running_loop().time())

"""How a process learns that it is to end: first the notice, then the closing of doors, at last the cut."""

import asyncio

NOTICE_SECONDS = 1.0
"""How long calls are still taken after readiness turned, so that whoever asks for it can send them elsewhere."""


class Shutdown:
    """Tell readiness at `begun`, take nothing new from `closing` on, finish what is in flight, cut it at `overdue`."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        """The end has begun: readiness says so."""
        self.closing = asyncio.Event()
        """Nothing new is taken any more."""
        self.overdue = asyncio.Event()
        """What is still in flight is cut off now."""
        self.whole = False
        """Whether the whole server ends, and not this process alone."""
        self._close: asyncio.TimerHandle | None = None
        self._cut: asyncio.TimerHandle | None = None

    def begin(self, grace: float, *, whole: bool = False) -> None:
        """Begin to end; what is in flight has `grace` seconds. Said again, the earlier cut holds.

        A grace too short for a notice has none. `whole` says that the other workers end, too.
        """
        self.whole = self.whole or whole
        self.begun.set()
        loop = asyncio.get_running_loop()
        now = loop.time()
        notice = NOTICE_SECONDS if grace > 2 * NOTICE_SECONDS else 0.0
        if self._close is None or self._close.when() > now + notice:
            self._close = _instead(self._close, loop.call_at(now + notice, self.closing.set))
        if self._cut is None or self._cut.when() > now + grace:
            self._cut = _instead(self._cut, loop.call_at(now + grace, self.overdue.set))


def _instead(old: asyncio.TimerHandle | None, new: asyncio.TimerHandle) -> asyncio.TimerHandle:
    if old is not None:
        old.cancel()
    return new

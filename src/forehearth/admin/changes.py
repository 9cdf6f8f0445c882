"""What callers changed that others work with, on its way to the audit log: written there before it is answered."""

from forehearth.admin.recorder import Recorder
from forehearth.core.change import Change


class Changes(Recorder):
    """A `ports.changes.Changes`. What is done is done: where the log is away, its record waits for the store alone."""

    async def made(self, change: Change) -> None:
        """See `ports.changes`."""
        await self.write(change, change.status)

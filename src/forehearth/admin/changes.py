"""What callers changed that others work with, on its way to the audit log: written there before it is answered."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from forehearth.admin.audit import Audit
from forehearth.core.audit import AuditRecord
from forehearth.core.change import Change
from forehearth.core.clock import Clock

PATIENCE: Final = 2.0
"""Seconds that an answer waits for its record. What is done is done: then the record waits for the store alone."""


class Changes:
    """One worker's. It is a `ports.changes.Changes`."""

    def __init__(self, clock: Clock, *, patience: float = PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._audit: Audit | None = None

    async def made(self, change: Change) -> None:
        """See `ports.changes`."""
        if self._audit is not None:
            self._audit.record(_record(change, self._clock.unix()))
            await self._audit.flush(self._patience)

    @contextlib.asynccontextmanager
    async def recorded_in(self, audit: Audit) -> AsyncIterator[None]:
        """Record them there, from now until the end."""
        self._audit = audit
        try:
            yield
        finally:
            self._audit = None


def _record(change: Change, at: float) -> AuditRecord:
    who = change.principal
    return AuditRecord(
        at=at,
        request_id=change.request_id,
        resource=change.place.resource,
        project=change.place.project,
        actor=who.name,
        actor_kind=who.kind,
        action=change.operation,
        target=change.target,
        allowed=True,
        status=change.status,
        detail=f"by {who.id}" if who.id not in ("", who.name) else "",
    )

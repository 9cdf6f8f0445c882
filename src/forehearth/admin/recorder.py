"""Writes what a caller did to the audit log, while somebody waits for that."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from forehearth.admin.audit import Audit
from forehearth.core.audit import AuditRecord
from forehearth.core.change import Change
from forehearth.core.clock import Clock
from forehearth.core.disclosure import Disclosure

PATIENCE: Final = 2.0
"""Seconds that an answer waits for its record."""


class Recorder:
    """One worker's. Until the audit log is open, and after it was closed, nothing is written."""

    def __init__(self, clock: Clock, *, patience: float = PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._audit: Audit | None = None

    async def write(self, done: Change | Disclosure, status: int, detail: str = "") -> bool:
        """Whether it is in the log. What is not yet, for want of time, waits for the store."""
        audit = self._audit
        if audit is None:
            return False
        lost = audit.lost
        audit.record(_record(done, status, detail, self._clock.unix()))
        return await audit.flush(self._patience) and audit.lost == lost

    @contextlib.asynccontextmanager
    async def recorded_in(self, audit: Audit) -> AsyncIterator[None]:
        """Record there, from now until the end."""
        self._audit = audit
        try:
            yield
        finally:
            self._audit = None


def _record(done: Change | Disclosure, status: int, detail: str, at: float) -> AuditRecord:
    principal = done.principal
    who = f"by {principal.id}" if principal.id not in ("", principal.name) else ""
    return AuditRecord(
        at=at,
        request_id=done.request_id,
        resource=done.place.resource,
        project=done.place.project,
        actor=principal.name,
        actor_kind=principal.kind,
        action=done.operation,
        target=done.target,
        allowed=True,
        status=status,
        detail="; ".join(each for each in (who, detail) if each),
    )

"""That somebody was shown a secret, on its way to the audit log: whoever shows it waits until it is written there."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from forehearth.admin.audit import Audit
from forehearth.core.audit import AuditRecord
from forehearth.core.clock import Clock
from forehearth.core.disclosure import Disclosure
from forehearth.core.errors import Overloaded

PATIENCE: Final = 2.0
"""Seconds that an answer waits for its record."""
_SHOWN: Final = 200


class Disclosures:
    """One worker's. It is a `ports.disclosures.Disclosures`; until the audit log is open nothing is shown."""

    def __init__(self, clock: Clock, *, patience: float = PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._audit: Audit | None = None

    async def note(self, disclosure: Disclosure) -> None:
        """See `ports.disclosures`."""
        lost = 0 if self._audit is None else self._audit.lost
        if self._audit is not None:
            self._audit.record(self._record(disclosure))
            if await self._audit.flush(self._patience) and self._audit.lost == lost:
                return
        raise Overloaded(
            "Credentials are shown only once that is written in the audit log, which cannot be written now.",
            retry_after=5.0,
        )

    @contextlib.asynccontextmanager
    async def recorded_in(self, audit: Audit) -> AsyncIterator[None]:
        """Record them there, from now until the end."""
        self._audit = audit
        try:
            yield
        finally:
            self._audit = None

    def _record(self, disclosure: Disclosure) -> AuditRecord:
        principal = disclosure.principal
        who = f"by {principal.id}" if principal.id not in ("", principal.name) else ""
        return AuditRecord(
            at=self._clock.unix(),
            request_id=disclosure.request_id,
            resource=disclosure.place.resource,
            project=disclosure.place.project,
            actor=principal.name,
            actor_kind=principal.kind,
            action=disclosure.operation,
            target=disclosure.target,
            allowed=True,
            status=_SHOWN,
            detail="; ".join(each for each in (who, disclosure.detail) if each),
        )

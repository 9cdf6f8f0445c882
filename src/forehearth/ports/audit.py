"""Where the audit log is kept."""

from collections.abc import Sequence
from typing import Protocol

from forehearth.core.audit import AuditQuery, AuditRecord


class AuditStore(Protocol):
    """Keeps records, and changes none. Raises `StoreFailed`."""

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Keep these, in this order, all or none. Their texts are `storable`.

        Asked again after an uncertain failure, it may keep them twice: a record too many is better than one that lacks.
        """
        ...

    async def page(self, query: AuditQuery) -> list[AuditRecord]:
        """The records, newest first, `limit` at most."""
        ...

    async def prune(self, before: float) -> int:
        """Remove the records from before that time (Unix seconds); how many there were."""
        ...

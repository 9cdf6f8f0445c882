"""The audit log in PostgreSQL: a `ports.audit.AuditStore`."""

from collections.abc import Sequence
from typing import cast

import msgspec

from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.stores.postgres.database import Database
from forehearth.stores.postgres.statements import statements

TOGETHER = 10_000
"""Records that are removed at once, so that it takes no longer than a statement may."""

_SQL = statements("audit")


class PostgresAudit:
    """See `ports.audit`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """See `ports.audit`."""
        names = _SQL["append"].names
        await self._database.write(
            _SQL["append"], {name: [getattr(record, name) for record in records] for name in names}
        )

    async def page(self, query: AuditQuery) -> list[AuditRecord]:
        """See `ports.audit`."""
        rows = await self._database.read(_SQL["page"], msgspec.structs.asdict(query))
        return [AuditRecord(**row) for row in rows]

    async def prune(self, before: float) -> int:
        """See `ports.audit`."""
        gone = 0
        while True:
            (row,) = await self._database.write(_SQL["prune"], {"before": before, "limit": TOGETHER})
            gone += cast("int", row["count"])
            if row["count"] < TOGETHER:
                return gone

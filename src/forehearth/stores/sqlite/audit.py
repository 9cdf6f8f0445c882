"""The audit log in SQLite: a `ports.audit.AuditStore`."""

from collections.abc import Sequence

import apsw
import msgspec

from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database

_SQL = queries("sqlite", "audit")


class SqliteAudit:
    """See `ports.audit`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """See `ports.audit`."""
        rows = [msgspec.structs.asdict(record) for record in records]

        def work(connection: apsw.Connection) -> None:
            connection.executemany(_SQL["append"], rows)

        await self._database.write(work)

    async def page(self, query: AuditQuery) -> list[AuditRecord]:
        """See `ports.audit`."""
        wanted = msgspec.structs.asdict(query)
        rows = await self._database.read(lambda connection: connection.execute(_SQL["page"], wanted).fetchall())
        names = AuditRecord.__struct_fields__
        return [msgspec.convert(dict(zip(names, row, strict=True)), AuditRecord, strict=False) for row in rows]

    async def prune(self, before: float) -> int:
        """See `ports.audit`."""

        def work(connection: apsw.Connection) -> int:
            return len(connection.execute(_SQL["prune"], {"before": before}).fetchall())

        return await self._database.write(work)

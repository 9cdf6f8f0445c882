"""The ledger in SQLite: a `ports.ledger.LedgerStore` and `ports.ledger.LedgerReader`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast, get_args

import apsw
import msgspec

from forehearth.core.ledger import Detail, Grouping, LedgerRecord, Span, Sum
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database

_SQL = queries("sqlite", "ledger")
_PART: Final = 1_000_000_000_000
"""Amounts are summed above and below this apart, because their sums are larger than SQLite's numbers."""
_GROUPINGS: Final = get_args(Grouping)
"""In the order of the query's columns."""
_AT_ONCE: Final = 5_000
"""Records that are removed in one transaction."""
_FIELDS: Final = LedgerRecord.__struct_fields__
_DETAIL = _FIELDS.index("detail")


class SqliteLedger:
    """See `ports.ledger`. The database is one whose writes reach the disk before they are answered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, records: Sequence[LedgerRecord]) -> None:
        """See `ports.ledger`."""
        rows = [_row(record) for record in records]

        def work(connection: apsw.Connection) -> None:
            connection.executemany(_SQL["add"], rows)

        await self._database.write(work)

    async def prune(self, before: float, explained_before: float) -> int:
        """See `ports.ledger`."""

        def work(connection: apsw.Connection) -> int:
            old = connection.execute(_SQL["prune"], {"before": before, "limit": _AT_ONCE}).fetchall()
            wanted = {"before": explained_before, "limit": _AT_ONCE}
            return len(old) + len(connection.execute(_SQL["prune_details"], wanted).fetchall())

        return await self._database.write(work)

    async def get(self, resource: str, id: str) -> LedgerRecord | None:  # noqa: A002 - the port's
        """See `ports.ledger`."""
        rows = await self._read("get", {"resource": resource, "id": id})
        return _record(rows[0]) if rows else None

    async def sums(self, span: Span, by: Collection[Grouping]) -> list[Sum]:
        """See `ports.ledger`."""
        wanted = {f"by_{name}": name in by for name in _GROUPINGS}
        rows = await self._read("sums", wanted | msgspec.structs.asdict(span))
        found = [_sum(row, by) for row in rows]
        return sorted(found, key=lambda each: (*each.group.values(), each.currency))

    async def page(self, span: Span, after: tuple[float, str] | None, limit: int) -> list[LedgerRecord]:
        """See `ports.ledger`."""
        at, last = after or (float("-inf"), "")
        wanted = msgspec.structs.asdict(span) | {"after_at": at, "after_id": last, "limit": limit}
        return [_record(row) for row in await self._read("page", wanted)]

    async def _read(self, name: str, wanted: Mapping[str, object]) -> list[tuple[Any, ...]]:
        return await self._database.read(lambda connection: connection.execute(_SQL[name], wanted).fetchall())


def _row(record: LedgerRecord) -> tuple[Any, ...]:
    values = msgspec.structs.astuple(record)
    detail = record.detail
    return (*values[:_DETAIL], None if detail is None else msgspec.json.encode(detail).decode())


def _record(row: Sequence[Any]) -> LedgerRecord:
    values: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    if values["detail"] is not None:
        values["detail"] = msgspec.json.decode(values["detail"], type=Detail)
    values["stream"], values["counted"] = bool(values["stream"]), bool(values["counted"])
    return LedgerRecord(**values)


def _sum(row: tuple[Any, ...], by: Collection[Grouping]) -> Sum:
    known = dict(zip(_GROUPINGS, cast("tuple[str, ...]", row), strict=False))
    currency = cast("str", row[len(_GROUPINGS)])
    calls, prompt, completion, cached, reasoning, above, below, unpriced, flagged, hits, failed = cast(
        "tuple[int, ...]", row[len(_GROUPINGS) + 1 :]
    )
    return Sum(
        group={name: known[name] for name in by},
        calls=calls,
        prompt=prompt,
        completion=completion,
        cached=cached,
        reasoning=reasoning,
        amount=above * _PART + below,
        currency=currency,
        unpriced=unpriced,
        flagged=flagged,
        hits=hits,
        failed=failed,
    )

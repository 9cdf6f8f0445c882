"""The ledger in SQLite: a `ports.ledger.LedgerStore` and `ports.ledger.LedgerReader`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Final, cast, get_args

import apsw
import msgspec

from forehearth.core.ledger import NOTHING, OWN_MEMBERS, Account, Ending, Grouping, LedgerRecord, Outcome, Span, Sum
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database

_SQL = queries("sqlite", "ledger")
_PART: Final = 1_000_000_000_000
"""Amounts are summed above and below this apart, because their sums are larger than SQLite's numbers."""
_GROUPINGS: Final = get_args(Grouping)
"""In the order of the query's columns."""
_AT_ONCE: Final = 5_000
"""Calls that are removed in one transaction."""
_ROW: Final = f"({', '.join('?' * 15)})"
_ROWS: Final = 32
"""Calls that one statement adds: at each one the thread lets go of the interpreter, and waits to have it again."""
_ADD_MANY: Final = _SQL["add"].replace(_ROW, ", ".join([_ROW] * _ROWS))
_ACCOUNT: Final = Account.__struct_fields__
_ENDING: Final = Ending.__struct_fields__
_NO_DETAIL: Final = bytes(NOTHING)


class SqliteLedger:
    """See `ports.ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, outcomes: Sequence[Outcome]) -> None:
        """See `ports.ledger`."""

        def work(connection: apsw.Connection) -> None:
            account, ending = _numbers(connection, "account", Account), _numbers(connection, "ending", Ending)
            rows = [_row(each, account, ending) for each in outcomes]
            many = len(rows) - len(rows) % _ROWS
            for first in range(0, many, _ROWS):
                connection.execute(_ADD_MANY, tuple(chain.from_iterable(rows[first : first + _ROWS])))
            connection.executemany(_SQL["add"], rows[many:])

        await self._database.write(work)

    async def flush(self) -> None:
        """See `ports.ledger`."""
        await self._database.flush()

    async def prune(self, before: float, explained_before: float) -> int:
        """See `ports.ledger`."""

        def work(connection: apsw.Connection) -> int:
            old = connection.execute(_SQL["prune"], {"before": before, "limit": _AT_ONCE}).fetchall()
            if old:
                connection.execute(_SQL["prune_accounts"])
            return len(old) + _forget(connection, explained_before)

        return await self._database.write(work)

    async def get(self, resource: str, id: str) -> LedgerRecord | None:  # noqa: A002 - the port's
        """See `ports.ledger`."""
        rows = await self._read("get", {"resource": resource, "id": id})
        return _record(rows[0]) if rows else None

    async def of_request(self, resource: str, id: str, limit: int) -> list[LedgerRecord]:  # noqa: A002 - the port's
        """See `ports.ledger`."""
        return list(map(_record, await self._read("of_request", {"resource": resource, "id": id, "limit": limit})))

    async def sums(self, span: Span, by: Collection[Grouping]) -> list[Sum]:
        """See `ports.ledger`."""
        wanted = {f"by_{name}": name in by for name in _GROUPINGS}
        rows = await self._read("sums", wanted | msgspec.structs.asdict(span))
        found = [_sum(row, by) for row in rows]
        return sorted(found, key=lambda each: (*each.group.values(), each.currency))

    async def _read(self, name: str, wanted: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return await self._database.read(lambda connection: connection.execute(_SQL[name], wanted).fetchall())


def _numbers(connection: apsw.Connection, name: str, noun: type[Account | Ending]) -> Callable[[bytes], int]:
    """What gives the number of an account, or of a way to end, for one transaction: later it may be gone."""
    known: dict[bytes, int] = {}

    def number(written: bytes) -> int:
        found = known.get(written)
        if found is None:
            values = msgspec.structs.astuple(msgspec.json.decode(written, type=noun))
            ((found,),) = connection.execute(_SQL[name], values)
            known[written] = cast("int", found)
        return cast("int", found)

    return number


def _row(outcome: Outcome, account: Callable[[bytes], int], ending: Callable[[bytes], int]) -> tuple[Any, ...]:
    """The values of a call, in the order of the columns."""
    id_, at, who, how, *figures, detail = msgspec.structs.astuple(outcome)
    told = bytes(detail)
    return id_, at, account(bytes(who)), ending(bytes(how)), *figures, None if told == _NO_DETAIL else told


def _record(row: Sequence[Any]) -> LedgerRecord:
    values: dict[str, Any] = dict(zip((*_ACCOUNT, *_ENDING, *OWN_MEMBERS), row, strict=True))
    values["stream"], values["counted"] = bool(values["stream"]), bool(values["counted"])
    account = Account(**{name: values.pop(name) for name in _ACCOUNT})
    values["detail"] = NOTHING if values["detail"] is None else msgspec.Raw(values["detail"])
    return LedgerRecord(account=account, **values)


def _forget(connection: apsw.Connection, before: float) -> int:
    """Forget some of the details that are too old; how many calls those are of."""
    ((last, count),) = connection.execute(_SQL["too_old"], {"before": before, "limit": _AT_ONCE})
    if count:
        connection.execute(_SQL["forget"], {"last": last})
        connection.execute(_SQL["note_forgotten"], {"last": last})
    return cast("int", count)


def _sum(row: tuple[Any, ...], by: Collection[Grouping]) -> Sum:
    known = dict(zip(_GROUPINGS, row, strict=False))
    calls, prompt, completion, cached, reasoning, above, below, unpriced, flagged, hits, failed = row[
        len(_GROUPINGS) + 1 :
    ]
    return Sum(
        group={name: known[name] for name in by},
        calls=calls,
        prompt=prompt,
        completion=completion,
        cached=cached,
        reasoning=reasoning,
        amount=above * _PART + below,
        currency=row[len(_GROUPINGS)],
        unpriced=unpriced,
        flagged=flagged,
        hits=hits,
        failed=failed,
    )

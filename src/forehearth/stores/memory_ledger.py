"""The ledger in this process's memory: the reference for every other store, and for tests."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from forehearth.core.ledger import NOTHING, Grouping, LedgerRecord, Outcome, Span, Sum, record_of


class MemoryLedger:
    """A `ports.ledger.LedgerStore` and `ports.ledger.LedgerReader`."""

    def __init__(self) -> None:
        self._records: dict[str, LedgerRecord] = {}

    async def add(self, outcomes: Sequence[Outcome]) -> None:
        """See `ports.ledger`."""
        for outcome in outcomes:
            self._records.setdefault(outcome.id, record_of(outcome))

    async def flush(self) -> None:
        """See `ports.ledger`."""

    async def prune(self, before: float, explained_before: float) -> int:
        """See `ports.ledger`."""
        old = [each for each in self._records.values() if each.at < before]
        for each in old:
            del self._records[each.id]
        told = [each for each in self._records.values() if each.detail != NOTHING and each.at < explained_before]
        for each in told:
            self._records[each.id] = msgspec.structs.replace(each, detail=NOTHING)
        return len(old) + len(told)

    async def get(self, resource: str, id: str) -> LedgerRecord | None:  # noqa: A002 - the port's
        """See `ports.ledger`."""
        found = self._records.get(id)
        return found if found is not None and found.account.resource == resource else None

    async def of_request(self, resource: str, id: str, limit: int) -> list[LedgerRecord]:  # noqa: A002 - the port's
        """See `ports.ledger`."""
        found = (each for each in self._records.values() if each.account.resource == resource)
        meant = (each for each in found if each.id == id or each.id.startswith(f"{id}-"))
        return sorted(meant, key=lambda each: each.at)[:limit]

    async def sums(self, span: Span, by: Collection[Grouping]) -> list[Sum]:
        """See `ports.ledger`."""
        groups: dict[tuple[tuple[str, ...], str], list[LedgerRecord]] = {}
        for each in self._within(span):
            group = tuple(_told(each, name) for name in by)
            groups.setdefault((group, each.currency), []).append(each)
        return [_sum(dict(zip(by, group, strict=True)), found) for (group, _), found in sorted(groups.items())]

    def _within(self, span: Span) -> Iterator[LedgerRecord]:
        for each in self._records.values():
            account = each.account
            if (
                account.resource == span.resource
                and span.since <= each.at
                and (span.until is None or each.at < span.until)
                and span.key in (None, account.caller_id, account.caller_name)
                and span.product in (None, account.product)
                and span.deployment in (None, account.deployment)
                and span.project in (None, account.project)
            ):
                yield each


def _told(record: LedgerRecord, name: Grouping) -> str:
    match name:
        case "key":
            return record.account.caller_name
        case "day":
            return datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%d")
        case "month":
            return datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m")
        case "model" | "backend" | "outcome":
            return str(getattr(record, name))
        case _:
            return str(getattr(record.account, name))


def _sum(group: dict[Grouping, str], records: list[LedgerRecord]) -> Sum:
    return Sum(
        group=group,
        calls=len(records),
        prompt=sum(each.prompt for each in records),
        completion=sum(each.completion for each in records),
        cached=sum(each.cached for each in records),
        reasoning=sum(each.reasoning for each in records),
        amount=sum(each.amount for each in records if each.amount is not None),
        currency=records[0].currency,
        unpriced=sum(each.amount is None for each in records),
        flagged=sum(each.flag != "" for each in records),
        hits=sum(each.cache == "hit" for each in records),
        failed=sum(each.outcome != "ok" for each in records),
    )

"""The ledger in this process's memory: the reference for every other store, and for tests."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from forehearth.core.ledger import Grouping, LedgerRecord, Span, Sum


class MemoryLedger:
    """A `ports.ledger.LedgerStore` and `ports.ledger.LedgerReader`."""

    def __init__(self) -> None:
        self._records: dict[str, LedgerRecord] = {}

    async def add(self, records: Sequence[LedgerRecord]) -> None:
        """See `ports.ledger`."""
        for record in records:
            self._records.setdefault(record.id, record)

    async def prune(self, before: float, explained_before: float) -> int:
        """See `ports.ledger`."""
        old = [each for each in self._records.values() if each.at < before]
        for each in old:
            del self._records[each.id]
        told = [each for each in self._records.values() if each.detail is not None and each.at < explained_before]
        for each in told:
            self._records[each.id] = msgspec.structs.replace(each, detail=None)
        return len(old) + len(told)

    async def get(self, resource: str, id: str) -> LedgerRecord | None:  # noqa: A002 - the port's
        """See `ports.ledger`."""
        found = self._records.get(id)
        return found if found is not None and found.resource == resource else None

    async def sums(self, span: Span, by: Collection[Grouping]) -> list[Sum]:
        """See `ports.ledger`."""
        groups: dict[tuple[tuple[str, ...], str], list[LedgerRecord]] = {}
        for each in self._within(span):
            group = tuple(_told(each, name) for name in by)
            groups.setdefault((group, each.currency), []).append(each)
        return [_sum(dict(zip(by, group, strict=True)), found) for (group, _), found in sorted(groups.items())]

    async def page(self, span: Span, after: tuple[float, str] | None, limit: int) -> list[LedgerRecord]:
        """See `ports.ledger`."""
        found = sorted(self._within(span), key=lambda each: (each.at, each.id))
        wanted = [each for each in found if after is None or (each.at, each.id) > after]
        return [msgspec.structs.replace(each, detail=None) for each in wanted[:limit]]

    def _within(self, span: Span) -> Iterator[LedgerRecord]:
        for each in self._records.values():
            if (
                each.resource == span.resource
                and span.since <= each.at
                and (span.until is None or each.at < span.until)
                and span.key in (None, each.caller_id, each.caller_name)
                and span.product in (None, each.product)
                and span.deployment in (None, each.deployment)
                and span.project in (None, each.project)
            ):
                yield each


def _told(record: LedgerRecord, name: Grouping) -> str:
    match name:
        case "key":
            return record.caller_name
        case "day":
            return datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%d")
        case "month":
            return datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m")
        case _:
            return str(getattr(record, name))


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

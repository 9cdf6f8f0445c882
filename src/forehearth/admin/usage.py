"""What operators see of the ledger: what calls used and cost together, and one call by itself."""

from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from forehearth.core.errors import NotFound
from forehearth.core.ledger import Grouping, LedgerRecord, Span, Sum
from forehearth.ports.ledger import LedgerReader

PATIENCE = 1.5
"""Seconds until what another worker wrote is in the ledger."""
_LOOK_AGAIN = 0.25

Sleep = Callable[[float], Awaitable[object]]


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one group come to."""

    group: Mapping[Grouping, str]
    calls: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    amounts: Mapping[str, int] = {}
    """By currency, as `core.money` has it; of those calls whose price is known."""
    unpriced: int = 0
    """Calls that used tokens whose price is not known."""
    flagged: int = 0
    hits: int = 0
    failed: int = 0


class LedgerOffice:
    """The ledger of a running server, or of a data directory. `fold` brings in what its own journal has.

    `patience` is how many seconds a request is waited for that another worker may have answered.
    """

    def __init__(
        self, reader: LedgerReader, fold: Callable[[], Awaitable[None]], sleep: Sleep, *, patience: float = PATIENCE
    ) -> None:
        self._reader = reader
        self._fold = fold
        self._sleep = sleep
        self._patience = patience

    async def totals(self, span: Span, by: Collection[Grouping]) -> list[Total]:
        """What calls come to, told apart by all of these. Raises `StoreFailed`."""
        await self._fold()
        groups: dict[tuple[str, ...], Total] = {}
        for each in await self._reader.sums(span, by):
            key = tuple(each.group[name] for name in by)
            groups[key] = _added(groups.get(key, Total(group=each.group)), each)
        return list(groups.values())

    async def record(self, resource: str, request_id: str) -> LedgerRecord:
        """The record of a request, which another worker may have answered just now. Raises `NotFound`."""
        await self._fold()
        waited = 0.0
        while (found := await self._reader.get(resource, request_id)) is None:
            if waited >= self._patience:
                raise NotFound(
                    f"There is no record of a request '{request_id[:64]}': it is too old, still under way, or was "
                    "refused before it was a call of a deployment."
                )
            await self._sleep(_LOOK_AGAIN)
            waited += _LOOK_AGAIN
        return found

    async def of_request(self, resource: str, request_id: str, limit: int) -> list[LedgerRecord]:
        """The record of a request, and those of what was done for it later; as far as they are written by now.

        Raises `StoreFailed`.
        """
        await self._fold()
        return await self._reader.of_request(resource, request_id, limit)


def _added(total: Total, found: Sum) -> Total:
    amounts = dict(total.amounts)
    if found.currency:
        amounts[found.currency] = amounts.get(found.currency, 0) + found.amount
    return Total(
        group=total.group,
        calls=total.calls + found.calls,
        prompt=total.prompt + found.prompt,
        completion=total.completion + found.completion,
        cached=total.cached + found.cached,
        reasoning=total.reasoning + found.reasoning,
        amounts=amounts,
        unpriced=total.unpriced + found.unpriced,
        flagged=total.flagged + found.flagged,
        hits=total.hits + found.hits,
        failed=total.failed + found.failed,
    )

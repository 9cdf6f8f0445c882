"""Where the ledger is kept, and who reads it."""

from collections.abc import Collection, Sequence
from typing import Protocol

from forehearth.core.ledger import Grouping, LedgerRecord, Outcome, Span, Sum


class LedgerStore(Protocol):
    """Keeps records. What it has answered to survives the end of the process. Raises `StoreFailed`."""

    async def add(self, outcomes: Sequence[Outcome]) -> None:
        """Keep these, all or none. One whose id is there already is left out: the first one stays."""
        ...

    async def flush(self) -> None:
        """Bring what was added to the disk: it survives a power loss, too."""
        ...

    async def prune(self, before: float, explained_before: float) -> int:
        """Remove records from before a time (Unix seconds), and the detail of those from before another.

        Some of each at a time; how many that were. 0: there are none left.
        """
        ...


class LedgerReader(Protocol):
    """Reads them. Raises `StoreFailed`."""

    async def get(self, resource: str, id: str) -> LedgerRecord | None:  # noqa: A002 - what it is
        """The record of a request; None where a resource has no such one."""
        ...

    async def of_request(self, resource: str, id: str, limit: int) -> list[LedgerRecord]:  # noqa: A002 - what it is
        """The record of a request and those of what was done for it later, whose ids go on behind a hyphen.

        The first ones, `limit` at most.
        """
        ...

    async def sums(self, span: Span, by: Collection[Grouping]) -> list[Sum]:
        """What they come to, told apart by all of these and by their currency, the first of them first."""
        ...

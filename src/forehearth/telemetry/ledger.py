"""What is counted of the ledger."""

from typing import Literal

from forehearth.core.ledger import Flag
from forehearth.telemetry.cells import Cells

RECORDS = "forehearth_ledger_records_total"
UNWRITTEN = "forehearth_ledger_unwritten_total"
BEHIND = "forehearth_ledger_behind_seconds"


class LedgerCounts:
    """The numbers of one worker's part in the ledger. It is a `ports.ledger_meter.LedgerMeter`."""

    def __init__(self, cells: Cells, worker: tuple[str, str]) -> None:
        self._cells = cells
        self._worker = worker

    def folded(self, flag: Flag, count: int) -> None:
        """See `ports.ledger_meter`."""
        self._cells.add(count, RECORDS, ("flag", flag or "none"))

    def unwritten(self, what: Literal["refused", "served", "lost"], count: int = 1) -> None:
        """See `ports.ledger_meter`."""
        self._cells.add(count, UNWRITTEN, ("outcome", what))

    def behind(self, seconds: float) -> None:
        """See `ports.ledger_meter`."""
        self._cells.values[self._cells.cell(BEHIND, self._worker)] = seconds

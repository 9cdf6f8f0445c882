"""What is counted of limits."""

from forehearth.telemetry.cells import Cells
from forehearth.telemetry.histogram import Histogram

REFUSALS = "forehearth_limit_refusals_total"
EXCESS = "forehearth_limit_excess_total"
WAITS = "forehearth_limit_wait_seconds"
WAIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class LimitCounts:
    """A `ports.limit_meter.LimitMeter`."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._waits = Histogram(cells, WAITS, WAIT_SECONDS, ())

    def refused(self, limit: str) -> None:
        """See `ports.limit_meter`."""
        self._cells.add(1.0, REFUSALS, ("limit", limit))

    def waited(self, seconds: float) -> None:
        """See `ports.limit_meter`."""
        self._waits.observe(seconds)

    def exceeded(self, limit: str, amount: int) -> None:
        """See `ports.limit_meter`."""
        self._cells.add(amount, EXCESS, ("limit", limit))

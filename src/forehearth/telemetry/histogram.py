"""A histogram in cells."""

from bisect import bisect_left

from forehearth.telemetry.cells import Cells

FIRST_BYTE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """The cells of one histogram with one set of labels. Buckets are kept apart and summed up when read."""

    __slots__ = ("_bounds", "_cells", "_sum", "_values")

    def __init__(self, cells: Cells, name: str, bounds: tuple[float, ...], labels: tuple[tuple[str, str], ...]) -> None:
        self._bounds = bounds
        self._values = cells.values
        limits = [*(f"{bound:g}" for bound in bounds), "+Inf"]
        self._cells = [cells.cell(f"{name}_bucket", *labels, ("le", limit)) for limit in limits]
        self._sum = cells.cell(f"{name}_sum", *labels)

    def observe(self, seconds: float) -> None:
        """Count one more."""
        self._values[self._cells[bisect_left(self._bounds, seconds)]] += 1.0
        self._values[self._sum] += seconds

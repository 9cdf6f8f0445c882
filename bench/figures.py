"""The arithmetic of the tables: paired ratios, least values, medians, slopes."""

import statistics
from collections.abc import Mapping, Sequence


def paired_ratios(values: Mapping[int, float], floor: Mapping[int, float]) -> list[float]:
    """Each round's value over the floor's value of the same round; rounds that lack either are left out."""
    return [values[turn] / floor[turn] for turn in sorted(values) if turn in floor and floor[turn] > 0]


def median(values: Sequence[float]) -> float | None:
    """The median, or None of nothing."""
    return statistics.median(values) if values else None


def least(values: Sequence[float]) -> float | None:
    """The least value, or None of nothing."""
    return min(values) if values else None


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Least-squares rise of y for one of x; None where the points allow no line."""
    if len({x for x, _ in points}) < 2:
        return None
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def share_percent(ratio: float) -> float:
    """How many percent a ratio is above one."""
    return (ratio - 1) * 100

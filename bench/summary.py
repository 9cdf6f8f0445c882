"""From the record of a run to one row of figures for each stack."""

from dataclasses import dataclass, field
from typing import Any

from bench.figures import least, median, paired_ratios

FLOOR = "nginx"
_MEGABYTES_A_MEBIBYTE = 1.048576


@dataclass(frozen=True, kw_only=True)
class Cost:
    """CPU microseconds of one call or stream: the least of all rounds, and the median paired ratio to nginx."""

    least: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class Added:
    """Milliseconds over calling the mock directly at the same rate; medians of the pairs of all rounds."""

    rate: float | None = None
    p50: float | None = None
    p99: float | None = None
    first_byte_p99: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """Everything that is shown about one stack."""

    name: str
    title: str
    version: str
    policy: str
    has_policy: bool
    state: str
    reason: str
    problems: tuple[str, ...]
    calls: dict[str, Cost] = field(default_factory=dict)
    streams: dict[str, Cost] = field(default_factory=dict)
    call_rates: dict[str, Added] = field(default_factory=dict)
    stream_rates: dict[str, Added] = field(default_factory=dict)
    rss_start_mb: float | None = None
    rss_end_mb: float | None = None
    """Megabytes of a million bytes, at the first answer and after the turn: the most of all rounds."""
    rss_largest_mb: float | None = None
    """The same of the largest process alone, after the turn."""
    start_seconds: float | None = None
    upstream_connections: float | None = None
    errors: int = 0


def by_round(row: dict[str, Any], *path: str) -> dict[int, float]:
    """One figure of every round that has it."""
    found: dict[int, float] = {}
    for number, figures in row["rounds"].items():
        value: Any = figures
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            found[int(number)] = float(value)
    return found


def _median(row: dict[str, Any], *path: str) -> float | None:
    return median(list(by_round(row, *path).values()))


def _most_megabytes(row: dict[str, Any], figure: str) -> float | None:
    values = by_round(row, figure).values()
    return max(values) * _MEGABYTES_A_MEBIBYTE if values else None


def _cost(record: dict[str, Any], row: dict[str, Any], kind: str, which: str) -> Cost:
    values = by_round(row, kind, which, "cpu_us")
    floor = record["stacks"].get(FLOOR)
    ratios = paired_ratios(values, by_round(floor, kind, which, "cpu_us")) if floor else []
    return Cost(least=least(list(values.values())), ratio=median(ratios))


def _added(row: dict[str, Any], kind: str, share: str) -> Added:
    rounds = [figures.get("rates", {}).get(kind, {}).get(share) for figures in row["rounds"].values()]
    # A median of few in each round would lie between a quiet window and one in which the machine stood still.
    pairs = [pair for found in rounds if found for pair in found["pairs"]]
    return Added(
        rate=_median(row, "rates", kind, share, "rate"),
        p50=median([pair["added_p50_ms"] for pair in pairs]),
        p99=median([pair["added_p99_ms"] for pair in pairs]),
        first_byte_p99=median([pair["added_first_byte_p99_ms"] for pair in pairs]),
    )


def summarise(record: dict[str, Any]) -> list[Row]:
    """One row for each stack, in the order of the record."""
    plan = record["plan"]
    connections = [str(n) for n in plan["connections"]]
    shares = [str(n) for n in plan["shares"]]
    rows = []
    for name, row in record["stacks"].items():
        kept = ("title", "version", "policy", "has_policy", "state", "reason")
        rows.append(
            Row(
                name=name,
                problems=tuple(row["problems"]),
                calls={n: _cost(record, row, "calls", n) for n in connections},
                streams={n: _cost(record, row, "streams", n) for n in ("10", "102")},
                call_rates={n: _added(row, "calls", n) for n in shares},
                stream_rates={n: _added(row, "streams", n) for n in shares},
                rss_start_mb=_most_megabytes(row, "rss_start_mib"),
                rss_end_mb=_most_megabytes(row, "rss_end_mib"),
                rss_largest_mb=_most_megabytes(row, "rss_largest_mib"),
                start_seconds=_median(row, "start_seconds"),
                upstream_connections=_median(row, "upstream_connections"),
                errors=int(sum(by_round(row, "errors").values())),
                **{key: row[key] for key in kept},
            )
        )
    return rows

"""Metrics as text in Prometheus's format (version 0.0.4), summed over the workers that counted them."""

import math
from collections.abc import Iterable, Iterator

from forehearth.telemetry.cells import Sample
from forehearth.telemetry.families import FAMILIES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
Points = dict[Labels, float]


def exposition(samples: Iterable[Sample]) -> str:
    """The page that `/metrics` answers with. Series are ordered by their labels, so that pages can be compared."""
    sums: dict[str, Points] = {}
    for sample in samples:
        points = sums.setdefault(sample.series.metric, {})
        points[sample.series.labels] = points.get(sample.series.labels, 0.0) + sample.value
    lines: list[str] = []
    for name, family in FAMILIES.items():
        lines += [f"# HELP {name} {family.help}", f"# TYPE {name} {family.kind}"]
        if family.kind == "histogram":
            lines += _histogram(name, sums)
        else:
            points = sums.get(name, {})
            shown = (labels for labels in points if points[labels] or not name.endswith("_info"))
            lines += [_line(name, labels, points[labels]) for labels in sorted(shown)]
    return "\n".join([*lines, ""])


def _histogram(name: str, sums: dict[str, Points]) -> Iterator[str]:
    """Buckets are kept apart; here each one gets those below it added, and the last is the count."""
    buckets: dict[Labels, list[tuple[float, str, float]]] = {}
    for labels, value in sums.get(f"{name}_bucket", {}).items():
        limit = labels[-1][1]
        buckets.setdefault(labels[:-1], []).append((float(limit), limit, value))
    for labels in sorted(buckets):
        count = 0.0
        for _, limit, value in sorted(buckets[labels]):
            count += value
            yield _line(f"{name}_bucket", (*labels, ("le", limit)), count)
        yield _line(f"{name}_sum", labels, sums.get(f"{name}_sum", {}).get(labels, 0.0))
        yield _line(f"{name}_count", labels, count)


def _line(name: str, labels: Labels, value: float) -> str:
    written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    number = str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)
    return f"{name}{{{written}}} {number}" if written else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

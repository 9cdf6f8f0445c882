"""The picture of a run: a bar for each row, with the least and the most of its rounds as a line across its end."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any

from bench.svg import FAINT, GRID, INK, OTHERS, OURS, text

_WIDTH, _LABELS, _RIGHT, _LINE, _TOP = 860, 310, 90, 30, 52
_STEPS = 5


def svg(found: Mapping[str, Any]) -> str:
    """The whole picture."""
    rows = found["rows"]
    most: float = max(max(row["us"]) for row in rows.values())
    bottom, span = _TOP + _LINE * len(rows), _WIDTH - _LABELS - _RIGHT

    def across(value: float) -> float:
        """Where a figure is."""
        return float(_LABELS + value / most * span)

    made = [text(12, 26, "Processor time of a call, in microseconds (less is better)", size=17)]
    for step in range(_STEPS + 1):
        x = across(most * step / _STEPS)
        made.append(f'<line x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="{GRID}"/>')
        made.append(text(x, bottom + 16, f"{most * step / _STEPS:,.0f}", anchor="middle", size=11, colour=FAINT))
    for place, (name, row) in enumerate(rows.items()):
        made += _bar(row, _TOP + place * _LINE, across, OTHERS if row["over"] == name else OURS)
    caption = f"{found['taken'][:10]}, commit {found['commit']}; {len(next(iter(rows.values()))['us'])} rounds"
    made.append(text(12, bottom + 40, f"{caption}; blue: the plain call and the plain stream", size=11, colour=FAINT))
    height = bottom + 52
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" role="img" aria-label="Processor time of calls, responses and agents">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#ffffff"/>', *made, "</svg>", ""])


def _bar(row: Mapping[str, Any], top: float, across: Callable[[float], float], colour: str) -> list[str]:
    value, y = statistics.median(row["us"]), top + _LINE / 2
    width = across(value) - _LABELS
    low, high = across(min(row["us"])), across(max(row["us"]))
    return [
        text(_LABELS - 10, y + 4, row["title"].replace("`", ""), anchor="end", size=12),
        f'<rect x="{_LABELS}" y="{top + 6:.1f}" width="{width:.1f}" height="{_LINE - 12}" fill="{colour}"/>',
        f'<line x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}" stroke="{INK}" stroke-width="2"/>',
        text(max(high, across(value)) + 8, y + 4, f"{value:,.0f}", size=12),
    ]

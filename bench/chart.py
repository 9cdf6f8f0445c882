"""The picture of a run: CPU time of a call and of a stream for every stack, as dots on a logarithmic scale.

Dots, not bars: a logarithmic scale has no zero for a bar to stand on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.summary import Cost, Row
from bench.svg import FAINT, GRID, OTHERS, OURS, text
from bench.targets import OURS_ALL

_WIDTH, _LABELS, _RIGHT, _LINE, _TOP = 860, 190, 190, 30, 64
_COLOURS = {"ours": OURS, "policy": OTHERS, "plain": FAINT}
_LEGEND = (("ours", "this project"), ("policy", "gateways with policy"), ("plain", "plain proxies"))


@dataclass(frozen=True, kw_only=True)
class _Dot:
    title: str
    cost: Cost
    kind: str


def _kind(row: Row) -> str:
    if row.name in OURS_ALL:
        return "ours"
    return "policy" if row.has_policy else "plain"


def _dots(rows: Sequence[Row], costs: str, which: str) -> list[_Dot]:
    shown = [(row, getattr(row, costs).get(which)) for row in rows if row.state == "measured"]
    dots = [_Dot(title=row.title, cost=cost, kind=_kind(row)) for row, cost in shown if cost and cost.least]
    return sorted(dots, key=lambda dot: dot.cost.least or 0)


def _panel(heading: str, dots: Sequence[_Dot], top: float) -> tuple[list[str], float]:
    """One set of dots below a heading; returns its elements and where it ends."""
    values = [dot.cost.least for dot in dots if dot.cost.least]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    left, right = _LABELS, _WIDTH - _RIGHT
    bottom = top + 30 + _LINE * len(dots)

    def across(value: float) -> float:
        return left + (math.log10(value) - low) / (high - low) * (right - left)

    made = [text(12, top + 6, heading, size=15)]
    for power in range(low, high + 1):
        x = across(10**power)
        made.append(f'<line x1="{x:.1f}" y1="{top + 20}" x2="{x:.1f}" y2="{bottom}" stroke="{GRID}"/>')
        made.append(text(x, bottom + 16, f"{10**power:,.0f} µs", anchor="middle", size=11, colour=FAINT))
    for place, dot in enumerate(dots):
        y = top + 40 + place * _LINE
        value = dot.cost.least or 0
        ratio = "" if dot.cost.ratio is None else f" ({dot.cost.ratio:,.1f} x nginx)"
        made.append(text(left - 14, y + 4, dot.title, anchor="end"))
        made.append(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="{GRID}" stroke-dasharray="1 4"/>')
        made.append(f'<circle cx="{across(value):.1f}" cy="{y}" r="6" fill="{_COLOURS[dot.kind]}"/>')
        made.append(text(right + 14, y + 4, f"{value:,.0f} µs{ratio}", size=12))
    return made, bottom + 44


def svg(rows: Sequence[Row], caption: str) -> str:
    """The whole picture; a stack without a figure is named below it."""
    panels = (
        ("CPU time of a call, 32 connections", _dots(rows, "calls", "32")),
        ("CPU time of a stream of 102 events in 10 writes", _dots(rows, "streams", "10")),
    )
    made = [text(12, 24, "What a gateway's core spends (logarithmic scale; less is better)", size=17)]
    x = 12.0
    for kind, words in _LEGEND:
        made.append(f'<circle cx="{x + 6}" cy="42" r="5" fill="{_COLOURS[kind]}"/>')
        made.append(text(x + 16, 46, words, size=12, colour=FAINT))
        x += 40 + 7 * len(words)
    y = float(_TOP + 16)
    for heading, dots in panels:
        if dots:
            elements, y = _panel(heading, dots, y)
            made += elements
    absent = [f"{row.title} ({row.state})" for row in rows if row.state != "measured"]
    for line in (caption, f"Not shown: {', '.join(absent)}" if absent else ""):
        if line:
            made.append(text(12, y, line, size=11, colour=FAINT))
            y += 18
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}" width="{_WIDTH}" height="{y:.0f}" '
        'font-family="system-ui, sans-serif" role="img" aria-label="CPU time of a call and of a stream">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#ffffff"/>', *made, "</svg>", ""])

"""The page and the picture of a run of `bench.enrichment_peers`."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import paired_ratios
from bench.pipelines.measured import CONCURRENCY
from bench.state.page import ranged, told
from bench.svg import FAINT, INK, OTHERS, OURS, text

NAME = "enrichment"
_PAGE = Path(__file__).with_name("page.md")
_WIDTH, _LABELS, _RIGHT, _LINE, _TOP = 860, 250, 110, 30, 52


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    return _PAGE.read_text().format(
        name=NAME,
        date=found["taken"][:10],
        commit=found["commit"],
        machine=told(found["machine"]),
        rounds=len(found["load"]),
        concurrency=CONCURRENCY,
        overhead=f"{statistics.median(_overheads(found['rows'])):.0%}",
        table=_table(found["rows"]),
        memory=_memory(found["memory"]),
        busy=ranged([each["busy"] * 100 for each in found["load"]], "{:.0f}") + " %",
    )


def _overheads(rows: Mapping[str, Any]) -> list[float]:
    """What a row of a job takes beyond one that is landed with nothing that makes it land once."""
    plain, job = (dict(enumerate(rows[name]["cpu"])) for name in ("plain", "job"))
    return [each - 1 for each in paired_ratios(plain, job)]


def _table(rows: Mapping[str, Any]) -> str:
    lines = ["| | rows per CPU-second | rows | most memory | version |", "| --- | ---: | ---: | ---: | --- |"]
    for row in rows.values():
        cpu = row["cpu"]
        figure = f"{statistics.median(cpu):,.0f} ({min(cpu):,.0f} to {max(cpu):,.0f})"
        lines.append(f"| {row['title']} | {figure} | {row['rows']:,} | {max(row['peak']):,.0f} MB | {row['version']} |")
    return "\n".join(lines)


def _memory(memory: Sequence[Mapping[str, Any]]) -> str:
    """Of jobs over tables of several sizes."""
    if not memory:
        return "It was not measured in this run."
    lines = ["| a job over | most memory | rows per CPU-second |", "| ---: | ---: | ---: |"]
    lines += [f"| {each['rows']:,} rows | {each['peak']:,.0f} MB | {each['cpu']:,.0f} |" for each in memory]
    return "\n".join(lines)


def svg(found: Mapping[str, Any]) -> str:
    """A bar for each row, with the least and the most of its rounds as a line across its end."""
    rows = found["rows"]
    most = max(max(row["cpu"]) for row in rows.values())
    bottom, span = _TOP + _LINE * len(rows), _WIDTH - _LABELS - _RIGHT
    made = [text(12, 26, "Rows that a second of processor time enriches (more is better)", size=17)]
    for place, row in enumerate(rows.values()):
        top, value = _TOP + place * _LINE, statistics.median(row["cpu"])
        y = top + _LINE / 2
        low, mid, high = (_LABELS + each / most * span for each in (min(row["cpu"]), value, max(row["cpu"])))
        colour, width = OURS if row["ours"] else OTHERS, mid - _LABELS
        made += [
            text(_LABELS - 10, y + 4, row["title"], anchor="end", size=12),
            f'<rect x="{_LABELS}" y="{top + 6:.1f}" width="{width:.1f}" height="{_LINE - 12}" fill="{colour}"/>',
            f'<line x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}" stroke="{INK}" stroke-width="2"/>',
            text(high + 8, y + 4, f"{value:,.0f}", size=12),
        ]
    caption = f"{found['taken'][:10]}, commit {found['commit']}; {len(found['load'])} rounds"
    made.append(text(12, bottom + 24, caption, size=11, colour=FAINT))
    height = bottom + 36
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" role="img" aria-label="Rows enriched in a second of processor time">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#ffffff"/>', *made, "</svg>", ""])

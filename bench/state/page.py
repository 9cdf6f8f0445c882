"""The page about a run of `bench.responses_cost`."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.figures import paired_ratios

NAME = "responses"

_PAGE = Path(__file__).with_name(f"{NAME}.md")


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    load, plan = found["load"], found["plan"]
    return _PAGE.read_text().format(
        name=NAME,
        date=found["taken"][:10],
        commit=found["commit"],
        machine=told(found["machine"]),
        table=_table(found["rows"]),
        busy=ranged([each["busy"] * 100 for each in load], "{:.0f}") + " %",
        average=ranged([each["average"] for each in load], "{:.1f}"),
        **plan,
    )


def told(machine: Mapping[str, Any]) -> str:
    """What a run was taken on, in words."""
    return "{cpu}, {cores} cores, {memory_gib} GiB, {system}, Linux {kernel}, Python {python}".format(**machine)


def ranged(values: list[float], form: str) -> str:
    """From the least to the most."""
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def ratios(rows: Mapping[str, Any], name: str) -> list[float]:
    """Of a row to the one it is compared with, round by round."""
    mine, base = rows[name]["us"], rows[rows[name]["over"]]["us"]
    return paired_ratios(dict(enumerate(mine)), dict(enumerate(base)))


def _table(rows: Mapping[str, Any]) -> str:
    lines = ["| | µs, median | µs, least | over the plain call |", "| --- | ---: | ---: | ---: |"]
    for name, row in rows.items():
        of = ratios(rows, name)
        over = "1" if row["over"] == name else f"{statistics.median(of):.1f} x ({min(of):.1f} to {max(of):.1f})"
        lines.append(f"| {row['title']} | {statistics.median(row['us']):,.0f} | {min(row['us']):,.0f} | {over} |")
    return "\n".join(lines)

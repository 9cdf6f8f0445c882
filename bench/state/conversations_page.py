"""The page about a run of `bench.conversations_cost`."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.state.page import ranged, told

NAME = "conversations"

_PAGE = Path(__file__).with_name(f"{NAME}.md")


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    lines = ["| | p50, ms | p99, ms |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {spread(each, 'p50')} | {spread(each, 'p99')} |" for name, each in found["rows"].items()]
    return _PAGE.read_text().format(
        name=NAME,
        date=found["taken"][:10],
        commit=found["commit"],
        machine=told(found["machine"]),
        store=found["store"],
        table="\n".join(lines),
        fill=found["fill_seconds"],
        busy=ranged([each["busy"] * 100 for each in found["load"]], "{:.0f}") + " %",
        average=ranged([each["average"] for each in found["load"]], "{:.1f}"),
        **found["plan"],
    )


def spread(rounds: Sequence[Mapping[str, float]], which: str) -> str:
    """The median of the rounds, the least and the most of them in brackets."""
    values = [each[which] for each in rounds]
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"

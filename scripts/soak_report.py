"""The page that a soak leaves in docs/soak: what the tests recorded, and nothing else.

A test records a figure with pytest's `record_property(name, value)`, and a table with a name that begins with
`TABLE` and its rows as JSON, the head first.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree as ET  # the file is written by the pytest that we start

TABLE = "table: "


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How one test went, and what it recorded."""

    name: str
    outcome: str
    seconds: float
    figures: tuple[tuple[str, str], ...] = ()


def results(report: ET.Element) -> Iterator[Result]:
    """The results in a report in JUnit's format, in the order in which the tests ran."""
    for case in report.iter("testcase"):
        outcome = next((tag for tag in ("error", "failure", "skipped") if case.find(tag) is not None), "passed")
        module = case.get("classname", "").rpartition(".")[2]
        yield Result(
            name="::".join(filter(None, [module, case.get("name", "")])),
            outcome=outcome,
            seconds=float(case.get("time", "0")),
            figures=tuple((item.get("name", ""), item.get("value", "")) for item in case.iter("property")),
        )


def markdown(found: list[Result], facts: dict[str, str]) -> str:
    """The page."""
    lines = [f"# Soak of {facts['Date']}, commit {facts['Commit']}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", *table(["test", "outcome", "seconds"], [_row_of(result) for result in found])]
    for result in found:
        if result.figures:
            lines += ["", f"## {result.name}", *_recorded(result.figures)]
    return "\n".join([*lines, ""])


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table."""
    return [_line(head), f"|{'---|' * len(head)}", *map(_line, rows)]


def _row_of(result: Result) -> list[str]:
    return [result.name, result.outcome, f"{result.seconds:.1f}"]


def _recorded(figures: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for is_table, group in groupby(figures, key=lambda figure: figure[0].startswith(TABLE)):
        if not is_table:
            yield from ("", *table(["figure", "value"], [list(figure) for figure in group]))
            continue
        for name, value in group:
            head, *rows = json.loads(value)
            yield from ("", f"{name.removeprefix(TABLE)}:", "", *table(head, rows))


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(value: object) -> str:
    """The value as it may stand in a table."""
    return str(value).replace("|", "\\|").replace("\n", " ")

"""A measured figure beside the bound that it is held to."""

from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the report. `reached` is None where a figure has no bound."""

    part: str
    """What was done, in the words of the report."""
    what: str
    found: str
    bound: str = ""
    reached: bool | None = None


def table(figures: Sequence[Figure]) -> str:
    """The figures as Markdown, part by part."""
    lines: list[str] = []
    for part in dict.fromkeys(each.part for each in figures):
        lines += [f"## {part}", "", "| | found | bound | held |", "| --- | ---: | ---: | --- |"]
        lines += [
            f"| {each.what} | {each.found} | {each.bound} | {_said(each.reached)} |"
            for each in figures
            if each.part == part
        ]
        lines.append("")
    return "\n".join(lines)


def _said(reached: bool | None) -> str:
    return "" if reached is None else "yes" if reached else "**no**"

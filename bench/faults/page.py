"""The page about the record: docs/reliability.md."""

from pathlib import Path

from bench.faults.figures import table
from bench.faults.record import Entry, Record

CHART = "reliability.svg"
_PAGE = Path(__file__).parent / "page.md"


def markdown(record: Record) -> str:
    """The whole page."""
    latest = max(record.values(), key=lambda each: each.taken).machine
    return _PAGE.read_text().format(
        summary=_summary(record),
        parts="\n\n".join(_section(each) for each in record.values()),
        chart=CHART,
        cpu=latest["cpu"],
        cores=latest["cores"],
        python=latest["python"],
        system=latest["system"],
    )


def _summary(record: Record) -> str:
    lines = ["| part | targets reached | taken | commit | seconds |", "| --- | --- | --- | --- | ---: |"]
    for each in record.values():
        held = [figure.reached for figure in each.figures if figure.reached is not None]
        count = f"{sum(held)} of {len(held)}"
        lines.append(
            f"| [{each.title}](#{_anchor(each.title)}) | {count if each.reached else f'**{count}**'} | {each.taken} "
            f"| `{each.commit}` | {each.seconds} |"
        )
    return "\n".join(lines)


def _anchor(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _section(part: Entry) -> str:
    lines = [f"## {part.title}", "", part.done, "", table(part.figures)]
    if part.fired:
        counts = ", ".join(f"{name} {times:,}" for name, times in part.fired.items())
        lines += ["", f"Faults that took place: {counts}."]
    return "\n".join(lines)

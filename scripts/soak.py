"""Run the long tier, tests/soak, and write its dated report to docs/soak/.

Usage: python -m scripts.soak [pytest arguments]. A test records its figures with pytest's `record_property`; the
report prints what was recorded and nothing else. The exit status is pytest's.
"""

import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET  # the file is written by the pytest that we start

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "docs" / "soak"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How one test went, and the figures that it recorded."""

    name: str
    outcome: str
    seconds: float
    figures: tuple[tuple[str, str], ...]


def results(report: ET.Element) -> Iterator[Result]:
    """The results in a report in JUnit's format, in the order in which the tests ran."""
    for case in report.iter("testcase"):
        outcome = next((tag for tag in ("error", "failure", "skipped") if case.find(tag) is not None), "passed")
        module = case.get("classname", "").rpartition(".")[2]
        yield Result(
            name=f"{module}::{case.get('name', '')}",
            outcome=outcome,
            seconds=float(case.get("time", "0")),
            figures=tuple((item.get("name", ""), item.get("value", "")) for item in case.iter("property")),
        )


def markdown(found: list[Result], facts: dict[str, str]) -> str:
    """The report as a page of the docs."""
    lines = [f"# Soak of {facts['Date']}, commit {facts['Commit']}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "| test | outcome | seconds |", "|---|---|---|"]
    lines += [f"| {cell(result.name)} | {result.outcome} | {result.seconds:.1f} |" for result in found]
    for result in found:
        if result.figures:
            lines += ["", f"## {result.name}", "", "| figure | value |", "|---|---|"]
            lines += [f"| {cell(name)} | {cell(value)} |" for name, value in result.figures]
    return "\n".join([*lines, ""])


def cell(text: str) -> str:
    """The text as it may stand in a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def git(*arguments: str) -> str:
    """What git answers."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def machine() -> str:
    """Processor, cores and memory of this machine."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {memory} GiB, {platform.system()}"


def main() -> int:
    """Run the tests, write the report."""
    changed = " with uncommitted changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    now = dt.datetime.now(dt.UTC)
    facts = {
        "Date": f"{now:%Y-%m-%d}",
        "Commit": git("rev-parse", "--short=12", "HEAD") + changed,
        "Python": platform.python_version(),
        "Machine": machine(),
        "Command": " ".join(["make soak", *(["ARGS=" + " ".join(sys.argv[1:])] if sys.argv[1:] else [])]),
    }
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results.xml"
        settings = ["--override-ini=timeout=3600", "--override-ini=junit_family=xunit1", f"--junit-xml={output}"]
        command = [sys.executable, "-m", "pytest", "tests/soak", *settings, *sys.argv[1:]]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        found = list(results(ET.parse(output).getroot())) if output.exists() else []  # noqa: S314 - our own file
    if found:
        REPORTS.mkdir(parents=True, exist_ok=True)
        path = REPORTS / f"{now:%Y-%m-%d}-{git('rev-parse', '--short=12', 'HEAD')}.md"
        path.write_text(markdown(found, facts), encoding="utf-8")
        print(f"report: {path.relative_to(ROOT)}")
    return status


if __name__ == "__main__":
    sys.exit(main())

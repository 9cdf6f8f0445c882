"""Run the long tier, tests/soak, and write its dated report to docs/soak/.

Usage: python -m scripts.soak [pytest arguments], such as `-k slow_clients`. SOAK_MINUTES in the environment says about
how long it takes: counts and times of the tests follow it.

Each file of tests/soak is a part, and runs alone in a process of its own: no part disturbs another's figures, and one
that dies or hangs costs no other's. The report is written anew after every part, so what was found is kept whatever
happens to this process. The exit status is 0 when every part passed.
"""

import datetime as dt
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET  # the file is written by the pytest that we start

from scripts.soak_report import Result, markdown, results

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "docs" / "soak"
USUAL_MINUTES = 40.0
LONGEST = 1_800.0
"""Seconds after which a part is stopped, in a soak as long as usual."""
LAST_WORDS = 60.0
"""Seconds in which a part that is stopped may write down what it found."""
SETTINGS = ("--quiet", "--no-header", "--numprocesses=0", "--override-ini=junit_family=xunit1")
PASSED, FAILED, NOTHING_TO_RUN = 0, 1, 5
"""Exit statuses of a pytest that came to its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What came of one file of tests."""

    found: list[Result]
    passed: bool


def run(file: str, arguments: list[str], *, longest: float) -> Part:
    """Run the tests of a file, for at most so many seconds."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", file, *SETTINGS, f"--junit-xml={output}", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        try:
            status = process.wait(longest)
            ended = f"ended with status {status}"
        except subprocess.TimeoutExpired:
            status, ended = None, f"stopped after {longest:.0f} s"
        finally:
            stop(process)
        found = list(results(ET.parse(output).getroot())) if output.exists() else []  # noqa: S314 - our own file
    if status not in {PASSED, FAILED, NOTHING_TO_RUN}:
        found.append(Result(name=Path(file).stem, outcome=ended, seconds=time.monotonic() - began))
    return Part(found=found, passed=status in {PASSED, NOTHING_TO_RUN})


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a part that has not ended, and all that it started. First as Ctrl-C does, so that it writes what it found."""
    for kind in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, kind)
            try:
                process.wait(LAST_WORDS)
            except subprocess.TimeoutExpired:
                continue


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


def soak(files: list[str], arguments: list[str], *, facts: dict[str, str], report: Path, longest: float) -> bool:
    """Run the files one after the other and write the report after each. Whether there was a test and all passed."""
    began = time.monotonic()
    found: list[Result] = []
    passed = True
    for number, file in enumerate(files, 1):
        part = run(file, arguments, longest=longest)
        found += part.found
        passed = passed and part.passed
        took = {"Parts": f"{number} of {len(files)}, in {(time.monotonic() - began) / 60:.0f} minutes"}
        if found:
            report.parent.mkdir(parents=True, exist_ok=True)
            report.write_text(markdown(found, facts | took), encoding="utf-8")
    return passed and bool(found)


def main(arguments: list[str]) -> int:
    """Run the long tier."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))  # so that the part that runs is stopped too
    minutes = float(os.environ.setdefault("SOAK_MINUTES", f"{USUAL_MINUTES:g}"))
    now, commit = dt.datetime.now(dt.UTC), git("rev-parse", "--short=12", "HEAD")
    changed = " with uncommitted changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    options = f" ARGS='{shlex.join(arguments)}'" if arguments else ""
    facts = {
        "Date": f"{now:%Y-%m-%d}",
        "Commit": commit + changed,
        "Python": platform.python_version(),
        "Machine": machine(),
        "Command": f"make soak SOAK_MINUTES={minutes:g}{options}",
    }
    files = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests" / "soak").glob("test_*.py"))]
    report = REPORTS / f"{now:%Y-%m-%d}-{commit}.md"
    longest = LONGEST * max(1.0, minutes / USUAL_MINUTES)
    passed = soak(files, arguments, facts=facts, report=report, longest=longest)
    print(f"report: {report.relative_to(ROOT)}" if report.exists() else "no test was chosen")
    return PASSED if passed else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

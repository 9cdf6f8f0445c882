"""`python -m bench`: run the comparison, show it, write it down."""

import argparse
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from bench.alone import alone
from bench.chart import svg
from bench.errors import BenchError
from bench.plan import QUICK, Plan
from bench.report import CHART, cpu_table, markdown, targets_table
from bench.rounds import Wish, record
from bench.stacks import Stack, every_stack
from bench.summary import summarise
from bench.targets import OURS_ALL
from bench.verdict import objections, whole

_ROOT = Path(__file__).resolve().parent.parent
_WORK = Path(__file__).resolve().parent / ".work"
_PUBLISHED = _ROOT / "docs" / "benchmarks"
_ALWAYS = ("direct", *OURS_ALL)
_EXPLANATION = f"""\
Measures CPU, latency and memory of this gateway beside others on one machine, and writes Markdown, JSON and a chart.
A run that is long enough, has every row and had the machine to itself goes to docs/benchmarks/, any other to
bench/.work/report/.
BENCH_PEERS chooses the peers: {", ".join(s.name for s in every_stack() if s.name not in _ALWAYS)}.
Exit status: 0 every chosen row was measured; 1 a row is missing or failed; 2 usage;
3 the machine lacks something, or another run is under way.
Needs two cores, gcc, and the headers of Python and OpenSSL; everything else is fetched into bench/.work/.
"""


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=_EXPLANATION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds (default {Plan().rounds})")
    parser.add_argument("--seconds", type=float, help=f"length of one measurement (default {Plan().seconds:g})")
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, not how fast it is")
    parser.add_argument("--skip", action="append", default=[], metavar="NAME", help="leave out one row, also our own")
    parser.add_argument("--json", action="store_true", help="print the record instead of the tables")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the report goes")
    parser.add_argument("--render", type=Path, metavar="FILE", help="measure nothing: make the report of a record anew")
    return parser.parse_args(words)


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else Plan()
    given = {name: getattr(options, name) for name in ("rounds", "seconds") if getattr(options, name) is not None}
    return dataclasses.replace(plan, **given)


def choose(stacks: Sequence[Stack], peers: str, skipped: Sequence[str]) -> tuple[list[Stack], list[Stack]]:
    """Which stacks to measure and which not; raise `ValueError` for a name that no stack has."""
    wanted = set(peers.replace(",", " ").split())
    unknown = sorted((wanted | set(skipped)) - {stack.name for stack in stacks})
    if unknown:
        raise ValueError(f"no such row: {', '.join(unknown)}; there are {', '.join(s.name for s in stacks)}")
    chosen = [
        stack
        for stack in stacks
        if stack.name not in skipped and (not wanted or stack.name in wanted or stack.name in _ALWAYS)
    ]
    return chosen, [stack for stack in stacks if stack not in chosen]


def _write(found: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = summarise(found)
    caption = f"{found['taken'][:10]}, commit {found['commit']}, {found['machine']['cpu']}; least of the rounds"
    (folder / "data-plane.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    (folder / "data-plane.md").write_text(markdown(found))
    (folder / CHART).write_text(svg(rows, caption))
    _say(f"written: {folder / 'data-plane.md'}")


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    raise SystemExit(128 + number)


def main(words: Sequence[str] | None = None) -> int:
    """Run it; returns the exit status."""
    options = _options(words)
    signal.signal(signal.SIGTERM, _stop)
    plan = _plan(options)
    try:
        chosen, excluded = choose(every_stack(), os.environ.get("BENCH_PEERS", ""), options.skip)
    except ValueError as error:
        _say(str(error))
        return 2
    if options.render:
        found = json.loads(options.render.read_text())
        folder = options.out or options.render.parent
    else:
        try:
            with alone(_WORK):
                found = record(Wish(chosen=chosen, excluded=excluded, plan=plan, root=_ROOT, work=_WORK), _say)
        except BenchError as error:
            _say(str(error))
            return 3
        raised = objections(found, plan)
        folder = options.out or (_WORK / "report" if raised else _PUBLISHED)
        if raised:
            _say(f"not for publishing: {'; '.join(raised)}")
    _write(found, folder)
    rows = summarise(found)
    print(json.dumps(found) if options.json else f"{cpu_table(rows)}\n\n{targets_table(found, rows)}")
    for row in rows:
        reasons = () if row.state == "excluded" else row.problems or (row.reason,)
        for reason in filter(None, reasons):
            _say(f"{row.title} ({row.state}): {reason}")
    return 0 if whole(found) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

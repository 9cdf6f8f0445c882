"""`python -m bench.faults`: run the parts, show the figures, write docs/reliability.md."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec

from bench.alone import alone
from bench.errors import BenchError
from bench.faults import chart, page, record
from bench.faults.figures import Stage, table
from bench.faults.parts import PARTS

_ROOT = Path(__file__).resolve().parent.parent.parent
_WORK = _ROOT / "bench" / ".work"
_PAGE = _ROOT / "docs" / "reliability.md"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parser.add_argument("--short", action="store_true", help="seconds of each: shows that it works, and writes no page")
    parser.add_argument("--json", action="store_true", help="print the figures, and write no page")
    return parser.parse_args(words)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    raise SystemExit(128 + number)


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 all targets reached, 1 one was not, 2 no such part, 3 the machine lacks something."""
    options = _options(words)
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        _say(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
        return 2
    signal.signal(signal.SIGTERM, _stop)
    found: record.Record = {}
    try:
        with alone(_WORK):
            for name in options.parts or PARTS:
                found[name] = _run(name, short=options.short)
                if not (options.short or options.json):
                    _write(found)
    except BenchError as error:
        _say(str(error))
        return 3
    if options.json:
        print(msgspec.json.encode(found).decode())
    return 0 if all(each.reached for each in found.values()) else 1


def _run(name: str, *, short: bool) -> record.Entry:
    part, began = PARTS[name], time.monotonic()
    _say(f"{name}: {part.title}")
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(folder=Path(folder), short=short, say=lambda words: _say(f"  {words}"))
        outcome = asyncio.run(part.measure(stage))
    made = record.entry(part, outcome, root=_ROOT, seconds=time.monotonic() - began)
    _say(f"{table(made.figures)}\nfaults: {made.fired}\n")
    return made


def _write(found: record.Record) -> None:
    """Put what was found in its place among what is known, and write page, JSON and picture anew."""
    kept = record.read(_PAGE.with_suffix(".json")) | found
    kept = {name: kept[name] for name in PARTS if name in kept}
    record.write(_PAGE.with_suffix(".json"), kept)
    _PAGE.write_text(page.markdown(kept))
    drawn = next((each for each in kept.values() if each.series), None)
    if drawn:
        caption = f"{drawn.taken}, commit {drawn.commit}, {drawn.machine['cpu']}"
        _PAGE.with_name(page.CHART).write_text(chart.svg(drawn.series, caption))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

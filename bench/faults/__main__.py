"""`python -m bench.faults`: run every part, show the figures, write docs/reliability.md."""

import argparse
import asyncio
import datetime as dt
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import msgspec

from bench import machine
from bench.errors import BenchError
from bench.faults import idle_streams
from bench.faults.figures import Figure, table

Part = Callable[[Path], Coroutine[None, None, list[Figure]]]

PARTS: Mapping[str, Part] = {"idle_streams": idle_streams.measure}

_ROOT = Path(__file__).resolve().parent.parent.parent
_PAGE = _ROOT / "docs" / "reliability.md"
_OPENING = """\
# Reliability in figures

`python -m bench.faults` starts the server as a program of its own, puts hosts behind it that misbehave and are the
ground truth, and writes this page. What `make soak` tries for hours is in [its reports](soak/).

Taken {taken} of commit `{commit}` on {cpu}, {cores} cores, Python {python}.

"""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="print the figures, and write no page")
    return parser.parse_args()


def main() -> int:
    """The exit status: 0 all bounds held, 1 one did not, 2 no such part, 3 the machine lacks something."""
    options = _options()
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    try:
        for name in options.parts or PARTS:
            print(f"{name} …", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory() as folder:
                figures += asyncio.run(PARTS[name](Path(folder)))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 3
    if options.json:
        print(msgspec.json.encode(figures).decode())
    else:
        print(table(figures))
    if not (options.parts or options.json):
        _PAGE.write_text(_opening() + table(figures))
    return 1 if any(each.reached is False for each in figures) else 0


def _opening() -> str:
    facts = machine.describe()
    return _OPENING.format(
        taken=dt.datetime.now(dt.UTC).date().isoformat(),
        commit=machine.commit(_ROOT),
        cpu=facts["cpu"],
        cores=facts["cores"],
        python=facts["python"],
    )


if __name__ == "__main__":
    sys.exit(main())

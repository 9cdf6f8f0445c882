"""`python -m bench.enrichment_peers`: rows enriched in a second of processor time, beside other ways to do it.

Ours as `bench.enrichment` measures it, OpenAI's own client in asyncio, Daft and openaivec: the same rows, the same
host, one run, each contestant in an environment and a process of its own. `--memory` measures jobs over tables of
several sizes besides. `--out FOLDER` writes the page, its figures and its chart.
"""

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from bench import environments, machine, payloads
from bench.alone import alone
from bench.enrichment import ANSWER, WORK, batches, measured
from bench.errors import BenchError, FailedError
from bench.pipelines.page import NAME, markdown, svg
from bench.processes import Cores
from bench.state.files import say, write
from bench.upstream import upstream

_ROOT = Path(__file__).resolve().parent.parent
_LOOK_SECONDS, _PATIENCE = 2.0, 600
_QUIET = {"DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "1", "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One way to do it. `module` is empty for ours; `batch` is how many rows it puts into a request."""

    name: str
    title: str
    rows: int
    module: str = ""
    package: str = ""
    requirements: tuple[str, ...] = ()
    batch: int = 0


CONTESTANTS = (
    Contestant(name="core", title="Forehearth, the core", rows=40_000),
    Contestant(name="plain", title="Forehearth, without once-only", rows=40_000),
    Contestant(name="job", title="Forehearth, a job", rows=40_000),
    Contestant(
        name="openai",
        title="openai SDK in asyncio",
        rows=3_000,
        module="openai_sdk",
        package="openai",
        requirements=("openai", "pyarrow"),
    ),
    Contestant(
        name="daft",
        title="Daft, prompt()",
        rows=1_000,
        module="daft_prompt",
        package="daft",
        requirements=("daft[openai]", "pyarrow"),
    ),
    Contestant(
        name="openaivec",
        title="openaivec, 1 row a request",
        rows=1_000,
        module="openaivec_rows",
        package="openaivec",
        requirements=("openaivec", "pyarrow"),
        batch=1,
    ),
    Contestant(
        name="openaivec-50",
        title="openaivec, 50 rows a request",
        rows=20_000,
        module="openaivec_rows",
        package="openaivec",
        requirements=("openaivec", "pyarrow"),
        batch=50,
    ),
)


def reply(batch: int) -> bytes:
    """What the host answers: a chat completion, or a response for so many rows."""
    if not batch:
        return payloads.call_response(json.dumps(ANSWER))
    said = json.dumps({"assistant_messages": [{"id": at, "body": ANSWER} for at in range(batch)]})
    return payloads.http_response(payloads.response_body(said))


def one(contestant: Contestant, work: Path, cores: Cores) -> dict[str, float]:
    """What one contestant reaches in one round."""
    with upstream(work, core=cores.load, reply=reply(contestant.batch)) as host:
        if not contestant.module:
            return measured(contestant.name, contestant.rows, host.base_url, cores.gateway)
        with tempfile.TemporaryDirectory(dir=work) as folder:
            table, out = Path(folder) / "in.parquet", Path(folder) / "out.parquet"
            pa.parquet.write_table(pa.Table.from_batches(batches(contestant.rows)), table)
            words = [str(_interpreter(contestant)), "-m", f"bench.pipelines.{contestant.module}"]
            words += [str(table), str(out), host.base_url, *([str(contestant.batch)] if contestant.batch else [])]
            return _told(["taskset", "-c", str(cores.gateway), *words], folder)


def _told(command: Sequence[str], home: str) -> dict[str, float]:
    try:
        done = subprocess.run(
            command,
            cwd=_ROOT,
            env={**_QUIET, "HOME": home},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"{command[-4]} did not end within {_PATIENCE} s") from None
    if done.returncode:
        raise FailedError(f"{' '.join(command[4:6])} failed: {done.stderr.strip()[-500:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _interpreter(contestant: Contestant) -> Path:
    return environments.python(WORK / f"pipeline-{contestant.package}", contestant.requirements)


def _version(contestant: Contestant) -> str:
    if not contestant.module:
        return "this commit"
    return environments.python_version(_interpreter(contestant), contestant.package)


def measure(rounds: int, memory: Sequence[int]) -> dict[str, Any]:
    """One run, as it is written down."""
    cores = Cores.choose()
    found: dict[str, Any] = {
        "taken": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": machine.commit(_ROOT),
        "machine": machine.describe(),
        "load": [],
        "memory": [],
        "rows": {
            each.name: {
                "title": each.title,
                "ours": not each.module,
                "version": _version(each),
                "rows": each.rows,
                "cpu": [],
                "wall": [],
                "peak": [],
            }
            for each in CONTESTANTS
        },
    }
    for turn in range(rounds):
        found["load"].append({"busy": machine.busy_share(_LOOK_SECONDS)})
        for each in CONTESTANTS if turn % 2 == 0 else reversed(CONTESTANTS):
            figures = one(each, WORK, cores)
            for name, value in figures.items():
                found["rows"][each.name][name].append(round(value, 1))
            say(f"round {turn + 1}/{rounds} {each.title}: {figures['cpu']:,.0f} rows per CPU-second")
    for rows in memory:
        with upstream(WORK, core=cores.load, reply=reply(0)) as host:
            figures = measured("job", rows, host.base_url, cores.gateway)
        found["memory"].append({"rows": rows, **{name: round(value, 1) for name, value in figures.items()}})
        say(f"a job over {rows:,} rows: {figures['peak']:,.0f} MB, {figures['cpu']:,.0f} rows per CPU-second")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.enrichment_peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--memory", type=int, nargs="*", default=[], metavar="ROWS", help="sizes of jobs over big tables"
    )
    parser.add_argument("--out", type=Path, help="a folder to write the report to")
    parser.add_argument("--render", type=Path, metavar="FILE", help="measure nothing: make the report of a record anew")
    options = parser.parse_args(words)
    try:
        if options.render:
            found = json.loads(options.render.read_text())
        else:
            with alone(WORK):
                found = measure(options.rounds, options.memory)
    except BenchError as error:
        say(f"bench: {error}")
        return 1
    if options.out:
        write(found, options.out, NAME, page=markdown, chart=svg)
    else:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

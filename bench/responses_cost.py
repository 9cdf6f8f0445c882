"""`python -m bench.responses_cost`: what responses and turns of an agent cost over a plain call, in processor time.

A real server with one worker stands before the mock of the other benchmarks, its state in its data directory; the
whole process tree's microseconds are taken, by the scheduler's accounting. All rows take turns within each round, so
their ratios are of the same minute. `--out FOLDER` writes the page, its figures and its chart.
"""

import argparse
import contextlib
import dataclasses
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bench.alone import alone
from bench.errors import BenchError, FailedError
from bench.figures import least, median
from bench.processes import Cores, Running, free_port, running
from bench.stacks.base import fresh_key
from bench.state.asking import Client
from bench.state.cases import CASES, Case, Stage
from bench.state.chart import svg
from bench.state.files import say, write
from bench.state.page import NAME, markdown
from bench.upstream import upstream

_ROOT = Path(__file__).resolve().parent.parent
WORK = Path(__file__).parent / ".work"
_LOOK_SECONDS, _SETTLE_SECONDS, _PATIENCE = 0.5, 0.3, 30.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured: rounds, calls of each row in a round, and how many of them are under way at once."""

    rounds: int = 9
    calls: int = 800
    connections: int = 16


def cpu_seconds(started: Running) -> float:
    """Processor time of the whole tree in the clocks' own fine steps; a process' clock counts its ended threads."""
    return sum(time.clock_gettime(_clock_of(pid)) for pid in started.tree())


def _clock_of(pid: int) -> int:
    """As `clock_getcpuclockid(3)` has it on Linux: the process' id in the upper bits, the scheduler's clock below."""
    return (~pid << 3) | 2


@contextlib.contextmanager
def served(folder: Path, base_url: str, core: int) -> Iterator[tuple[Running, int, str, str]]:
    """The server as a user starts it, with the development issuer: itself, its port, a key, and a token."""
    port, key, data = free_port(), fresh_key(), folder / "data"
    config = {
        "version": 1,
        "server": {"port": port, "tls_port": None},
        "backends": {"mock": {"provider": "openai_compatible", "base_url": base_url, "api_key": "${BENCH_KEY}"}},
        "deployments": {"bench": {"backends": [{"backend": "mock"}]}},
    }
    (folder / "forehearth.yaml").write_text(json.dumps(config))
    program = str(Path(sys.executable).with_name("forehearth"))
    command = [program, "serve", "--config", "forehearth.yaml", "--data-dir", str(data), "--workers", "1"]
    variables = {"FOREHEARTH_API_KEY": key, "BENCH_KEY": fresh_key()}
    with running([*command, "--dev-issuer"], core=core, folder=folder, variables=variables) as started:
        yield started, port, key, _token(program, data, started)


def _token(program: str, data: Path, started: Running) -> str:
    """One of the development issuer, as soon as there is one."""
    until, last = time.monotonic() + _PATIENCE, ""
    while time.monotonic() < until and not started.ended():
        command = [program, "token", "--data-dir", str(data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
        last = done.stderr.strip()
        time.sleep(0.2)
    raise FailedError(f"no token ({last}): {started.last_words()}")


def measure(plan: Plan, work: Path) -> dict[str, Any]:
    """One run, as it is written down."""
    cores = Cores.choose()
    found: dict[str, Any] = {
        "taken": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": machine.commit(_ROOT),
        "machine": machine.describe(),
        "plan": dataclasses.asdict(plan),
        "load": [],
        "rows": {each.name: {"title": each.title, "over": each.over, "us": []} for each in CASES},
    }
    with (
        tempfile.TemporaryDirectory(dir=work) as folder,
        upstream(work, cores.load) as mock,
        served(Path(folder), mock.base_url, cores.gateway) as (started, port, key, token),
        Client(port, plan.connections) as client,
    ):
        os.sched_setaffinity(0, {cores.load})
        stage = Stage(client, key, token)
        for each in CASES:
            _cost(each, stage, client, started, max(plan.connections, plan.calls // 4))
        for turn in range(plan.rounds):
            found["load"].append({"busy": machine.busy_share(_LOOK_SECONDS), "average": os.getloadavg()[0]})
            for each in CASES if turn % 2 == 0 else reversed(CASES):
                cost = _cost(each, stage, client, started, plan.calls)
                found["rows"][each.name]["us"].append(round(cost, 1))
            say(f"round {turn + 1} of {plan.rounds}: {_gist(found['rows'])}")
    return found


def _cost(case: Case, stage: Stage, client: Client, started: Running, calls: int) -> float:
    """Microseconds of processor time for one call of a row, with what the server still does after it has answered."""
    asked = [(each.encoded(), each.expects) for each in case.ask(stage, calls)]
    time.sleep(_SETTLE_SECONDS)
    before = cpu_seconds(started)
    client.all(asked)
    time.sleep(_SETTLE_SECONDS)
    return (cpu_seconds(started) - before) / calls * 1e6


def _gist(rows: dict[str, Any]) -> str:
    return ", ".join(f"{name} {each['us'][-1]:.0f}" for name, each in rows.items())


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.responses_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--calls", type=int, default=Plan.calls, help="of each row in each round")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, help="a folder to write the report to")
    parser.add_argument("--render", type=Path, metavar="FILE", help="measure nothing: make the report of a record anew")
    options = parser.parse_args(words)
    try:
        if options.render:
            found = json.loads(options.render.read_text())
        else:
            with alone(WORK):
                found = measure(Plan(rounds=options.rounds, calls=options.calls), WORK)
    except BenchError as error:
        say(f"bench: {error}")
        return 1
    if options.out:
        write(found, options.out, NAME, page=markdown, chart=svg)
    if options.json:
        print(json.dumps(found))
    else:
        for each in found["rows"].values():
            print(f"{each['title']:<48} {median(each['us']):7.0f} µs, {least(each['us']):7.0f} at least")
    return 0


if __name__ == "__main__":
    sys.exit(main())

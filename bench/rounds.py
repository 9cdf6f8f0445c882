"""All stacks, interleaved round by round, into one record that the report is made from."""

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import compiler, machine
from bench.errors import UnavailableError
from bench.plan import Plan
from bench.processes import Cores
from bench.stacks import Stack
from bench.turn import Bench, growth, take
from bench.upstream import upstream
from bench.verdict import QUIET

Say = Callable[[str], None]
GROWN = "forehearth"
"""The stack whose memory is watched over many calls."""

_LOOK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to measure."""

    chosen: Sequence[Stack]
    excluded: Sequence[Stack]
    plan: Plan
    root: Path
    work: Path


def record(wish: Wish, say: Say) -> dict[str, Any]:
    """Prepare every stack, run the rounds, and write down what was found, failures included."""
    wish.work.mkdir(parents=True, exist_ok=True)
    cores = Cores.choose()
    load = compiler.build("load", wish.work)
    found: dict[str, Any] = {
        "taken": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": machine.commit(wish.root),
        "machine": machine.describe(),
        "plan": dataclasses.asdict(wish.plan),
        "stacks": {},
    }
    rows: dict[str, Any] = found["stacks"]
    ready = [stack for stack in wish.chosen if _prepared(stack, wish.work, rows, say)]
    for stack in wish.excluded:
        rows[stack.name] = _row(stack, state="excluded", reason="excluded by BENCH_PEERS")
    with upstream(wish.work, cores.load) as mock:
        bench = Bench(cores=cores, upstream=mock, load=load, plan=wish.plan, work=wish.work)
        _all_rounds(bench, ready, rows, say)
        watched = next((stack for stack in ready if stack.name == GROWN), None)
        if watched:
            say(f"memory over {wish.plan.growth_calls:,} calls: {watched.title}")
            grown = growth(bench, watched)
            found["growth"] = grown.figures | {"problems": grown.problems}
    for row in rows.values():
        if row["state"] == "measured" and not any(figures.get("calls") for figures in row["rounds"].values()):
            row |= {"state": "failed", "reason": row["problems"][0] if row["problems"] else "no figures"}
    return found


def _row(stack: Stack, **rest: Any) -> dict[str, Any]:
    facts = {"title": stack.title, "policy": stack.policy, "has_policy": stack.has_policy}
    return facts | {"version": "", "reason": "", "rounds": {}, "problems": []} | rest


def _prepared(stack: Stack, work: Path, rows: dict[str, Any], say: Say) -> bool:
    say(f"prepare {stack.title}")
    try:
        version = stack.prepare(work)
    except UnavailableError as error:
        rows[stack.name] = _row(stack, state="missing", reason=str(error))
        say(f"  MISSING: {error}")
        return False
    rows[stack.name] = _row(stack, state="measured", version=version)
    return True


def _all_rounds(bench: Bench, ready: Sequence[Stack], rows: dict[str, Any], say: Say) -> None:
    for number in range(1, bench.plan.rounds + 1):
        order = ready if number % 2 else list(reversed(ready))
        for stack in order:
            busy = machine.busy_share(_LOOK_SECONDS)
            if busy > QUIET:
                say(f"  the machine is {busy:.0%} busy with something else: these figures will be wrong")
            began = time.monotonic()
            turn = take(bench, stack)
            turn.figures["busy_before"] = busy
            rows[stack.name]["rounds"][str(number)] = turn.figures
            rows[stack.name]["problems"] += [f"round {number}: {problem}" for problem in turn.problems]
            took = time.monotonic() - began
            say(f"round {number}/{bench.plan.rounds} {stack.title}: {_gist(turn.figures)}, {took:.0f} s")
            for problem in turn.problems:
                say(f"  FAILED: {problem}")


def _gist(figures: dict[str, Any]) -> str:
    calls, streams = figures.get("calls") or {}, figures.get("streams") or {}
    call, stream = calls.get("32") or {}, streams.get("10") or {}
    pairs = ((call, "call"), (stream, "stream"))
    said = [f"{one['cpu_us']:.0f} µs a {word}" for one, word in pairs if one.get("cpu_us")]
    return ", ".join(said) or "no figures"

"""T22: limits hold to the token, among workers, deaths and clocks that are set; and a broken limiter is noticed."""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from bench.faults.budgets import CALLERS, CALLS, Careless, Found, bound, killed, minute, steps
from bench.faults.figures import Figure, Outcome, Part, Stage, at_least, at_most, plain

WORKERS = (1, 2, 4, 8)
SEEDS = 20
MOST_UNDER = 1.0
"""Percent of the limit, beyond what may lie idle: less than one call's reservation."""
LIMIT = bound(200) * CALLS
_PATIENCE = 60.0
_ROOT = Path(__file__).resolve().parent.parent.parent


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What processes that share one file of counters let pass."""

    workers: int
    tokens: int
    killed: bool = False

    @property
    def over(self) -> int:
        """Tokens above the limit."""
        return max(0, self.tokens - LIMIT)

    @property
    def under(self) -> float:
        """The share that was refused though a whole call would have fitted."""
        return max(0, LIMIT - self.tokens - bound(200)) / LIMIT


async def measure(stage: Stage) -> Outcome:
    """All of it: simulated minutes by two processes, then real processes with counters in a file."""
    seeds = stage.count(SEEDS, 1)
    simulated = await asyncio.to_thread(_simulate, range(seeds), WORKERS if not stage.short else (1, 8), stage.say)
    real = await _processes(stage, seeds)
    return _outcome(simulated, real)


class Simulated(msgspec.Struct, kw_only=True):
    """What the simulations found."""

    minutes: dict[str, list[Found]] = {}
    killed: dict[str, list[Found]] = {}
    steps: int = 0
    over_by_steps: int = 0
    careless: list[int] = []


def _simulate(seeds: Iterable[int], workers: Iterable[int], say: Callable[[str], None]) -> Simulated:
    found = Simulated()
    with ProcessPoolExecutor(2) as pool:
        asked: list[tuple[str, str, Future[Any]]] = []
        for seed, window in itertools.product(seeds, ("fixed", "sliding")):
            asked += [
                ("minute", window, pool.submit(minute, seed, count, most, window))
                for count in workers
                for most in (200, None)
            ]
            asked.append(("killed", window, pool.submit(killed, seed, window)))
        asked += [("steps", "", pool.submit(steps, seed)) for seed in seeds]
        asked += [("careless", "", pool.submit(minute, seed, 8, 200, "fixed", Careless)) for seed in seeds]
        for done, (kind, window, future) in enumerate(asked, 1):
            _note(found, kind, window, future.result())
            if done % 50 == 0:
                say(f"{done} of {len(asked)} simulations")
    return found


def _note(found: Simulated, kind: str, window: str, result: Any) -> None:
    if kind == "steps":
        found.steps += len(result.fired)
        over = max(0, max(result.hours.values()) - result.hour_limit)
        found.over_by_steps = max(found.over_by_steps, over, result.minute.over)
    elif kind == "careless":
        found.careless.append(result.over)
    else:
        (found.minutes if kind == "minute" else found.killed).setdefault(window, []).append(result)


async def _processes(stage: Stage, seeds: int) -> list[Used]:
    cells = [
        (seed, workers, dies)
        for seed in range(seeds)
        for workers, dies in ((1, False), (2, False), (4, False), (8, False), (4, True))
        if not stage.short or workers == 4
    ]
    found = []
    for number, (seed, workers, dies) in enumerate(cells, 1):
        folder = stage.folder / f"{seed}-{workers}-{dies}"
        folder.mkdir()
        found.append(await use_up(folder, seed, workers, dies=dies))
        if number % 20 == 0:
            stage.say(f"{number} of {len(cells)} runs of several processes")
    return found


async def use_up(folder: Path, seed: int, workers: int, *, dies: bool = False) -> Used:
    """Have so many processes use a budget up; one of them is killed at its first call, if it is to."""
    async with contextlib.AsyncExitStack() as stack:
        names = [f"{seed}-{index}" for index in range(workers)]
        processes = [await stack.enter_async_context(_worker(folder, name, workers)) for name in names]
        victim = await _kill_first([folder / f"{name}.log" for name in names], processes) if dies else None
        ends = [await asyncio.wait_for(process.wait(), _PATIENCE) for process in processes]
    wanted = [-signal.SIGKILL if process is victim else 0 for process in processes]
    if ends != wanted:
        raise RuntimeError(f"workers ended with {ends} instead of {wanted}")
    return Used(workers=workers, tokens=_counted(folder), killed=dies)


def _counted(folder: Path) -> int:
    """What the host counted, whichever process it served."""
    return sum(int(line) for log in folder.glob("*.log") for line in log.read_text().splitlines())


@contextlib.asynccontextmanager
async def _worker(folder: Path, name: str, workers: int) -> Any:
    words = ("-m", "tests.integration.limits.limited_worker", str(folder), name)
    figures = (str(workers), str(CALLERS // workers), str(LIMIT))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, *figures, cwd=_ROOT)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _kill_first(logs: list[Path], processes: list[asyncio.subprocess.Process]) -> asyncio.subprocess.Process:
    patience = time.monotonic() + _PATIENCE
    while not (begun := [log for log in logs if log.exists() and log.stat().st_size]):
        if time.monotonic() > patience:
            raise RuntimeError("no worker let a call in")
        await asyncio.sleep(0.001)
    victim = processes[logs.index(begun[0])]
    os.kill(victim.pid, signal.SIGKILL)
    return victim


def _outcome(simulated: Simulated, real: list[Used]) -> Outcome:
    whole = [each for each in real if not each.killed]
    dead = [each for each in real if each.killed]
    figures: list[Figure] = []
    for window, offsets in (("fixed", "window by window"), ("sliding", "at every offset")):
        minutes = simulated.minutes[window]
        figures += [
            plain(f"{window} minutes, simulated: runs", len(minutes)),
            at_most(f"{window} minutes: tokens over, {offsets}", max(each.over for each in minutes), 0),
            _under(f"{window} minutes", minutes),
        ]
    figures += [
        plain("processes on one file of counters: runs", len(whole)),
        at_most("processes: tokens over", max(each.over for each in whole), 0),
        _under("processes", whole),
        at_most("a process killed: tokens over", max(each.over for each in dead), 0),
    ]
    for window, deaths in simulated.killed.items():
        figures.append(at_most(f"a worker killed, {window} minutes: tokens over", max(e.over for e in deaths), 0))
    figures += [
        at_most("clock set by hours and days: tokens over, minute and hour", simulated.over_by_steps, 0),
        at_least(
            "a broken limiter: runs that were noticed", sum(map(bool, simulated.careless)), len(simulated.careless)
        ),
    ]
    kills = sum(map(len, simulated.killed.values())) + len(dead)
    return Outcome(figures=figures, fired=Counter({"killed workers": kills, "steps of the clock": simulated.steps}))


def _under(name: str, found: Iterable[Found | Used]) -> Figure:
    worst = max(each.under for each in found) * 100
    return at_most(f"{name}: refused though it would have fitted, worst run", worst, MOST_UNDER, "%", digits=2)


PART = Part(
    title="Limits, to the token",
    done=(
        f"{CALLERS} callers on a budget for {CALLS} calls, with {', '.join(map(str, WORKERS))} workers and {SEEDS} "
        "seeds a cell: minutes on a virtual clock, a year's budget with processes that share SQLite's counters. "
        "Workers are killed with `kill -9` while they have calls, and the calendar is set ahead and back. What may "
        "lie idle is less than what one call reserves. A limiter that reads, and writes later, must be noticed."
    ),
    measure=measure,
)

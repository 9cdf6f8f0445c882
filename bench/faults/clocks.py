"""T24: the machine's calendar is set by hours and days under a running server."""

import email.utils
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bench import compiler
from bench.faults.books import ledger
from bench.faults.figures import Outcome, Part, Stage, at_least, at_most
from bench.faults.hosts import USAGE, Hosts
from bench.faults.open_loop import Came

STEPS = (0, 3_600, 0, 86_400, 0, -3_600, -86_400)
"""Seconds by which the calendar is ahead, one after the other."""
PACE, SECONDS = 60.0, 3.0
MINUTE, HOUR = 200, 40
"""Requests in any 60 seconds, of which the run lasts less; and calls whose tokens fit into an hour."""
LONGEST = 3_600.0
SOON = 1.5
"""Seconds in which the date of answers follows; it is written anew once a second."""
_TOKENS = USAGE["total_tokens"] * HOUR
_WORK = Path(__file__).resolve().parent.parent / ".work"


async def measure(stage: Stage) -> Outcome:
    """Calls all the time, more than either limit lets pass, and the calendar set meanwhile."""
    length, steps = (0.7, STEPS[:3]) if stage.short else (SECONDS, STEPS)
    shift = stage.folder / "shift"
    shift.write_text("0")
    library = compiler.build("clock", _WORK)
    minute = {"requests_per_minute": MINUTE, "window": "sliding"}
    others = {"hourly": {"limits": [{"tokens_per_hour": _TOKENS}]}}
    variables = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(shift)}
    passed: list[int] = []
    off, calls = 0, list[Came]()
    folder, rest = stage.folder / "server", {"deployments": others}
    async with Hosts(folder, limits=[minute], rest=rest, variables=variables) as hosts:
        for step in steps:
            _set(shift, step)
            came = await hosts.callers.offer(int(length * PACE), PACE)
            ahead = [_seconds_ahead(each, time.time()) for each in came if each.due - came[0].due > SOON]
            hourly = await hosts.callers.offer(int(length * PACE), PACE, model="hourly", max_tokens=5)
            passed.append(sum(each.status == 200 for each in hourly))
            off += sum(abs(each - step) > 5 for each in ahead)
            calls += came
    records = await ledger(folder)
    return _outcome(passed, calls, off, [each.seconds for each in records])


def _set(shift: Path, seconds: int) -> None:
    """In one step, so that nobody reads a half of it."""
    new = shift.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(shift)


def _seconds_ahead(came: Came, now: float) -> float:
    """How far the server's calendar is ahead of ours, by the date of its answer."""
    return email.utils.parsedate_to_datetime(came.headers["date"]).timestamp() - now


def _outcome(passed: Sequence[int], calls: Sequence[Came], off: int, durations: Sequence[float]) -> Outcome:
    minute = sum(each.status == 200 for each in calls)
    steps = STEPS[: len(passed)]
    again = [count for count, (before, step) in zip(passed[1:], pairwise(steps), strict=True) if step < before]
    fresh = [count for step, count in zip(steps, passed, strict=True) if step > 0]
    over = max(0, max(passed) * USAGE["total_tokens"] - _TOKENS)
    return Outcome(
        figures=[
            at_most("requests that passed in the one minute that went by", minute, MINUTE),
            at_least("of those that may pass", minute / MINUTE * 100, 99, "%", digits=1),
            at_most("tokens over in any hour, first or new", over, 0),
            at_most("calls let pass when an hour came again", sum(again), 0),
            at_least("calls let pass in each new hour", min(fresh), 1),
            at_most(f"answers with another date than the calendar's, {SOON:g} s after it was set", off, 0),
            at_most("calls that took less than no time, or an hour", sum(not 0 <= e < LONGEST for e in durations), 0),
        ],
        fired={"steps of the clock": sum(one != other for one, other in pairwise(steps))},
    )


PART = Part(
    title="A clock that is set",
    done=(
        f"The calendar of a server with two workers is set ahead and back by an hour and by a day, {len(STEPS) - 1} "
        f"times, while {PACE:g} calls a second come: to a deployment with {MINUTE} requests in any minute, and to one "
        f"with tokens for {HOUR} calls an hour."
    ),
    measure=measure,
)

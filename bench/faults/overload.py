"""T38: more calls than can be carried: what is still answered, how soon, and how soon all is well again."""

import asyncio
import functools
from collections.abc import Sequence

import msgspec

from bench.faults.figures import Outcome, Part, Stage, at_least, at_most, plain
from bench.faults.hosts import Hosts, good
from bench.faults.open_loop import Came, percentile

SLOTS, SECONDS = 20, 0.1
CAPACITY = SLOTS / SECONDS
"""Calls a second that the host can carry."""
TIMES = (0.5, 1.0, 2.0, 4.0)
STEP = 12.0
"""Seconds of each."""
GOODPUT, SLOWER, SOON = 90.0, 2.0, 5.0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one rate."""

    times: float
    offered: float
    answered: float
    """Calls a second, both."""
    p99: float
    """Seconds, of those that were answered."""
    refused: int
    other: int
    """Neither answered nor refused with 429."""


async def measure(stage: Stage) -> Outcome:
    """One rate after the other, then the first one again."""
    length = STEP if not stage.short else 0.6
    limits = [{"concurrent_calls": SLOTS}]
    steps: list[Step] = []
    async with Hosts(stage.folder, limits=limits) as hosts:
        hosts.answering = [functools.partial(good, delay=SECONDS)]
        await hosts.callers.offer(100, CAPACITY / 2)
        for times in TIMES:
            stage.say(f"{times:g} times the capacity")
            calls = await hosts.callers.offer(int(times * CAPACITY * length), times * CAPACITY)
            steps.append(_step(times, calls, length))
        calm = asyncio.get_running_loop().time()
        after = await hosts.callers.offer(int(CAPACITY / 2 * length), CAPACITY / 2)
    recovered = max((each.ended - calm for each in after if each.status != 200), default=0.0)
    return _outcome(steps, recovered)


def _step(times: float, calls: Sequence[Came], length: float) -> Step:
    answered = [each.seconds for each in calls if each.status == 200]
    refused = sum(each.status == 429 for each in calls)
    return Step(
        times=times,
        offered=len(calls) / length,
        answered=len(answered) / length,
        p99=percentile(answered, 99),
        refused=refused,
        other=len(calls) - len(answered) - refused,
    )


def _outcome(steps: Sequence[Step], recovered: float) -> Outcome:
    peak = max(each.answered for each in steps)
    base, last = steps[0], steps[-1]
    rows = [plain(f"{each.times:g} x: offered, answered a second; p99 of the answered", _said(each)) for each in steps]
    return Outcome(
        figures=[
            *rows,
            at_least("answered at 4 x, of the peak", last.answered / peak * 100, GOODPUT, "%", digits=1),
            at_least("answered at the peak, of the capacity", peak / CAPACITY * 100, GOODPUT, "%", digits=1),
            at_most("p99 of the answered at 4 x, of that at 0.5 x", last.p99 / base.p99, SLOWER, digits=2),
            at_most("calls neither answered nor told 429", sum(each.other for each in steps), 0),
            at_most("afterwards, until none is refused", recovered, SOON, "s", digits=2),
        ],
        fired={"calls refused": sum(each.refused for each in steps)},
        series=[{"times": each.times, "offered": each.offered, "answered": each.answered} for each in steps],
    )


def _said(step: Step) -> str:
    return f"{step.offered:,.0f}, {step.answered:,.0f}; {step.p99 * 1_000:,.0f} ms"


PART = Part(
    title="More calls than can be carried",
    done=(
        f"A host takes {SECONDS:g} s for a call, and its deployment lets {SLOTS} pass at a time, on two workers: "
        f"{CAPACITY:g} a second. Callers come at {', '.join(f'{each:g}' for each in TIMES)} times that, {STEP:g} s "
        "each, and then at the first rate again."
    ),
    measure=measure,
)

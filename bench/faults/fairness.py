"""T39: one tenant at fifty times the load of another one, on what they share."""

import asyncio
import contextlib
import functools
import os
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

from bench.errors import FailedError
from bench.faults.figures import Figure, Outcome, Part, Stage, at_least, at_most, plain
from bench.faults.hosts import Hosts, good
from bench.faults.open_loop import Callers, Came, percentile
from bench.faults.served import Served

SLOTS, SECONDS = 8, 0.1
CALM, TIMES = 4.0, 50
"""Calls a second of the calm tenant, and how many times as many the other one makes. All can carry 80."""
LENGTH = 20.0
TURN = SECONDS + 0.3
"""Seconds: until the next call ends, and a moment until all workers know that somebody waits."""
WORSE = 10.0


async def measure(stage: Stage) -> Outcome:
    """With a queue that goes round, and with a limit that each has for itself."""
    shared = {"concurrent_calls": SLOTS, "wait_up_to": 30}
    own = {"concurrent_calls": SLOTS // 2, "counter_key": ["key"]}
    queue, flooded = await _compare(stage, "queue", shared)
    apart, refused = await _compare(stage, "apart", own)
    return Outcome(
        figures=[*_queued(*queue), *_apart(*apart)],
        fired={"calls of the flood, queued": flooded, "calls of the flood, each with its own limit": refused},
    )


async def _compare(stage: Stage, name: str, limit: dict[str, Any]) -> tuple[tuple[list[Came], list[Came]], int]:
    """The calm tenant's calls alone and beside the flood, and how many calls that one made."""
    length = LENGTH if not stage.short else 1.0
    products = {"calm": {"deployments": ["chat"]}, "flood": {"deployments": ["chat"]}}
    async with Hosts(stage.folder / name, rest={"products": products}, limits=[limit]) as hosts:
        hosts.answering = [functools.partial(good, delay=SECONDS)]
        calm, flood = await _key(hosts.served, "calm"), await _key(hosts.served, "flood")
        alone = await hosts.callers.offer(int(length * CALM), CALM, key=calm)
        stage.say(f"{name}: {TIMES} times as many of the other")
        async with _flood(hosts.served, flood, length + 2) as calls:
            await asyncio.sleep(2)
            beside = await hosts.callers.offer(int(length * CALM), CALM, key=calm)
    return (alone, beside), len(calls)


@contextlib.asynccontextmanager
async def _flood(server: Served, key: str, length: float) -> AsyncIterator[list[int]]:
    """The other tenant's calls, which nobody waits for at the end; of those that were begun, the numbers."""
    begun: list[int] = []
    async with Callers(server) as callers:

        async def note(number: int) -> None:
            begun.append(number)

        count = int(length * CALM * TIMES)
        during = {number: functools.partial(note, number) for number in range(count)}
        task = asyncio.create_task(callers.offer(count, CALM * TIMES, during=during, key=key))
        try:
            yield begun
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _key(server: Served, product: str) -> str:
    environment = {**os.environ, "FOREHEARTH_URL": server.url, "FOREHEARTH_API_KEY": server.key}
    words = (sys.executable, "-m", "forehearth", "keys", "create", product, "--product", product)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, env=environment, stdout=pipe, stderr=pipe)
    said, complained = await process.communicate()
    if process.returncode:
        raise FailedError(f"no key was made: {complained.decode()}")
    return said.decode().strip()


def _queued(alone: Sequence[Came], beside: Sequence[Came]) -> list[Figure]:
    longest = max(each.seconds for each in beside) - SECONDS
    return [
        *_common("one queue", alone, beside),
        at_most("one queue: the calm one waits longest for its turn", longest, round(TURN, 1), "s", digits=2),
    ]


def _apart(alone: Sequence[Came], beside: Sequence[Came]) -> list[Figure]:
    return _common("each its own limit", alone, beside)


def _common(name: str, alone: Sequence[Came], beside: Sequence[Came]) -> list[Figure]:
    before, after = (percentile([each.seconds for each in calls], 99) for calls in (alone, beside))
    return [
        at_least(f"{name}: calls of the calm one answered", sum(e.status == 200 for e in beside), len(beside)),
        plain(f"{name}: its p99 alone, and beside the flood", f"{before * 1_000:.0f}, {after * 1_000:.0f} ms"),
        at_most(f"{name}: its p99 is longer by", (after / before - 1) * 100, WORSE, "%", digits=1),
    ]


PART = Part(
    title="One tenant at fifty times the load",
    done=(
        f"Two products share a deployment on two workers. One makes {CALM:g} calls a second, the other one {TIMES} "
        f"times as many; a call takes {SECONDS:g} s. First both stand in one queue for {SLOTS} slots "
        f"(`wait_up_to`), which {CALM * TIMES:g} calls a second cannot have; then each has {SLOTS // 2} slots of its "
        "own. In the queue a turn is the time until some call ends."
    ),
    measure=measure,
)

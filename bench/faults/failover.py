"""T11 to T13: hosts that die, flap, turn slow, are all gone or too busy; and answers that break after they began."""

import asyncio
import functools
import random
from collections import Counter
from pathlib import Path

from bench.faults.figures import Figure, Outcome, Part, Stage, at_least, at_most, plain
from bench.faults.hosts import Hosts, good
from bench.faults.open_loop import Came, answered, percentile
from forehearth.testing.fault_proxy import Fault
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer

PACE = 250.0
CALLS = 2_000
TIMEOUT = 1.0
"""Seconds that the gateway waits for a host's first byte."""
QUICK = {"base_seconds": 0.2, "most_seconds": 1.0}
"""So that a host is tried again while the run lasts."""
PAUSE_MS = 300
"""Milliseconds that a busy host asks for."""
_WAITS = {"connection": {"first_byte_seconds": TIMEOUT, "idle_seconds": TIMEOUT}}
_ILL = Answer(status=503, body=b'{"error": {"message": "ill"}}')


async def measure(stage: Stage) -> Outcome:
    """One scenario after the other, each with a server of its own."""
    calls = stage.count(CALLS, 200)
    found: list[Outcome] = []
    for scenario in (_dead, _killed_and_back, _flapping, _slow, _all_gone, _busy, _breaking):
        stage.say(scenario.__name__.strip("_").replace("_", " "))
        found.append(await scenario(stage.folder / scenario.__name__, calls))
    return Outcome(
        figures=[figure for each in found for figure in each.figures],
        fired=sum((Counter(each.fired) for each in found), Counter()),
    )


async def _dead(folder: Path, calls: int) -> Outcome:
    async with Hosts(folder, 3, backends=_WAITS, strategy="weighted") as hosts:
        base = percentile([each.first for each in await hosts.callers.offer(200, PACE)], 99)
        await hosts.proxies[0].down()
        done = await hosts.callers.offer(calls, PACE)
    first = percentile([each.first for each in done], 99)
    return Outcome(
        figures=[
            at_least("one of three hosts dead: calls answered", answered(done) * 100, 99.9, "%", digits=2),
            at_most("the same: first byte, p99", first, round(base + TIMEOUT, 3), "s", digits=3),
        ],
        fired={"hosts killed": 1},
    )


async def _killed_and_back(folder: Path, calls: int) -> Outcome:
    async with Hosts(folder, 3, strategy="weighted", health=QUICK) as hosts:
        at_last = calls // 2
        events = {calls // 4: hosts.proxies[0].down, at_last: hosts.proxies[0].up}
        done = await hosts.callers.offer(calls, PACE, during=events)
        again = [number for number in range(at_last, calls) if hosts.asked[0][f"call {number}"]]
    seconds = (again[0] - at_last) / PACE if again else float("inf")
    return Outcome(
        figures=[
            at_least("one killed under load, and back: calls answered", answered(done) * 100, 99.8, "%", digits=2),
            at_most("the same: until it has calls again", seconds, QUICK["most_seconds"] + 1, "s", digits=2),
        ],
        fired={"hosts killed": 1},
    )


async def _flapping(folder: Path, calls: int) -> Outcome:
    fired: Counter[str] = Counter()
    async with Hosts(folder, 3, strategy="weighted", health=QUICK) as hosts:
        clock = asyncio.get_running_loop().time

        def flap(seen: Seen) -> Answer:
            if int(clock() * 3) % 2:
                fired["answers 503 of a host that flaps"] += 1
                return _ILL
            return good(seen)

        hosts.answering[0] = flap
        done = await hosts.callers.offer(calls, PACE)
        amplified = hosts.requests / calls
    return Outcome(
        figures=[
            at_least("one flaps three times in two seconds: calls answered", answered(done) * 100, 99.9, "%", digits=2),
            at_most("the same: requests to hosts for a call", amplified, 1.2, digits=3),
        ],
        fired=fired,
    )


async def _slow(folder: Path, calls: int) -> Outcome:
    async with Hosts(folder, 3, strategy="least_latency") as hosts:
        await hosts.callers.offer(calls // 4, PACE)
        before = hosts.asked[0].total()
        hosts.answering[0] = functools.partial(good, delay=0.5)
        done = await hosts.callers.offer(calls, PACE)
        slow = hosts.asked[0].total() - before
    return Outcome(
        figures=[
            at_least("one turns slow, not dead: calls answered", answered(done) * 100, 99.9, "%", digits=2),
            at_most("the same: its share of the calls (a third would be even)", slow / calls * 100, 20, "%", digits=1),
        ],
        fired={"slow answers": slow},
    )


async def _all_gone(folder: Path, calls: int) -> Outcome:
    async with Hosts(folder, 3, backends=_WAITS, strategy="weighted", health=QUICK) as hosts:
        for proxy in hosts.proxies:
            await proxy.down()
        dead = await hosts.callers.offer(calls // 4, PACE)
        for proxy in hosts.proxies:
            await proxy.up()
        back = asyncio.get_running_loop().time()
        done = await hosts.callers.offer(calls // 2, PACE)
    failed = [each.ended - back for each in done if each.status != 200]
    honest = sum(each.status == 503 and 0 < int(each.headers.get("retry-after-ms", 0)) <= 1_000 for each in dead[20:])
    return Outcome(
        figures=[
            at_least("all dead: told 503 and the soonest retry-after", honest, len(dead) - 20),
            at_most("the same: told after, p99", percentile([each.seconds for each in dead], 99), 1, "s", digits=3),
            at_most("the same: until all is well again", max(failed, default=0.0), 5, "s", digits=2),
        ],
        fired={"hosts killed": 3},
    )


class Tight:
    """A host that takes so many calls a second while the storm lasts, and asks all others to come again later."""

    def __init__(self, per_second: float) -> None:
        self.storm = True
        self.refused: list[float] = []
        self._clock = asyncio.get_running_loop().time
        self._per_second = per_second
        self._left, self._when = 1.0, self._clock()

    def __call__(self, seen: Seen) -> Answer:
        """Answer, or ask to be left alone."""
        now = self._clock()
        self._left = min(self._per_second * PAUSE_MS / 1_000, self._left + (now - self._when) * self._per_second)
        self._when = now
        if not self.storm or self._left >= 1:
            self._left -= 1
            return good(seen)
        self.refused.append(now)
        headers = ((b"retry-after-ms", b"%d" % PAUSE_MS),)
        return Answer(status=429, headers=headers, body=b'{"error": {"message": "busy"}}')


async def _busy(folder: Path, calls: int) -> Outcome:
    """Three hosts that take a tenth of what is offered, then all of it again."""
    async with Hosts(folder, 3, strategy="weighted") as hosts:
        tight = [Tight(PACE / 10 / 3) for _ in range(3)]
        hosts.answering = list(tight)
        storm = await hosts.callers.offer(calls * 2, PACE)
        amplified = hosts.requests / len(storm)
        for each in tight:
            each.storm = False
        calm = asyncio.get_running_loop().time()
        after = await hosts.callers.offer(calls // 2, PACE)
    refused = sum(len(each.refused) for each in tight)
    return Outcome(
        figures=[
            at_most("a storm of 429: requests to hosts for a call", amplified, 1.2, digits=3),
            _left_alone(tight, len(storm) / PACE),
            _told_to_wait(storm),
            at_most(
                "after it: until all is well",
                max((e.ended - calm for e in after if e.status != 200), default=0.0),
                5,
                "s",
                digits=2,
            ),
            at_least("after it: calls answered, second half", answered(after[len(after) // 2 :]) * 100, 100, "%"),
        ],
        fired={"answers 429": refused},
    )


def _left_alone(tight: list[Tight], seconds: float) -> Figure:
    """Each of two workers may learn of each pause by one refusal, and a call that was on its way by another."""
    most = max(len(each.refused) for each in tight) / seconds
    bound = 2 * 2 / (PAUSE_MS / 1_000)
    return at_most("the same: refusals a second of one host that asks for 0.3 s", most, round(bound, 1), digits=1)


def _told_to_wait(storm: list[Came]) -> Figure:
    refused = [each for each in storm if each.status != 200]
    told = sum(each.status == 429 and 0 < int(each.headers.get("retry-after-ms", 0)) <= PAUSE_MS for each in refused)
    return at_least("the same: callers refused are told when, at most 0.3 s ahead", told, len(refused))


async def _breaking(folder: Path, calls: int) -> Outcome:
    """Answers that break after the host has carried the call out: it must not be carried out again."""
    dice, worst, done = random.Random(1), 0, 0
    fired: Counter[str] = Counter()

    def harm(_: int) -> Fault | None:
        kind = dice.choice((None, "reset", "truncate", "hang", "half_close"))
        return kind and Fault(kind=kind, after=dice.choice((1, 20, 150, 300, 500)))

    quick = {"connection": {"first_byte_seconds": 0.3, "idle_seconds": 0.3}}
    for stream in (False, True):
        health = {"failures": 1_000_000}
        async with Hosts(
            folder / str(stream), 3, harm=harm, backends=quick, strategy="weighted", health=health
        ) as hosts:
            hosts.answering = [lambda seen: _closing(good(seen))] * 3
            await hosts.callers.offer(calls, 200.0, stream=stream)
            carried_out = sum(hosts.asked, Counter())
            worst, done = max(worst, *carried_out.values()), done + carried_out.total()
            fired += hosts.fired
    return Outcome(
        figures=[
            plain("answers that break: calls carried out", done),
            at_most("the same: times that one call was carried out", worst, 1),
        ],
        fired=fired,
    )


def _closing(answer: Answer) -> Answer:
    """So that each call has a connection, and a fault, of its own."""
    return Answer(body=answer.body, pieces=answer.pieces, close=True)


PART = Part(
    title="Hosts that die, turn slow or are busy",
    done=(
        f"Three hosts behind a server with two workers, {PACE:g} calls a second: one dead, one killed and back, one "
        "that flaps, one that turns slow, all dead and back, all busy with nine of ten calls; and answers that are "
        "reset, cut, left hanging or half closed after the host has carried the call out."
    ),
    measure=measure,
)

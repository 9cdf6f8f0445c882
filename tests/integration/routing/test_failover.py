"""Hosts that die, flap, turn slow or are all gone: what callers notice of it, and how soon each is back.

`FOREHEARTH_ROUTING_CALLS` makes the runs longer; the figures are printed (`pytest -s`).
"""

import asyncio
import os

import pytest

from forehearth.core.backend_state import State
from forehearth.testing.upstream import Answer
from tests.integration.routing.conftest import Tell
from tests.integration.routing.stage import Stage, attempts, shares, succeeded

CALLS = int(os.environ.get("FOREHEARTH_ROUTING_CALLS", "200"))
PACE = 400.0
"""Calls a second."""
QUICK = {"base_seconds": 0.2, "most_seconds": 1.0}
"""So that a host is tried again while the test lasts."""


@pytest.mark.parametrize("strategy", ["priority", "weighted", "least_latency", "least_busy"])
async def test_one_of_three_dead(strategy: str, tell: Tell):
    async with Stage(3, strategy=strategy) as stage:
        await stage.proxies[0].down()
        done = await stage.load(CALLS, PACE)
    wasted = attempts(done, "host-0")
    tell(success=succeeded(done), tries_at_the_dead=wasted, shares=shares(done))
    assert succeeded(done) >= 0.999
    assert 3 <= wasted <= 3 + len(done) // 100
    assert "host-0" not in shares(done)


async def test_one_of_three_killed_and_back(tell: Tell):
    async with Stage(3, strategy="weighted", health=QUICK) as stage:
        kill, revive = CALLS // 4, CALLS // 2
        events = {kill: stage.proxies[0].down, revive: stage.proxies[0].up}
        done = await stage.load(CALLS, PACE, during=events)
        for _ in range(40):  # a trial that came too early doubles the time until the next one
            if all(each.state is State.READY for each in stage.states()):
                break
            done += await stage.load(CALLS // 10, PACE)
        after = await stage.load(CALLS // 2, PACE)
        states = [each.state for each in stage.states()]
    done += after
    back = next(number for number, each in enumerate(done[revive:]) if each.record.backend == "host-0")
    lost = sum(each.status != 200 for each in done)
    tell(success=succeeded(done), lost=lost, calls_until_readmitted=back, shares_after=shares(after))
    assert lost <= 3, "only calls that were at the host when it was killed may be lost"
    assert states == [State.READY] * 3
    assert shares(after)["host-0"] > 0.2


async def test_one_of_three_flaps(tell: Tell):
    async with Stage(3, strategy="weighted", health=QUICK) as stage:
        clock = asyncio.get_running_loop().time
        begun = clock()

        def flap(_: object) -> Answer | None:
            """A third of a second well, beginning so, and a third ill."""
            return Answer(status=503, body=b"{}") if int((clock() - begun) * 3) % 2 else None

        stage.answering[0] = flap
        done = await stage.load(2 * CALLS, PACE)
    tell(success=succeeded(done), requests_per_call=attempts(done) / len(done), shares=shares(done))
    assert succeeded(done) >= 0.999
    assert attempts(done) <= 1.2 * len(done)
    assert 0 < shares(done).get("host-0", 0) < 1 / 3


async def test_one_of_three_fails_half_of_its_calls(tell: Tell):
    async with Stage(3, strategy="weighted") as stage:
        stage.answering[0] = lambda seen: Answer(status=500, body=b"{}") if hash(seen.body) % 2 else None
        done = await stage.load(CALLS, PACE)
        ejected = stage.states()[0].state
    tell(success=succeeded(done), requests_per_call=attempts(done) / len(done))
    assert succeeded(done) >= 0.999
    assert ejected is not State.READY
    assert attempts(done) <= 1.2 * len(done)


async def test_one_of_three_turns_slow(tell: Tell):
    async with Stage(3, strategy="least_latency") as stage:
        await stage.load(CALLS // 4, PACE)
        slow = Answer(body=b'{"choices": []}', delay=0.5)
        stage.answering[0] = lambda _: slow
        done = await stage.load(CALLS, PACE)
    tell(success=succeeded(done), share_of_the_slow_one=shares(done).get("host-0", 0.0))
    assert succeeded(done) == 1.0
    assert shares(done).get("host-0", 0.0) < 0.25  # a third would be its fair share


async def test_all_dead_and_back(tell: Tell):
    async with Stage(3, strategy="weighted", health=QUICK) as stage:
        for proxy in stage.proxies:
            await proxy.down()
        dead = await stage.load(CALLS // 4, PACE)
        for proxy in stage.proxies:
            await proxy.up()
        done = await stage.load(CALLS // 2, PACE)
    first = next(number for number, each in enumerate(done) if each.status == 200)
    tell(
        requests_per_call=attempts(dead) / len(dead), calls_until_answered=first, success_after=succeeded(done[first:])
    )
    assert {each.status for each in dead} == {503}
    assert all(0 < int(each.headers[b"retry-after-ms"]) <= 1_000 for each in dead[10:])
    assert succeeded(done[first:]) >= 0.999


async def test_all_dead_is_said_at_once_where_all_may_be_ejected(tell: Tell):
    health = {"failures": 1, "base_seconds": 30, "largest_share": 1.0}
    async with Stage(3, health=health) as stage:
        for proxy in stage.proxies:
            await proxy.down()
        first = await stage.call()
        dead = await stage.load(CALLS // 4, PACE)
    tell(tries_after_the_first=attempts(dead))
    assert first.status == 503
    assert {each.status for each in dead} == {503}
    assert attempts(dead) == 0
    assert all(25_000 < int(each.headers[b"retry-after-ms"]) <= 30_000 for each in dead)

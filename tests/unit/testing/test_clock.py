"""The virtual clock: time passes when it is told to, and wakes sleepers in order."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.testing import VirtualClock


async def sleeper(clock: VirtualClock, log: list, name: str, *pauses: float) -> None:
    for pause in pauses:
        await clock.sleep(pause)
        log.append((name, clock.monotonic()))


async def test_time_stands_still_until_it_is_advanced():
    clock = VirtualClock(monotonic=0, unix=100)
    log: list = []
    tasks = [asyncio.create_task(sleeper(clock, log, "a", 1, 2)), asyncio.create_task(sleeper(clock, log, "b", 2))]
    await asyncio.sleep(0.01)
    assert (log, clock.sleepers, clock.monotonic()) == ([], 2, 0)
    await clock.advance(2.5)
    assert log == [("a", 1), ("b", 2)]
    assert (clock.monotonic(), clock.unix(), clock.sleepers) == (2.5, 102.5, 1)
    await clock.advance(0.5)
    assert log[-1] == ("a", 3)
    await asyncio.gather(*tasks)


async def test_who_sleeps_no_time_only_lets_others_go_first():
    clock = VirtualClock()
    start = clock.monotonic()
    await clock.sleep(0)
    await clock.sleep(-1)
    assert clock.monotonic() == start


async def test_a_cancelled_sleeper_does_not_hold_up_or_move_time():
    clock = VirtualClock(monotonic=0, winding=True)
    task = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0
    await clock.sleep(7)
    assert clock.monotonic() == 7


async def test_timeouts_of_the_loop_reach_into_a_sleep():
    clock = VirtualClock()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await clock.sleep(1)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=4))
def test_a_winding_clock_tells_the_same_story_as_the_sums(plans):
    async def story() -> list:
        clock = VirtualClock(monotonic=0, winding=True)
        log: list = []
        await asyncio.gather(*(sleeper(clock, log, str(n), *plan) for n, plan in enumerate(plans)))
        return log

    log = asyncio.run(story())
    assert [at for _, at in log] == sorted(at for _, at in log)
    for number, plan in enumerate(plans):
        assert [at for name, at in log if name == str(number)] == [sum(plan[: n + 1]) for n in range(len(plan))]

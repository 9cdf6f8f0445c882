"""The rules of the fence are red where a fence is broken: in all of it, or in one of its parts."""

import pytest

from forehearth.core.clock import SystemClock
from forehearth.stores.memory_jobs import MemoryJobs
from tests.unit.stores.job_fence import (
    Unfenced,
    UnfencedBeat,
    UnfencedEnd,
    UnfencedSteps,
    refuses_whoever_had_the_job_before,
)


async def test_the_reference_keeps_them():
    await refuses_whoever_had_the_job_before(MemoryJobs(SystemClock()))


@pytest.mark.parametrize("broken", [Unfenced, UnfencedSteps, UnfencedEnd, UnfencedBeat])
async def test_a_store_with_a_broken_fence_does_not(broken):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await refuses_whoever_had_the_job_before(broken(SystemClock()))

"""Jobs live by the table of their states, whatever is done to them: the reference store, under Hypothesis."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.core.clock import SystemClock
from forehearth.stores.memory_jobs import MemoryJobs
from tests.unit.stores.job_lives import WHATS, Act, Life

ACTS = st.builds(Act, what=st.sampled_from(WHATS), stale=st.booleans(), lapses=st.booleans())


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_a_job_lives_by_the_table(acts):
    async def live():
        life = await Life.begun(MemoryJobs(SystemClock()), "a")
        for act in acts:
            await life.act(act)

    asyncio.run(live())

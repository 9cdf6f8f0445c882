"""The measurement itself, on a few streams: it finds the server sound, and would say so if it were not."""

from bench.faults.figures import Stage, at_most, table
from bench.faults.idle_streams import measure


async def test_a_few_streams_cost_little_and_all_come_back(tmp_path):
    outcome = await measure(Stage(folder=tmp_path, short=True))
    assert outcome.reached, table(outcome.figures)


def test_a_target_that_is_missed_is_said():
    page = table([at_most("left open", 3, 0)])
    assert page.splitlines()[-1] == "| left open | 0 | 3 | **no** |"

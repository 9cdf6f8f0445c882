"""The measurement itself, on a few streams: it finds the server sound, and would say so if it were not."""

from bench.faults.figures import Figure, table
from bench.faults.idle_streams import measure


async def test_a_few_streams_cost_little_and_all_come_back(tmp_path):
    figures = await measure(tmp_path, streams=200)
    assert [each.reached for each in figures] == [True] * 4, table(figures)


def test_a_bound_that_does_not_hold_is_said():
    page = table([Figure(part="Streams", what="left open", found="3", bound="0", reached=False)])
    assert page.splitlines()[-1] == "| left open | 3 | 0 | **no** |"

"""Limits are exact: many callers, several workers, all kinds of windows, against a host that keeps its own count.

`make faults ARGS=limits` runs every cell with twenty seeds; here it is one for each of a few cells.
"""

import pytest

from bench.faults.budgets import STEPS, Careless, Window, killed, minute, steps

CELLS = [(window, workers) for window in ("fixed", "sliding") for workers in (1, 8)]


@pytest.mark.parametrize(("window", "workers"), CELLS)
def test_a_minute(window: Window, workers: int) -> None:
    found = minute(0, workers, 200, window)
    assert found.over == 0
    # It was used up but for less than what one call needs; and the next one is there for all.
    assert found.under <= 0.01
    assert found.later > 0


@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_a_worker_that_is_killed(window: Window) -> None:
    found = killed(0, window)
    assert found.over == 0
    assert found.under <= (0.01 if window == "fixed" else 0.1)


def test_clock_steps() -> None:
    """A minute is a minute whatever the calendar says; and an hour that is over never comes again."""
    found = steps(0)
    assert found.fired == STEPS
    assert found.minute.over == 0
    assert len(found.hours) >= 3
    assert max(found.hours.values()) <= found.hour_limit


def test_a_broken_limiter_is_noticed() -> None:
    assert minute(1, 8, 200, "fixed", Careless).over > 0

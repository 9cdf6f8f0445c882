"""Limits are exact between processes too, also when one of them is killed; and what is left is less than one call.

`make faults ARGS=limits` does it with twenty seeds.
"""

from pathlib import Path

import pytest

from bench.faults.limits import use_up


@pytest.mark.parametrize("workers", [2, 4])
async def test_a_budget_is_used_up_and_not_overrun(workers: int, tmp_path: Path) -> None:
    found = await use_up(tmp_path, 0, workers)
    assert found.over == 0
    assert found.under <= 0.01


async def test_a_process_is_killed(tmp_path: Path) -> None:
    found = await use_up(tmp_path, 0, 4, dies=True)
    assert found.tokens > 0
    assert found.over == 0

"""`kill -9` at any moment of writing, rotating, folding and taking over: no call is lost, and none is there twice."""

import json
import subprocess
import sys
from pathlib import Path

from bench.faults.deaths import die

DEATHS = 30
"""In the long tier, and in `make faults`, it is 500."""


async def test_after_many_deaths_every_call_is_in_the_ledger_once(tmp_path: Path):
    found = await die(tmp_path, DEATHS)
    assert found.sound, found
    assert found.ended > 20 * DEATHS


def test_whoever_dies_at_a_step_of_beginning_or_removing_a_journal_leaves_nothing_for_ever(tmp_path: Path):
    command = [sys.executable, "-m", "tests.integration.ledger.each_step", str(tmp_path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    assert found["left"] == {}
    assert found["ended"] == 0
    assert found["killed"] > 10

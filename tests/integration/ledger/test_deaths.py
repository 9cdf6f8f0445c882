"""`kill -9` at any moment of writing, rotating, folding and taking over: no call is lost, and none is there twice."""

from pathlib import Path

from bench.faults.deaths import die

DEATHS = 30
"""In the long tier, and in `make faults`, it is 500."""


async def test_after_many_deaths_every_call_is_in_the_ledger_once(tmp_path: Path):
    found = await die(tmp_path, DEATHS)
    assert found.sound, found
    assert found.ended > 20 * DEATHS

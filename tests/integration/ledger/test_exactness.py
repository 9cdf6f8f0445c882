"""The ledger of a real server beside the log of its host, over calls with faults and deaths among them."""

from pathlib import Path

from bench.faults.storm import compare
from tests.integration.ledger.storm import Storm, blow


async def test_with_faults_the_ledger_is_the_hosts_log(tmp_path: Path):
    found = await blow(tmp_path, Storm(calls=240))
    assert set(found.fired) >= {"busy", "refused", "broken"}, found.fired
    assert found.fired.keys() & {"reset", "truncate"}, found.fired  # which of them, chance says, and they are few
    assert min(found.fired.values()) > 0
    assert compare(found).exact, compare(found)
    assert not found.flagged("unreported")
    assert not found.flagged("crashed")
    assert found.asked["left"] > 10
    assert len(found.settled) > 120
    retried = [each for each in found.settled if each.attempts == 2]
    assert {each.backend for each in retried} == {"second"}
    assert len(retried) > 5


async def test_with_workers_dying_what_was_under_way_is_flagged_and_nothing_else_differs(tmp_path: Path):
    found = await blow(tmp_path, Storm(calls=200, deaths=2, seed=2))
    assert found.deaths == 2
    assert found.flagged("crashed")
    assert compare(found).exact, compare(found)
    assert not found.flagged("unreported")

"""The ledger of a real server beside the log of its host, over calls with faults and deaths among them."""

from collections import Counter
from pathlib import Path

from forehearth.core.ledger import LedgerRecord
from tests.integration.ledger.storm import LONGEST, Found, Storm, blow, usage_of


def compare(found: Found) -> None:
    """What has to hold for every storm."""
    numbers = {
        (each.prompt, each.completion, each.cached): number for number in found.served for each in [usage_of(number)]
    }
    of_host = [each for each in found.settled if not each.counted]
    told = Counter(numbers.get((each.prompt, each.completion, each.cached)) for each in of_host)
    assert None not in told, "a settled record has tokens that the host never told"
    assert max(told.values()) == 1, "a call is there twice"
    missing = found.served.keys() - told.keys()
    flagged = [each for each in found.ledger if each.flag]
    assert len(missing) <= len(flagged), "a call that the host served is in no record"
    assert len(found.flagged("crashed")) <= found.under_way
    assert not found.flagged("unreported")
    for each in found.ledger:
        _check_amount(each)
    for each in flagged:
        assert each.prompt + each.completion <= _bound(each), each
    asked = found.asked.total()
    lost = found.asked["lost"]
    assert asked - lost <= len(found.ledger) <= asked


def _bound(record: LedgerRecord) -> int:
    """Of a prompt of some 200 bytes, with the answer's own bound."""
    return 64 + 300 + LONGEST


def _check_amount(record: LedgerRecord) -> None:
    wanted = (record.prompt - record.cached) * 2_500_000 + record.cached * 1_250_000 + record.completion * 10_000_000
    assert record.amount == wanted, record
    assert (record.currency == "USD") is (wanted > 0)


async def test_with_faults_the_ledger_is_the_hosts_log(tmp_path: Path):
    found = await blow(tmp_path, Storm(calls=240))
    assert set(found.fired) >= {"busy", "refused", "broken", "reset"}, found.fired
    assert min(found.fired.values()) > 0
    compare(found)
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
    compare(found)

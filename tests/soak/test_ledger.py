"""The ledger beside the log of its host over 100,000 calls with faults and deaths, and over 500 deaths of a worker."""

from collections.abc import Callable
from pathlib import Path

from bench.faults.deaths import die
from bench.faults.storm import compare
from tests.integration.ledger.storm import Storm, blow
from tests.soak.length import part

ENOUGH_TO_COUNT_ON_CHANCE = 200
"""Where a worker is when it dies is chance: of so many deaths, each kind has its share on any machine."""
CALLS, DEATHS_OF_WORKERS, DEATHS = 100_000, 60, 500


async def test_a_hundred_thousand_calls_are_in_the_ledger_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
):
    storm = Storm(calls=part(CALLS, least=2_000), at_once=64, deaths=part(DEATHS_OF_WORKERS, least=3), seed=11)
    found = await blow(tmp_path, storm)
    figures = {
        "calls": found.asked.total(),
        "served by the host": len(found.served),
        "settled": len(found.settled),
        "cut": len(found.flagged("cut")),
        "crashed": len(found.flagged("crashed")),
        "under way at deaths": found.under_way,
        "deaths": found.deaths,
        **{f"fault {name}": count for name, count in sorted(found.fired.items())},
    }
    for name, value in figures.items():
        record_property(name, value)
    assert found.deaths == storm.deaths
    assert set(found.fired) >= {"busy", "refused", "broken", "reset", "truncate"}
    assert compare(found).exact, compare(found)


async def test_five_hundred_deaths_while_folding(tmp_path: Path):
    deaths = part(DEATHS, least=30)
    found = await die(tmp_path, deaths)
    assert found.sound, found
    if deaths >= ENOUGH_TO_COUNT_ON_CHANCE:
        assert found.taking_over > deaths / 20, "hardly a worker died while it took over from another"
        assert found.removed > deaths, "hardly a worker lived to see its own segments folded"

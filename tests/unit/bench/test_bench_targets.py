import pytest

from bench.summary import summarise
from bench.targets import judge, memory_growth, tls_percent
from tests.unit.bench.record import figures, good_record, row


def verdicts(record):
    return {target.aim: target for target in judge(record, summarise(record))}


def test_good_figures_reach_every_aim():
    assert [target.aim for target in verdicts(good_record()).values() if not target.reached] == []


def test_growth_counts_only_what_comes_after_the_settling_calls():
    record = good_record()
    assert memory_growth(record) == pytest.approx(0.25)
    record["growth"]["points"] = [(15_000, 10.0), (60_000, 44.0)]
    assert memory_growth(record) is None


def test_tls_is_paired_with_the_same_round():
    assert tls_percent(good_record()) == pytest.approx(25, abs=1)


def test_the_ratio_is_the_median_of_paired_rounds():
    ours = next(r for r in summarise(good_record()) if r.name == "forehearth")
    assert ours.calls["32"].least == 40.0
    assert ours.calls["32"].ratio == pytest.approx(2.0)
    assert ours.rss_end_mb == pytest.approx(70 * 1.048576)
    assert ours.rss_largest_mb == pytest.approx(40 * 1.048576)


@pytest.mark.parametrize(
    ("aim", "worse"),
    [
        ("a call at 32 connections at most 3 x nginx", figures(70.0, 270.0)),
        ("a stream in 10 writes at most 2.2 x nginx", figures(40.0, 340.0)),
        ("a call ahead of every peer with policy", figures(120.0, 270.0)),
        ("a stream ahead of every peer with policy", figures(40.0, 1500.0)),
        ("added p99 at 50% of capacity at most 1 ms", figures(40.0, 270.0, added_p99=1.2)),
        ("RSS of a worker at most 70 MB", figures(40.0, 270.0, rss=67.0)),
        ("ready within 1 s", figures(40.0, 270.0, start=1.1)),
        ("TLS to the upstream adds at most 35%", figures(30.0, 270.0)),
    ],
)
def test_each_aim_can_be_missed(aim, worse):
    record = good_record()
    record["stacks"]["forehearth"] = row("Forehearth", [worse] * 4, has_policy=True)
    assert not verdicts(record)[aim].reached


@pytest.mark.parametrize(("cost", "missed"), [(90.0, "at most 4 x nginx"), (120.0, "ahead of every peer with policy")])
def test_limits_and_ledger_have_aims_of_their_own(cost, missed):
    record = good_record()
    worse = [figures(cost, 270.0)] * 4
    record["stacks"]["forehearth-accounts"] = row("Forehearth, limits and ledger", worse, has_policy=True)
    found = verdicts(record)
    assert not found[f"a call with two limits and the ledger: {missed}"].reached
    assert found["a call ahead of every peer with policy"].reached


def test_a_growing_worker_misses_its_aim():
    record = good_record()
    record["growth"]["points"] = [(100_000, 40.0), (200_000, 42.0), (300_000, 44.0)]
    assert not verdicts(record)["RSS grows at most 1 MiB in 100,000 calls"].reached


def test_too_few_rounds_are_said():
    record = good_record()
    del record["stacks"]["forehearth"]["rounds"]["4"]
    assert not verdicts(record)["at least 4 paired rounds"].reached


def test_a_peer_without_figures_leaves_being_ahead_open():
    record = good_record()
    record["stacks"]["tensorzero"] = row("TensorZero", [], has_policy=True, state="missing", reason="no wheel")
    target = verdicts(record)["a call ahead of every peer with policy"]
    assert not target.reached
    assert "TensorZero" in target.found


def test_without_our_own_row_nothing_is_reached():
    record = good_record()
    del record["stacks"]["forehearth"], record["stacks"]["forehearth-accounts"], record["growth"]
    found = verdicts(record)
    assert not any(target.reached for target in found.values())
    assert found["ready within 1 s"].found == "not measured"

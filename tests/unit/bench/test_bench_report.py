import xml.etree.ElementTree as ET

import pytest

from bench.__main__ import choose
from bench.chart import svg
from bench.plan import QUICK, Plan
from bench.report import markdown
from bench.stacks import every_stack
from bench.summary import summarise
from bench.verdict import objections, whole
from tests.unit.bench.record import good_record, row


def test_the_page_shows_least_values_with_ratios_and_the_setting():
    page = markdown(good_record())
    assert "| Forehearth | 40 (2.0) | 40 (2.0) | 40 (2.0) | 270 (1.8) | 270 (1.8) |" in page
    assert "Some CPU, 2 cores" in page
    assert "`0123456789ab`" in page
    assert "What TensorZero does." in page
    assert "took 11 µs" in page
    assert "rose by 0.25 MiB" in page
    assert "failed or is missing" not in page


def test_a_failed_row_is_shown_with_its_reason():
    record = good_record()
    record["stacks"]["tensorzero"] = row("TensorZero", [], has_policy=True, state="failed", reason="status 500")
    page = markdown(record)
    assert "| TensorZero: **failed** | - |" in page
    assert "- **TensorZero is failed**: status 500" in page


def test_a_failed_measurement_is_a_gap_and_a_sentence():
    record = good_record()
    tensorzero = record["stacks"]["tensorzero"]
    for found in tensorzero["rounds"].values():
        found["streams"]["10"] = None
    tensorzero["problems"] = ["round 1: streams in 10 writes: 3 of 9 failed"]
    page = markdown(record)
    assert "| TensorZero | 110 (5.4) | 110 (5.4) | 110 (5.4) | - | 1,400 (9.3) |" in page
    assert "- TensorZero, round 1: streams in 10 writes: 3 of 9 failed" in page
    assert not whole(record)


def test_the_chart_has_a_dot_for_every_figure_and_names_what_is_absent():
    record = good_record()
    record["stacks"]["nginx"]["title"] = "nginx <1>"
    record["stacks"]["portkey"] = row("Portkey", [], has_policy=True, state="missing", reason="no npm")
    root = ET.fromstring(svg(summarise(record), "a & b"))  # noqa: S314 - our own output
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    dots = [e for e in root.iter("{http://www.w3.org/2000/svg}circle") if e.get("r") == "6"]
    assert len(dots) == 2 * 5
    assert "40 µs (2.0 x nginx)" in words
    assert "Not shown: Portkey (missing)" in words
    assert "nginx <1>" in words


def names(stacks):
    return [stack.name for stack in stacks]


def test_bench_peers_chooses_peers_and_keeps_our_own_rows():
    chosen, excluded = choose(every_stack(), "nginx, envoy", [])
    ours = ["forehearth", "forehearth-tls", "forehearth-accounts", "forehearth-source", "forehearth-accounts-source"]
    assert names(chosen) == ["direct", "nginx", *ours, "envoy"]
    assert names(excluded) == ["tensorzero", "portkey", "litellm"]
    assert choose(every_stack(), "", [])[1] == []
    assert names(choose(every_stack(), "", ["litellm"])[1]) == ["litellm"]


@pytest.mark.parametrize(("peers", "skipped"), [("ngnix", []), ("", ["bifrost"])])
def test_a_name_that_no_row_has_is_refused(peers, skipped):
    with pytest.raises(ValueError, match=r"no such row: (ngnix|bifrost)"):
        choose(every_stack(), peers, skipped)


def test_only_a_whole_quiet_and_long_run_is_published():
    record = good_record()
    assert objections(record, Plan()) == []
    assert objections(record, QUICK) == ["the run was shorter than the method asks for"]
    record["stacks"]["nginx"]["rounds"]["2"]["busy_before"] = 0.4
    record["stacks"]["envoy"] = row("Envoy", [], state="excluded")
    assert objections(record, Plan()) == ["rows were left out", "the machine was 40% busy with something else"]


def test_a_missing_row_is_not_whole_and_an_excluded_one_is():
    record = good_record()
    record["stacks"]["envoy"] = row("Envoy", [], state="excluded")
    assert whole(record)
    record["stacks"]["envoy"] = row("Envoy", [], state="missing", reason="no wheel")
    assert not whole(record)

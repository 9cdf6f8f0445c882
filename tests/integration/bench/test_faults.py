"""The short tier of `make faults`: each part works, its faults take place, and it finds the server sound.

What depends on how quick the machine is, is for the long one alone.
"""

import msgspec
import pytest

from bench.faults import chart, page, record
from bench.faults.figures import Figure, Outcome, Part, Stage, at_least, at_most, plain, table
from bench.faults.parts import PARTS
from tests.conftest import ROOT

QUICK = {"departures", "upstream_faults", "overload", "clocks", "growth"}
"""The others have tests of their own: tests/integration/{ledger,limits,routing}, tests/unit/accounting,
tests/soak."""
OF_TIME = (" s", " ms", " MiB", " %")


def of_the_machine(figure: Figure) -> bool:
    return figure.target.endswith(OF_TIME) or "p99" in figure.what


@pytest.mark.parametrize("name", sorted(QUICK))
async def test_a_part_finds_the_server_sound(name, tmp_path):
    outcome = await PARTS[name].measure(Stage(folder=tmp_path, short=True))
    wrong = [each for each in outcome.figures if each.reached is False and not of_the_machine(each)]
    assert not wrong, table(wrong)
    assert all(outcome.fired.values()), outcome.fired
    assert any(each.reached is not None for each in outcome.figures if not of_the_machine(each))


async def nothing(_: Stage) -> Outcome:
    raise NotImplementedError


def entry(title: str, outcome: Outcome, **members) -> record.Entry:
    made = record.entry(Part(title=title, done="Calls.", measure=nothing), outcome, root=ROOT, seconds=2.0)
    return msgspec.structs.replace(made, **members)


def test_a_record_is_read_as_it_was_written(tmp_path):
    kept = {"calls": entry("Calls", Outcome(figures=[plain("calls", 7)], fired={"reset": 1}))}
    record.write(tmp_path / "record.json", kept)
    assert record.read(tmp_path / "record.json") == kept
    assert record.read(tmp_path / "none.json") == {}


def test_the_page_says_what_is_not_reached_and_of_which_commit_each_part_is():
    good = entry("Good calls", Outcome(figures=[at_least("calls", 7, 7)], fired={"reset": 3}), commit="abc")
    bad = entry("Bad calls", Outcome(figures=[at_most("lost", 1, 0)]), commit="def")
    written = page.markdown({"good": good, "bad": bad})
    assert "| [Good calls](#good-calls) | 1 of 1 |" in written
    assert "| [Bad calls](#bad-calls) | **0 of 1** |" in written
    assert "`abc`" in written
    assert "`def`" in written
    assert "Faults that took place: reset 3." in written


def test_a_fault_that_never_took_place_is_a_target_missed():
    assert not Outcome(figures=[at_most("lost", 0, 0)], fired={"reset": 0}).reached


def test_the_picture_has_every_point():
    points = [{"times": times, "offered": times * 100, "answered": 100} for times in (0.5, 1, 4)]
    assert chart.svg(points, "of a test").count("<circle") == 3

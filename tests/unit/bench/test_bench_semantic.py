import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

import pytest

from bench.semantic.chart import svg
from bench.semantic.pairs import THRESHOLDS, Count, Outcome, counted, outcomes
from bench.semantic.questions import REQUIRED_KINDS, SAME, Question, read
from bench.semantic.report import markdown, reached

GROUPS = read()


def test_there_are_as_many_questions_as_were_asked_for():
    kinds = Counter(each.kind for group in GROUPS for each in group.asked)
    assert sum(kinds[mark] for mark in SAME) >= 500
    assert sum(kinds[kind] for kind in REQUIRED_KINDS) >= 200
    assert min(kinds[kind] for kind in REQUIRED_KINDS) >= 15
    tuned = sum(group.was_tuned_on for group in GROUPS)
    assert 0.4 < tuned / len(GROUPS) < 0.6


def test_a_question_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "questions-1.txt").write_text("= a\n~1 b\n!number a\n")
    with pytest.raises(ValueError, match=r"questions-1\.txt:3"):
        read(tmp_path)
    (tmp_path / "questions-1.txt").write_text("= a\n~4 b\n")
    with pytest.raises(ValueError, match="~4 is no mark"):
        read(tmp_path)


def outcome(kind: str, plain: float, guarded: float, *, right: bool = True) -> Outcome:
    question = Question(text="", kind=kind, meaning=(0, 0))
    return Outcome(question=question, tuned=True, plain=plain, plain_right=right, guarded=guarded, guarded_right=right)


def test_hits_and_wrong_answers_are_counted_up_to_the_threshold():
    found = [
        outcome("~1", 0.05, 0.05),
        outcome("~2", 0.10, 0.10),
        outcome("~3", 0.30, 0.30),
        outcome("~3", 0.05, 0.05, right=False),
        outcome("number", 0.01, float("inf"), right=False),
    ]
    guarded, plain = (counted(found, 0.1, guarded=each) for each in (True, False))
    assert (guarded.paraphrases, guarded.hits, guarded.wrong) == (4, 2, 1)
    assert (plain.hits, plain.wrong) == (2, 2)
    assert (guarded.hit_rate, plain.wrong_share) == (0.5, 0.5)
    assert counted(found, 0.0, guarded=True).wrong_share == 0.0


def test_the_guards_alone_let_no_look_alike_pass():
    """All texts lie together, so nothing but the guards keeps them apart: on the half that the lists were made with."""
    groups = [group for group in GROUPS if group.was_tuned_on]
    place = [0.0] * 63 + [1.0]
    vectors = {each.text: list(place) for group in groups for each in (group.kept, *group.asked)}
    for number, group in enumerate(groups):  # what belongs together is nearest, so that it is among those looked at
        for each in (group.kept, *group.asked):
            vectors[each.text][number % 63] = 0.2 + number / 1_000
    found = outcomes(groups, vectors)
    at = counted(found, 1.0, guarded=True)
    assert at.wrong == 0
    assert at.hit_rate >= 0.30


COUNT = {"threshold": 0.1, "paraphrases": 100, "hits": 40, "wrong": 0, "hit_rate": 0.4, "wrong_share": 0.0}


def record(**rest: Any) -> dict[str, Any]:
    both = {"guarded": COUNT, "plain": COUNT | {"wrong": 30, "wrong_share": 0.43}}
    used = {"asked": 200, "hits": 50, "wrong": 0, "foreign": 0}
    cost = {"entries": 100_000, "lookups": 500, "median": 1.0, "p99": 2.0, "most": 4.0, "near": 20.0}
    return {
        "taken": "2026-11-26T10:00:00",
        "commit": "0123456789ab",
        "machine": {"cpu": "Some CPU", "cores": 2, "python": "3.11.2"},
        "threshold": 0.1,
        "questions": {"kept": 10, "paraphrases": 100, "traps": 3, "kinds": ["number", "number", "date"]},
        "at_default": dict.fromkeys(("all", "tuned", "held out"), both),
        "by_closeness": dict.fromkeys(SAME, (30, 10)),
        "by_kind": {"number": (2, 1, 0)},
        "as_used": {"first": used, "second": used},
        "cost": cost | {"bytes_per_entry": 2_000.0},
    } | rest


def test_the_page_says_what_is_reached():
    page = markdown(record())
    assert "| paraphrases with the right answer | at least 30% | 40.0% | reached |" in page
    assert "| the half that was only counted | 100 | 40 (40.0%) | 0 | 40 (40.0%) | 30 (43% of all) |" in page
    assert "number (2), date (1)" in page
    assert "bounds the true share at 2.1%" in page
    assert "missed" not in page
    assert "{" not in page


@pytest.mark.parametrize("aim", range(4))
def test_an_aim_that_is_missed_is_said(aim):
    weak = {**COUNT, "hit_rate": 0.29}
    missed = (
        {"at_default": record()["at_default"] | {"all": {"guarded": weak, "plain": weak}}},
        {"as_used": {"first": {"asked": 200, "hits": 100, "wrong": 1, "foreign": 0}}},
        {"as_used": {"first": {"asked": 200, "hits": 100, "wrong": 0, "foreign": 1}}},
        {"cost": record()["cost"] | {"p99": 3.1}},
    )[aim]
    assert reached(record(**missed)) == [number != aim for number in range(4)]
    assert markdown(record(**missed)).count("**missed**") == 1


def test_the_chart_has_both_curves_in_both_panels():
    curve = [Count(threshold=at, paraphrases=100, hits=int(at * 100), wrong=1) for at in THRESHOLDS]
    root = ET.fromstring(svg({"guarded": curve, "plain": curve}, 0.1, "a & b"))  # noqa: S314 - our own output
    lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
    assert [len(line.get("points", "").split()) for line in lines] == [len(THRESHOLDS)] * 4
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "default 0.1" in words
    assert "a & b" in words

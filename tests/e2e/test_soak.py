"""The long tier's runner: a part that fails, dies or hangs costs no other part's figures, and none goes unnoticed."""

from pathlib import Path

from scripts.soak import soak

PARTS = {
    "dies": "import os\ndef test_one():\n    os._exit(7)\n",
    "fails": "def test_one(record_property):\n    record_property('of a failure', 1)\n    assert False\n",
    "hangs": "import time\ndef test_one(record_property):\n    record_property('of before', 2)\n"
    "def test_one_more():\n    time.sleep(600)\n",
    "nothing": "def test_other(): pass\n",
    "passes": "def test_one(record_property):\n    record_property('of a success', 3)\n",
}
LONGEST = 9.0


def soaked(folder: Path, *names: str) -> tuple[bool, str]:
    """Whether a soak of these parts is passed, and its report."""
    for name in names:
        (folder / f"test_{name}.py").write_text(PARTS[name])
    files = [str(folder / f"test_{name}.py") for name in names]
    facts = {"Date": "2026-01-02", "Commit": "abc"}
    passed = soak(files, ["-k", "one"], facts=facts, report=folder / "reports" / "report.md", longest=LONGEST)
    return passed, (folder / "reports" / "report.md").read_text()


def test_every_part_is_reported_whatever_became_of_the_others(tmp_path: Path) -> None:
    passed, page = soaked(tmp_path, "dies", "fails", "hangs")
    assert not passed
    for row in (
        "- Parts: 3 of 3, in 0 minutes",
        "| test_dies | ended with status 7 |",
        "| test_fails::test_one | failure |",
        "| of a failure | 1 |",
        "| test_hangs::test_one | passed |",
        "| of before | 2 |",
        f"| test_hangs | stopped after {LONGEST:.0f} s |",
    ):
        assert row in page, page


def test_parts_without_the_tests_that_are_asked_for_are_passed_over(tmp_path: Path) -> None:
    passed, page = soaked(tmp_path, "nothing", "passes")
    assert passed
    assert "test_nothing" not in page
    assert "| of a success | 3 |" in page

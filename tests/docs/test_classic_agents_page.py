"""The page of classic agents has the table of statuses as it is in the code, and every member of a run."""

import re

import pytest

from forehearth.dialects.assistants import asked, states
from forehearth.dialects.assistants.states import MOVES, Move, Status
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "reference" / "classic-agents.md").read_text()
GOING_ON = [status for status in Status if not status.final]


def cell(status: Status, move: Move) -> str:
    return f"`{MOVES[status, move]}`" if (status, move) in MOVES else ""


def test_the_table_of_statuses_is_the_one_in_the_code() -> None:
    names = " | ".join(f"`{status}`" for status in GOING_ON)
    head = f"| it comes to | {names} |\n|{'---|' * (len(GOING_ON) + 1)}\n"
    rows = [" | ".join((move, *(cell(status, move) for status in GOING_ON))) for move in Move]
    assert head + "".join(re.sub(r"\|  (?=\|)", "| ", f"| {row} |\n") for row in rows) in PAGE


def test_the_table_in_the_code_s_own_words_says_the_same() -> None:
    said = {
        tuple(each.strip() for each in line.strip().strip("|").split("|"))
        for line in (states.__doc__ or "").splitlines()
        if line.strip().startswith("| ") and "comes " not in line
    }
    assert said == {(str(move), *(str(MOVES.get((status, move), "")) for status in GOING_ON)) for move in Move}


@pytest.mark.parametrize("member", sorted({*asked.RunOfThread.__struct_fields__} - {"assistant_id"}))
def test_every_member_of_a_run_is_on_the_page(member: str) -> None:
    assert re.search(rf"`{member}`", PAGE)

"""The page of responses has every member that is read, and the table of states as it is in the code."""

import re

import pytest

from forehearth.dialects.responses import asked, items
from forehearth.dialects.responses.states import TABLE, State, Step
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "reference" / "responses.md").read_text()


def table() -> str:
    """The states, as the page has them. The rows for a stream that breaks off are one."""
    rows = [
        f"| {before} | {step} | {_events(names)} | {after} |"
        for (before, step), (names, after) in TABLE.items()
        if step is not Step.BREAK
    ]
    names, after = TABLE[State.IDLE, Step.BREAK]
    rows.append(f"| any but {State.NEW} and {State.OVER} | {Step.BREAK} | {_events(names)} | {after} |")
    return "\n".join(rows)


def _events(names: tuple[str, ...]) -> str:
    return " ".join(f"`{name.removeprefix('response.')}`" for name in names)


def test_the_table_of_states_is_the_one_in_the_code() -> None:
    assert f"|---|---|---|---|\n{table()}\n\n" in PAGE


def test_a_stream_that_breaks_off_has_one_row_for_all_states() -> None:
    assert len({TABLE[key] for key in TABLE if key[1] is Step.BREAK}) == 1


@pytest.mark.parametrize("member", asked.Body.__struct_fields__)
def test_every_member_is_on_the_page(member: str) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert any(re.search(rf"`{member}`", row) for row in rows)


@pytest.mark.parametrize("kind", items.READ)
def test_every_kind_of_item_is_on_the_page(kind: str) -> None:
    assert f"| `{kind}` |" in PAGE

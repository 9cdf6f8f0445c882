"""The states of a job: the table in words and the one in code are one, and it leads to an end from everywhere."""

import pytest

from forehearth.core import job
from forehearth.core.job import FINAL, MOVES, JobState, Move


def test_the_table_in_words_is_the_one_in_code():
    rows = [line.strip(" |").split("|") for line in (job.__doc__ or "").splitlines() if line.startswith("    | ")]
    (_, *moves), *states = [[cell.strip() for cell in row] for row in rows]
    told = {
        (JobState(state), Move(move)): JobState(cell)
        for state, *cells in states
        for move, cell in zip(moves, [*cells, *[""] * len(moves)], strict=False)
        if cell
    }
    assert told == dict(MOVES)
    assert {state for state, *_ in states} == set(JobState)


def test_what_has_ended_stays_so():
    assert {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED} == FINAL
    assert {state for state in JobState if state.final} == FINAL


def reached_from(state: JobState) -> set[JobState]:
    found = {state}
    while more := {after for (before, _), after in MOVES.items() if before in found} - found:
        found |= more
    return found


@pytest.mark.parametrize("state", sorted(set(JobState) - FINAL))
def test_every_end_is_reached_from_wherever_there_is_none(state):
    assert reached_from(state) == set(JobState)

"""The table of states: complete, without dead ends, and every event in it is documented."""

from forehearth.dialects.responses import states
from forehearth.dialects.responses.states import TABLE, State, Step
from tests.openai_schemas import events

CONTENT = (Step.REASONING, Step.TEXT, Step.REFUSAL, Step.CALL)
WRITING = (State.IDLE, State.REASONING, State.TEXT, State.REFUSAL, State.CALL)


def test_whatever_the_model_says_next_has_its_row():
    assert {(state, step) for state in WRITING for step in (*CONTENT, Step.END, Step.BREAK)} <= set(TABLE)


def test_every_state_is_reached_and_left():
    assert {after for _, after in TABLE.values()} == set(State) - {State.NEW}
    assert {before for before, _ in TABLE} == set(State) - {State.OVER}


def test_the_last_event_is_given_once():
    last = {states.COMPLETED, states.INCOMPLETE, states.FAILED}
    for names, after in TABLE.values():
        assert (after is State.OVER) == bool(last & set(names))


def test_what_is_closed_is_closed_first():
    for names, _ in TABLE.values():
        closing = [name in states.CLOSING for name in names]
        assert closing == sorted(closing, reverse=True)


def test_every_event_is_documented():
    assert {name for names, _ in TABLE.values() for name in names} | {states.ERROR} <= set(events())

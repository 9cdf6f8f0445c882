"""The secret that says which person asks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.core.secret import Secret
from forehearth.identity.development.identity_header import header_of, name_in

SECRET, OTHER = Secret("one installation"), Secret("another one")


@pytest.mark.parametrize("name", ["developer", "maria", "a.b.c", "A-1_x"])
def test_it_says_who_asks(name: str):
    header = header_of(SECRET, name).reveal()
    assert header.startswith(f"{name}.")
    assert name_in(SECRET, header) == name


def test_it_is_good_for_one_installation():
    assert name_in(OTHER, header_of(SECRET, "developer").reveal()) is None


def test_one_person_cannot_be_another():
    _, _, seal = header_of(SECRET, "maria").reveal().rpartition(".")
    assert name_in(SECRET, f"developer.{seal}") is None


@pytest.mark.parametrize(
    "header", ["", ".", "developer", "developer.", ".x", "developer.\xe9", header_of(SECRET, "").reveal()]
)
def test_what_was_never_made_here(header: str):
    assert name_in(SECRET, header) is None


def test_a_long_one_is_not_read():
    assert name_in(SECRET, header_of(SECRET, "x" * 300).reveal()) is None


@settings(max_examples=2_000, deadline=None)
@given(place=st.integers(0, 52), letter=st.sampled_from("ABCxyz019-_.=%"))
def test_a_changed_letter_makes_it_nobodys(place: int, letter: str):
    header = header_of(SECRET, "developer").reveal()
    changed = header[:place] + letter + header[place + 1 :]
    assert name_in(SECRET, changed) == ("developer" if changed == header else None)


def test_it_is_not_shown():
    assert "developer" not in repr(header_of(SECRET, "developer"))

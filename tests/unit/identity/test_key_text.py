"""A key's text can be recognised, and a mistyped one is told from one that nobody made."""

import re
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.identity.key_text import hint, is_mistyped, is_whole, masked, new_key

KEY = new_key(lambda count: bytes(range(count))).reveal()
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_a_key_has_the_form_that_scanners_look_for():
    for _ in range(100):
        made = new_key(secrets.token_bytes).reveal()
        assert re.fullmatch(r"fh-[A-Za-z0-9_-]{43}[A-Za-z0-9_-]{6}", made)
        assert is_whole(made)
        assert not is_mistyped(made)


def test_no_two_are_alike():
    assert len({new_key(secrets.token_bytes).reveal() for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("place", range(3, len(KEY)))
def test_one_wrong_letter_is_noticed(place):
    for letter in set(LETTERS) - {KEY[place]}:
        wrong = KEY[:place] + letter + KEY[place + 1 :]
        assert not is_whole(wrong)
        assert is_mistyped(wrong)


@pytest.mark.parametrize("place", range(3, len(KEY) - 1))
def test_two_letters_changed_for_one_another_are_noticed(place):
    wrong = KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :]
    assert is_whole(wrong) is (wrong == KEY)


@pytest.mark.parametrize("other", ["", "fh-", KEY[:-1], KEY + "A", KEY.upper(), KEY + "\n", "sk-" + KEY[3:], f" {KEY}"])
def test_what_has_another_form_is_no_key_and_no_mistake(other):
    assert not is_whole(other)
    assert is_mistyped(other) is (other == KEY.upper() and other.startswith("fh-"))


@settings(max_examples=10_000)
@given(st.text(max_size=60) | st.text(LETTERS, min_size=49, max_size=49).map(lambda text: "fh-" + text))
def test_any_text_is_one_of_three(text):
    assert not (is_whole(text) and is_mistyped(text))


def test_its_last_letters_are_shown_and_no_more():
    made = new_key(secrets.token_bytes)
    assert hint(made) == made.reveal()[-4:]
    assert made.reveal() not in f"{made} {made!r}"


def test_keys_and_parts_of_keys_are_masked():
    assert masked(f"a {KEY}, {KEY[:-10]}") == "a fh-***, fh-***"
    assert masked("fh-short and oh-fh") == "fh-short and oh-fh"

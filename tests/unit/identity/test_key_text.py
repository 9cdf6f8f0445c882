"""A key's text can be recognised, and a mistyped one is told from one that nobody made."""

import re
import secrets

import pytest

from forehearth.identity.key_text import hint, is_mistyped, is_whole, masked, new_key
from tests.unit.dice import by_dice, some_text

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


@by_dice(whole=0.1, mistyped=0.3, neither=0.3)
def test_any_text_is_one_of_three(dice):
    text = dice.choice((KEY, "fh-" + "".join(dice.choices(LETTERS, k=49)), some_text(dice, 60)))
    if dice.random() < 0.5:
        place = dice.randrange(len(text) + 1)
        text = text[:place] + dice.choice(LETTERS) + text[place + 1 :]
    assert not (is_whole(text) and is_mistyped(text))
    return "whole" if is_whole(text) else "mistyped" if is_mistyped(text) else "neither"


def test_its_last_letters_are_shown_and_no_more():
    made = new_key(secrets.token_bytes)
    assert hint(made) == made.reveal()[-4:]
    assert made.reveal() not in f"{made} {made!r}"


def test_keys_and_parts_of_keys_are_masked():
    assert masked(f"a {KEY}, {KEY[:-10]}") == "a fh-***, fh-***"
    assert masked("fh-short and oh-fh") == "fh-short and oh-fh"

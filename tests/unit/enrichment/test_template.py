"""Prompts with places for values."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.enrichment.template import BadTemplate, Template


def test_places_are_filled_row_by_row():
    template = Template("{greeting}, {name}! {greeting} again, {{not this}}.")
    assert template.columns == ("greeting", "name")
    values = {"greeting": ["Hello", "Bye", "Hm"], "name": ["Ada", "{x}", None]}
    assert template.render(values, 3) == [
        "Hello, Ada! Hello again, {not this}.",
        "Bye, {x}! Bye again, {not this}.",
        None,
    ]


def test_a_text_without_places_is_the_same_for_every_row():
    assert Template("Hello.").render({}, 2) == ["Hello.", "Hello."]


@pytest.mark.parametrize(
    ("text", "place"),
    [("a { b", "line 1, column 3"), ("a\nb}", "line 2, column 2"), ("{}", "column 1"), ("{a{b}", "column 1")],
)
def test_a_brace_that_belongs_to_nothing_is_told_with_its_place(text, place):
    with pytest.raises(BadTemplate, match=place):
        Template(text)


@given(st.text())
def test_every_text_can_be_written(text):
    template = Template(text.replace("{", "{{").replace("}", "}}") + "{column}")
    assert template.render({"column": [text]}, 1) == [text + text]


@given(st.text())
def test_any_text_is_a_template_or_is_refused(text):
    with contextlib.suppress(BadTemplate):
        Template(text)

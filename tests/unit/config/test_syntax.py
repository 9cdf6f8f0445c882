"""Faults of YAML's syntax: told in words, at the place where one has to look."""

import pytest

from forehearth.config.problems import ConfigError
from tests.unit.config.reading import problems, read

SYNTAX = [
    # What is written, where to look, what is said, and what to do.
    ("a:\n\tb: c", (2, 1), "a tab is used where only spaces may stand", "indent with spaces"),
    ("a:\n  - b\n\t- c", (3, 1), "a tab is used where only spaces may stand", "indent with spaces"),
    ("a: b: c", (1, 5), "there is a ':' where no key can be", "put a value that has ': ' in it in quotes"),
    ("a: b\n  c: d", (2, 4), "there is a ':' where no key can be", "put a value that has ': ' in it in quotes"),
    ("a: 'b\nc: d\n", (1, 4), "the quote that opens here is never closed", "close it"),
    ('a: "b\n---\nc: d\n', (1, 4), "the quote that opens here is never closed", "close it"),
    (
        "a: 'it's'",
        (1, 8),
        "there is text here that belongs to nothing",
        "if a quote ended the value before it, write ''",
    ),
    ('a: "C:\\models"', (1, 8), "'\\m' means nothing in double quotes", "write '\\\\' for a backslash"),
    ('a: "\\u12"', (1, 7), "the escape has too few hexadecimal digits", "write \\xNN"),
    ("a: [b, c\nd: e", (1, 4), "the list that opens here with '[' is not closed", "write [one, two], and quote"),
    ("a: {b: c\nd: e", (1, 4), "the mapping that opens here with '{' is not closed", "write {key: value"),
    ("a: b\nc\n", (2, 1), "this line is neither 'key: value' nor an item of a list", "write 'key: value'"),
    ("a: b\nport:8080\nc: d", (2, 1), "this line is neither 'key: value' nor an item of a list", "write 'key: value'"),
    ("a:\n  - b\n - c", (3, 2), "this item of a list is not in line with the others", "check that this line"),
    ("a:\n    b: c\n  d: e", (3, 3), "this line is not in line with what it belongs to", "check that this line"),
    ("a: - b", (1, 4), "an item of a list cannot stand here", "begin the list on a line of its own"),
    ("a: @b", (1, 4), "a value may not begin with @", "put the value in quotes"),
    ("a: `b`", (1, 4), "a value may not begin with `", "put the value in quotes"),
    ("a: %b", (1, 4), "a value may not begin with %", "put the value in quotes"),
    ("a: *", (1, 5), "a name of letters and digits must follow & and *", "quote it if it is text"),
    ("a: & b", (1, 5), "a name of letters and digits must follow & and *", "quote it if it is text"),
    ("a: |x\n b", (1, 5), "'|' or '>' begins a text, and what follows it here is not one", "write '|' alone"),
    (
        "a: !<b",
        (1, 7),
        "a value that begins with '!' is a tag, and tags have no meaning here",
        "put the value in quotes",
    ),
    ("a: }", (1, 4), "a value is expected here", "put the value in quotes"),
    (
        "%YAML 9.1\n---\na: b",
        (1, 1),
        "a line that begins with % is for directives, and this one is none",
        "put the value",
    ),
    ("a: b\n...\nc: d", (3, 1), "the file cannot go on with this", "check the indentation"),
    ("a: b\x07", (1, 5), "the character U+0007 may not stand in YAML", 'write it as "\\xNN" in quotes'),
    ("a: b\n\x00", (2, 1), "the character U+0000 may not stand in YAML", 'write it as "\\xNN" in quotes'),
    ("", (1, 1), "the file is empty", "begin with 'version: 1'"),
    ("# nothing\n", (1, 1), "the file is empty", "begin with 'version: 1'"),
]


@pytest.mark.parametrize(("text", "place", "message", "hint"), SYNTAX)
def test_the_fault_its_place_and_the_remedy(text, place, message, hint):
    (problem,) = problems(text)
    assert problem.message.startswith(message)
    assert (problem.line, problem.column) == place
    assert problem.hint.startswith(hint)
    assert "yaml" not in problem.message
    assert "<" not in problem.message


def test_a_value_of_a_line_with_a_fault_is_never_shown():
    with pytest.raises(ConfigError) as caught:
        read("version: 1\nbackends: {a: {provider: toy, secret: sk-live-1234567890: }}")
    assert "sk-live" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["\ufeffversion: 1", "version: 1\r\nlog:\r\n  level: info\r\n", "---\nversion: 1\n...\n"]
)
def test_what_other_editors_write(text):
    assert read(text).version == 1

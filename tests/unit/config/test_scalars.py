"""Single values are read as the type of their key, or refused: what was expected, what was found, what to do."""

import pytest

from forehearth.config.problems import Problem
from tests.unit.config.reading import toy, toy_problem
from tests.unit.config.toys import Colour

TAKEN = [
    ("whole: 3", "whole", 3),
    ("whole: -5", "whole", -5),
    ("whole: +2", "whole", 2),
    ("number: 2", "number", 2.0),
    ("number: -.5", "number", -0.5),
    ("number: 1e3", "number", 1000.0),
    ("number: 1.5E-3", "number", 0.0015),
    ("flag: true", "flag", True),
    ("flag: False", "flag", False),
    ("text: plain words", "text", "plain words"),
    ("text: 1.10", "text", "1.10"),
    ("text: 2024-10-21", "text", "2024-10-21"),
    ("text: 1e3", "text", "1e3"),
    ("text: no", "text", "no"),
    ("text: on", "text", "on"),
    ("text: 0o17", "text", "0o17"),
    ("text: 12:30", "text", "12:30"),
    ("text: 'true'", "text", "true"),
    ('text: ""', "text", ""),
    ("text: |\n      two\n      lines", "text", "two\nlines\n"),
    ("text: ünïcödé 🜂", "text", "ünïcödé 🜂"),
    ("worded: two", "worded", "two"),
    ("word: beta", "word", "beta"),
    ('word: "beta"', "word", "beta"),
    ("figure: 2", "figure", 2),
    ("colour: dark_green", "colour", Colour.DARK_GREEN),
    ("maybe: null", "maybe", None),
    ("maybe: ~", "maybe", None),
    ("maybe:", "maybe", None),
    ("maybe: 7", "maybe", 7),
    ("either: 7", "either", 7),
    ("either: seven", "either", "seven"),
    ("either: '7'", "either", "7"),
    ("several: one", "several", "one"),
    ("several: [one, 2]", "several", ("one", "2")),
    ("several:", "several", None),
    ("by_name: {a: 1, true: 2, 3: 4}", "by_name", {"a": 1, "true": 2, "3": 4}),
    ("by_number: {1: a}", "by_number", {1: "a"}),
    ("by_name:", "by_name", {}),
    ("unique: [3, 3]", "unique", frozenset({3})),
    ("pair: [1, 2]", "pair", (1, 2)),
    ("url: https://host.example:8443/v1", "url", "https://host.example:8443/v1"),
    ("url: http://[::1]:8000/v1", "url", "http://[::1]:8000/v1"),
    ("proxy: none", "proxy", "none"),
    ("proxy: http://proxy:3128", "proxy", "http://proxy:3128"),
    ("other-name: 4", "renamed", 4),
    (
        "anything: {a: [1, 1.5, yes, true, null, 'x'], b: {c: 007}}",
        "anything",
        {"a": [1, 1.5, "yes", True, None, "x"], "b": {"c": 7.0}},
    ),
]


@pytest.mark.parametrize(("line", "member", "value"), TAKEN)
def test_what_is_taken(line, member, value):
    got = getattr(toy(line), member)
    assert got == value
    assert type(got) is type(value)


REFUSED = [
    ("whole: abc", "expected a whole number from -5 to 5, found text 'abc'", ""),
    ("whole: 6", "expected a whole number from -5 to 5, found the number 6", ""),
    ("whole: 1.0", "expected a whole number from -5 to 5, found the number 1.0", "write 1"),
    ("whole: 1e3", "expected a whole number from -5 to 5, found the number 1e3", "write 1000"),
    ("whole: 1.5", "expected a whole number from -5 to 5, found the number 1.5", ""),
    ("whole: '3'", "expected a whole number from -5 to 5, found text '3'", "remove the quotes"),
    ("whole: 007", "expected a whole number from -5 to 5, found the number 007", "write 7"),
    ("whole: 0x10", "expected a whole number from -5 to 5, found text '0x10'", "write 16"),
    ("whole: 0o17", "expected a whole number from -5 to 5, found text '0o17'", "write 15"),
    ("whole: 64_000", "expected a whole number from -5 to 5, found text '64_000'", "write 64000"),
    ("whole: 64,000", "expected a whole number from -5 to 5, found text '64,000'", "write 64000"),
    ("whole: 16MiB", "expected a whole number from -5 to 5, found text '16MiB'", "write 16777216, without the unit"),
    ("whole: 3 seconds", "expected a whole number from -5 to 5, found text '3 seconds'", "write 3, without the unit"),
    ("whole: true", "expected a whole number from -5 to 5, found true", ""),
    (
        "whole:",
        "expected a whole number from -5 to 5, found nothing",
        "give a value, or remove the key to have the default",
    ),
    ("whole: [1]", "expected a whole number from -5 to 5, found a list", ""),
    ("whole: {a: 1}", "expected a whole number from -5 to 5, found a mapping of keys to values", ""),
    (f"whole: {'9' * 30}", f"expected a whole number from -5 to 5, found the number {'9' * 30}", ""),
    (f"whole: {'9' * 5000}", f"expected a whole number from -5 to 5, found the number {'9' * 39}…", ""),
    ("number: 500ms", "expected a number, found text '500ms'", "write 0.5, without the unit"),
    ("number: .inf", "expected a number, found text '.inf'", ""),
    ("number: .nan", "expected a number, found text '.nan'", ""),
    ("number: 1e999", "expected a number, found the number 1e999", "the number is too large"),
    ("number: '1.5'", "expected a number, found text '1.5'", "remove the quotes"),
    ("flag: yes", "expected true or false, found text 'yes'", "write true"),
    ("flag: Off", "expected true or false, found text 'Off'", "write false"),
    ("flag: 'true'", "expected true or false, found text 'true'", "write true, without quotes"),
    ("flag: 1", "expected true or false, found the number 1", ""),
    ("text: true", "expected text, found true", 'write "true", in quotes, if that is the text'),
    ("text: null", "expected text, found nothing", "give a value, or remove the key to have the default"),
    ("text: [a]", "expected text, found a list", ""),
    (
        "text: ${HOME}",
        "an environment variable is read only where a secret belongs",
        "write the value itself",
    ),
    ("short: four", "expected text of at most 3 characters, found text 'four'", ""),
    ("worded: tow", "expected 'one', 'two' or 'three', found text 'tow'", "did you mean 'two'?"),
    ('worded: "two\\n"', "expected 'one', 'two' or 'three', found text 'two\\n'", "did you mean 'two'?"),
    ("word: Alpha", "expected 'alpha' or 'beta', found text 'Alpha'", "did you mean 'alpha'?"),
    ("figure: '1'", "expected 1 or 2, found text '1'", "remove the quotes"),
    ("figure: 3", "expected 1 or 2, found the number 3", ""),
    ("colour: dark-green", "expected 'red' or 'dark_green', found text 'dark-green'", "did you mean 'dark_green'?"),
    ("either: [a]", "expected a whole number or text, found a list", ""),
    ("several: {a: b}", "expected text or a list, found a mapping of keys to values", ""),
    ("by_name: {a: b}", "expected a whole number, found text 'b'", ""),
    ("by_name: [a]", "expected a mapping of keys to values, found a list", "write 'key: value' lines, without '- '"),
    ("by_number: {a: b}", "this key must be a whole number", ""),
    ("unique: 3", "expected a list, found the number 3", "write [3]"),
    ("pair: [1]", "expected a list of at least 2 items, found 1", ""),
    ("pair: [1, 2, 3]", "expected a list of at most 2 items, found 3", ""),
    (
        "url: host:80/v1",
        "expected an http:// or https:// URL, found text 'host:80/v1'",
        "begin it with https:// or http://",
    ),
    ("url: ftp://host", "expected an http:// or https:// URL, found text 'ftp://host'", ""),
    ("url: http://host:99999", "the address has an impossible port or host", "write http://HOST:PORT"),
    ("url: http://[::1/v1", "the address has an impossible port or host", "write http://HOST:PORT"),
    ("url: http://:80/v1", "the address has an impossible port or host", "write http://HOST:PORT"),
    ("url: http://h/v1?key=1", "expected an http:// or https:// URL, found text 'http://h/v1?key=1'", ""),
    (
        "url: http://me:pw@host/v1",
        "an address may have no user or password in it",
        "give the credential by `api_key`",
    ),
    ("proxy: socks5://h:1", "expected a proxy as http://HOST:PORT, or the word none, found text 'socks5://h:1'", ""),
    (
        "proxy: http://me:pw@h:1",
        "an address may have no user or password in it",
        "leave `proxy` out and set HTTPS_PROXY, with user and password, in the environment",
    ),
    ("flag: sk-1234567890", "expected true or false, found text", ""),
]


@pytest.mark.parametrize(("line", "message", "hint"), REFUSED)
def test_what_is_refused_and_how_it_is_said(line, message, hint):
    problem = toy_problem(line)
    assert (problem.message, problem.hint) == (message, hint)
    assert problem.path.startswith(f"backends.it.{line.partition(':')[0]}")
    assert problem.line == 5


def test_a_problem_is_where_the_value_is():
    assert toy_problem("whole:    abc") == Problem(
        file="<text>",
        line=5,
        column=15,
        path="backends.it.whole",
        message="expected a whole number from -5 to 5, found text 'abc'",
    )


def test_long_and_strange_values_are_shown_in_one_short_line():
    shown = toy_problem('whole: "' + "a\\n\\x1b[31m" * 30 + '"').message
    assert shown.isprintable()
    assert len(shown) < 150


@pytest.mark.parametrize(
    "value",
    [
        "sk-abcdefgh",
        "eyJhbGciOi.x.y",
        "http://a:pw@h",
        "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "AbCd1234+/AbCd1234AbCd1234",
    ],
)
def test_what_looks_like_a_credential_is_not_shown(value):
    problem = toy_problem(f"whole: {value}")
    assert problem.message.endswith("found text")
    assert value not in problem.hint

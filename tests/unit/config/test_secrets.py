"""Secrets come from the environment or a file, and show themselves in no message."""

import os

import pytest

from forehearth.config.secrets import held
from forehearth.core.secret import Secret
from tests.unit.config.reading import toy, toy_problem
from tests.unit.config.toys import Toy

VALUE = "s3cret-v4lue"


def test_from_an_environment_variable():
    assert toy("secret: ${A_KEY}", {"A_KEY": VALUE}).secret.reveal() == VALUE
    assert toy("secret: '${A_KEY}'", {"A_KEY": VALUE + "\n"}).secret.reveal() == VALUE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_from_a_file(folder, end):
    (folder / "key").write_bytes((VALUE + end).encode())
    assert toy("secret: file:key").secret.reveal() == VALUE
    assert toy(f"secret: file:{folder}/key").secret.reveal() == VALUE
    assert toy("secret: 'file: key'").secret.reveal() == VALUE


VARIABLES = [
    ({}, "the environment variable A_KEY is not set", "set it: export A_KEY=…"),
    ({"A_KEYS": VALUE}, "the environment variable A_KEY is not set", "did you mean A_KEYS, which is set?"),
    ({"A_KEY": ""}, "the environment variable A_KEY is empty", "set it: export A_KEY=…"),
    ({"A_KEY": " \n"}, "the environment variable A_KEY is empty", "set it: export A_KEY=…"),
    ({"A_KEY": VALUE + " "}, "the environment variable A_KEY begins or ends with a space", "it should hold the secret"),
    ({"A_KEY": VALUE + "\nmore"}, "the environment variable A_KEY has a line break", "it should hold the secret"),
    ({"A_KEY": VALUE + "\u200b"}, "the environment variable A_KEY has a line break", "it should hold the secret"),
    ({"A_KEY": "“" + VALUE + "”"}, "the environment variable A_KEY has a line break", "it should hold the secret"),
]


@pytest.mark.parametrize(("environ", "message", "hint"), VARIABLES)
def test_a_variable_that_is_of_no_use(environ, message, hint):
    problem = toy_problem("secret: ${A_KEY}", environ)
    assert problem.message.startswith(message)
    assert problem.hint.startswith(hint)
    assert VALUE not in str(problem)


FILES = [
    (None, "cannot be read: No such file or directory"),
    (b"", "is empty"),
    (b"\n", "is empty"),
    (b"\xff\xfe", "is not text"),
    (b"x" * 70_000, "is too large for a secret"),
    (VALUE.encode() + b"\nsecond line\n", "has a line break, a control character or a character outside ASCII"),
]


@pytest.mark.parametrize(("content", "message"), FILES)
def test_a_file_that_is_of_no_use(folder, content, message):
    if content is not None:
        (folder / "key").write_bytes(content)
    problem = toy_problem("secret: file:key")
    assert problem.message.startswith(f"the file {folder / 'key'} {message}")
    assert VALUE not in str(problem)


def test_a_folder_and_no_path_at_all(folder):
    assert "cannot be read: Is a directory" in toy_problem("secret: file:.").message
    assert toy_problem("secret: 'file:'").message == "there is no path after 'file:'"
    assert "cannot be read" in toy_problem('secret: "file:a\\0b"').message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(folder):
    (folder / "key").write_text(VALUE)
    (folder / "key").chmod(0)
    assert "cannot be read: Permission denied" in toy_problem("secret: file:key").message


@pytest.mark.parametrize("text", [VALUE, "sk-1234567890", "'1234567890'", "file", "FILE:key", "a ${A_KEY}", "=x"])
def test_a_secret_in_the_file_is_refused_with_the_remedy(text):
    problem = toy_problem(f"secret: {text}", {"A_KEY": VALUE})
    assert problem.message == "a secret may not stand in this file"
    assert "write ${NAME}" in problem.hint
    assert text.strip("'") not in str(problem).replace("file", "") or text == "file"


@pytest.mark.parametrize(
    "text",
    ["$A_KEY", "'${A_KEY:-x}'", "'${A KEY}'", "'%A_KEY%'", "'{{ A_KEY }}'", "env:A_KEY", "'${A_KEY} '", "${A-B}"],
)
def test_other_ways_to_write_a_variable_are_told_the_right_one(text):
    problem = toy_problem(f"secret: {text}", {"A_KEY": VALUE})
    assert problem.message.startswith("expected a secret as ${NAME_OF_AN_ENVIRONMENT_VARIABLE} or file:PATH")
    assert problem.hint.startswith("write ${NAME}, nothing before or after it")


@pytest.mark.parametrize("text", ["[a]", "{a: b}"])
def test_a_secret_is_one_value(text):
    assert toy_problem(f"secret: {text}").message.startswith("expected a secret as ${NAME")


def test_no_secret_is_no_secret():
    assert toy("secret:").secret is None


def test_every_secret_of_a_configuration_is_found():
    inner = Toy(secret=Secret("one"), anything={"a": [Secret("two"), (Secret("three"),)], "b": 1})
    assert [each.reveal() for each in held({"x": inner, "y": frozenset({1})})] == ["two", "three", "one"]


def test_settings_do_not_show_their_secrets():
    assert VALUE not in repr(toy("secret: ${A_KEY}", {"A_KEY": VALUE}))

"""The command line as a whole: help, exit codes, and errors in one line with a remedy."""

import importlib
import json
import subprocess
import sys

import click
import pytest

from forehearth import __version__
from forehearth.cli.main import COMMANDS, run
from forehearth.cli.output import CommandFailed, Exit, say_error, say_problems
from forehearth.config.problems import ConfigError, Problem


def said(capsys, *arguments):
    """Exit status, stdout and stderr of one command line."""
    status = run(arguments)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_help_has_every_command_and_a_call_of_each_to_try(capsys):
    status, out, err = said(capsys, "--help")
    assert (status, err) == (0, "")
    width = max(map(len, COMMANDS))
    for name, entry in COMMANDS.items():
        assert f"  {name:<{width}}  {entry.does}" in out
        assert f"  {entry.example}\n" in out


def test_help_imports_no_command():
    code = (
        "import sys; from forehearth.cli.main import run; run(['--help'])\n"
        "heavy = {'uvicorn', 'starlette', 'asyncio', 'yaml', 'forehearth.registry', 'forehearth.cli.version'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_line_of_the_table_leads_to_a_command(name):
    module, _, attribute = COMMANDS[name].target.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name


def test_nothing_asked_is_answered_with_help(capsys):
    status, out, err = said(capsys)
    assert (status, out) == (2, "")
    assert err.startswith("Usage: forehearth")


WRONG = [
    (["srve"], "There is no command 'srve'. Did you mean 'serve'?", "forehearth"),
    (["dance"], "There is no command 'dance'.", "forehearth"),
    (["--loud"], "No such option '--loud'.", "forehearth"),
    (["version", "--jsn"], "No such option '--jsn'. Did you mean '--json'?", "forehearth version"),
    (["version", "now"], "Got unexpected extra argument (now)", "forehearth version"),
]


@pytest.mark.parametrize(("arguments", "message", "command"), WRONG)
def test_wrong_usage(arguments, message, command, capsys):
    told = f"forehearth: {message}\n    '{command} --help' tells what there is.\n"
    assert said(capsys, *arguments) == (2, "", told)


def test_a_prompt_without_quotes(capsys):
    status, _, err = said(capsys, "call", "Hello", "there")
    assert status == 2
    assert "(there)\n    Words that belong together go into quotes. 'forehearth call --help'" in err


def test_wrong_usage_for_scripts(capsys):
    status, out, err = said(capsys, "version", "--json", "--quiet")
    assert (status, out) == (2, "")
    assert json.loads(err) == {
        "error": {
            "code": "usage",
            "message": "No such option '--quiet'.",
            "remedy": "'forehearth version --help' tells what there is.",
        }
    }


def test_the_version(capsys):
    assert said(capsys, "--version") == (0, f"forehearth {__version__}\n", "")


UNFORESEEN = (
    "forehearth: nobody foresaw this: KeyError: 'api_key=***'\n"
    "    This is a fault of Forehearth. 'forehearth --debug …' shows where; please report it.\n"
)
ENDINGS = [
    ("CommandFailed('it did not work', 'try again')", 1, "forehearth: it did not work\n    try again\n"),
    ("CommandFailed('no', exit_code=Exit.USAGE)", 2, "forehearth: no\n"),
    ("Misconfigured('the data directory is locked')", 3, "forehearth: the data directory is locked\n"),
    ("Unreachable('nobody answers')", 1, "forehearth: nobody answers\n"),
    ("KeyboardInterrupt()", 130, ""),
    (
        "PermissionError(13, 'Permission denied', '/etc/x')",
        1,
        "forehearth: the system refused: Permission denied (/etc/x)\n",
    ),
    (
        "KeyError('api_key=hunter2hunter2')",
        1,
        UNFORESEEN,
    ),
]

PROGRAM = """
import sys
from forehearth.cli.main import COMMANDS, Entry, run
from forehearth.cli.output import CommandFailed, Exit
from forehearth.core.errors import Misconfigured, Unreachable
import click

@click.command()
@click.option("--json", "as_json", is_flag=True)
def fail(as_json):
    raise {error}

sys.modules["failing"] = sys.modules["__main__"]
COMMANDS["fail"] = Entry("failing:fail", "Fail.", "forehearth fail")
sys.exit(run(sys.argv[1:]))
"""


def ending(error, *arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(error=error), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("error", "status", "message"), ENDINGS)
def test_how_commands_end(error, status, message):
    ended = ending(error, "fail")
    assert (ended.returncode, ended.stdout) == (status, "")
    assert ended.stderr.lstrip("\n") == message
    assert "Traceback" not in ended.stderr


def test_how_commands_end_for_scripts():
    ended = ending("CommandFailed('it did not work', 'try again')", "fail", "--json")
    assert json.loads(ended.stderr) == {
        "error": {"code": "failed", "message": "it did not work", "remedy": "try again"}
    }


def test_a_traceback_is_shown_when_it_is_asked_for():
    ended = ending("KeyError('api_key=hunter2hunter2')", "--debug", "fail")
    assert ended.returncode == 1
    assert "Traceback (most recent call last)" in ended.stderr
    assert "hunter2" not in ended.stderr


def test_the_program_as_a_module():
    ended = subprocess.run([sys.executable, "-m", "forehearth", "srve"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("forehearth: There is no command")


def test_exit_codes_are_what_the_help_says(capsys):
    _, out, _ = said(capsys, "--help")
    words = " ".join(out.split())
    assert "0 done, 1 failed, 2 wrong usage, 3 wrong configuration, 4 limit reached, 130 interrupted" in words
    assert [Exit.OK, Exit.FAILED, Exit.USAGE, Exit.CONFIGURATION, Exit.INTERRUPTED] == [0, 1, 2, 3, 130]


def test_errors_of_commands_carry_their_words():
    error = CommandFailed("it did not work", "try again")
    assert (str(error), error.remedy, error.exit_code) == ("it did not work", "try again", Exit.FAILED)


def test_errors_are_printed_to_stderr(capsys):
    say_error("no", "", Exit.FAILED, as_json=False)
    problem = Problem(file="f", line=0, column=0, path="", message="gone")
    say_problems(ConfigError([problem]), as_json=True)
    printed = capsys.readouterr()
    first, second = printed.err.splitlines()
    assert (printed.out, first) == ("", "forehearth: no")
    assert json.loads(second)["error"]["problems"] == [
        {"file": "f", "line": None, "column": None, "path": "", "message": "gone", "hint": None}
    ]

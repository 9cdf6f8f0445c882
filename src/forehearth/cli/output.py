"""How commands end and speak: exit codes, errors of one line with a remedy, and JSON where a script asks for it.

Answers go to stdout and errors to stderr, so that either can be piped.
"""

import json
import re
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import click

from forehearth.config.problems import ConfigError

_COMMANDS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Exit(IntEnum):
    """What a command's exit status says."""

    OK = 0
    FAILED = 1
    """It was asked rightly, and could not be done."""
    USAGE = 2
    """There is no such command, option or argument."""
    CONFIGURATION = 3
    """The configuration or the data directory cannot be used."""
    INCOMPLETE = 4
    """A limit of a job was reached before its end."""
    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""


class CommandFailed(Exception):
    """What a command raises to end with an error: one sentence, what to do about it, and the exit status."""

    def __init__(self, message: str, remedy: str = "", exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.exit_code = exit_code


def fit_for_a_terminal(text: str) -> str:
    """What a model or a server said, with a mark in the place of each character that would command a terminal."""
    return _COMMANDS.sub("\ufffd", text)


def say_json(value: object) -> None:
    """Print a command's answer as JSON."""
    click.echo(json.dumps(value, indent=2))


def say_line(value: object) -> None:
    """Print one of many answers as a line of JSON."""
    click.echo(json.dumps(value))


def say_table(rows: Sequence[Sequence[str]]) -> None:
    """Print a table, whose first row has the columns' names."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say_error(message: str, remedy: str, exit_code: Exit, *, as_json: bool) -> None:
    """Print why a command failed, on stderr."""
    if as_json:
        error = {"code": exit_code.name.lower(), "message": message, "remedy": remedy or None}
        _print(json.dumps({"error": error}))
    else:
        _print(fit_for_a_terminal(f"forehearth: {message}" + (f"\n    {remedy}" if remedy else "")))


def say_problems(error: ConfigError, *, as_json: bool) -> None:
    """Print what is wrong with a configuration, all of it, on stderr."""
    if as_json:
        count = len(error.problems)
        message = f"the configuration has {count} problem{'' if count == 1 else 's'}"
        code = Exit.CONFIGURATION.name.lower()
        _print(json.dumps({"error": {"code": code, "message": message, "problems": problems(error)}}))
    else:
        _print(str(error))


def problems(error: ConfigError) -> list[dict[str, object]]:
    """The problems of a configuration as JSON has them; line and column are null for the file itself."""
    return [
        {
            "file": each.file,
            "line": each.line or None,
            "column": each.column or None,
            "path": each.path,
            "message": each.message,
            "hint": each.hint or None,
        }
        for each in error.problems
    ]


def _print(text: str) -> None:
    click.echo(text, file=sys.stderr)

"""Short ways to read a configuration in a test, and to have what is wrong with it."""

from collections.abc import Mapping

from forehearth.config.loader import load
from forehearth.config.problems import ConfigError, Problem
from forehearth.core.settings import Settings
from tests.unit.config.toys import TOYS, Toy


def read(text: str, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in a text."""
    return load(text, providers=TOYS, environ=environ or {})


def problems(text: str, environ: Mapping[str, str] | None = None) -> list[Problem]:
    """What is wrong with a text; none when nothing is."""
    try:
        read(text, environ)
    except ConfigError as error:
        return list(error.problems)
    return []


def toy(line: str, environ: Mapping[str, str] | None = None) -> Toy:
    """A toy with one key of its own."""
    settings = read(_with(line), environ)
    found = settings.backends["it"]
    assert isinstance(found, Toy)
    return found


def toy_problem(line: str, environ: Mapping[str, str] | None = None) -> Problem:
    """The one problem of a toy with one key of its own."""
    (problem,) = problems(_with(line), environ)
    return problem


def _with(line: str) -> str:
    return f"version: 1\nbackends:\n  it:\n    provider: toy\n    {line}\n"

"""Reads SQL from files: each query has a name and a line that says what it is for, and Python has no SQL of its own."""

import re
from importlib import resources

_QUERY = re.compile(r"-- name: (?P<name>[a-z_]+)\n-- (?P<about>[^\n]+)\n(?P<sql>.+?;)\s*(?=-- name: |\Z)", re.DOTALL)


def queries(file: str) -> dict[str, str]:
    """The queries of `sql/{file}.sql` by their names."""
    text = resources.files("forehearth.stores").joinpath("sql", f"{file}.sql").read_text(encoding="utf-8")
    return {found["name"]: found["sql"] for found in _QUERY.finditer(text)}


def migrations() -> list[tuple[int, str]]:
    """Every migration, in the order in which they are applied: its number and its SQL."""
    folder = resources.files("forehearth.stores").joinpath("migrations")
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda each: each.name)
    return [(int(each.name[:4]), each.read_text(encoding="utf-8")) for each in files]

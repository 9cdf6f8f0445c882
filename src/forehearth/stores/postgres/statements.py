"""Queries as the driver wants them: with numbers where the SQL files have names."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from forehearth.stores.queries import queries

_NAME = re.compile(r"(?<![:\w]):([a-z_]+)")


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A query, and the names of what its numbers stand for."""

    sql: str
    names: tuple[str, ...]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the numbers."""
        return [values[name] for name in self.names]


def statements(file: str) -> dict[str, Statement]:
    """The queries of `sql/postgres/{file}.sql` by their names."""
    return {name: numbered(sql) for name, sql in queries("postgres", file).items()}


def numbered(sql: str) -> Statement:
    """The query with `$1` for the first of its names, `$2` for the second, each time they occur."""
    names = tuple(dict.fromkeys(_NAME.findall(sql)))
    places = {name: f"${place}" for place, name in enumerate(names, 1)}
    return Statement(sql=_NAME.sub(lambda found: places[found[1]], sql), names=names)

"""Reads SQL from files: each query has a name and a line that says what it is for, and Python has no SQL of its own."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources

import msgspec

from forehearth.core.errors import Misconfigured

_QUERY = re.compile(r"-- name: (?P<name>[a-z_]+)\n-- (?P<about>[^\n]+)\n(?P<sql>.+?;)\s*(?=-- name: |\Z)", re.DOTALL)


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """A step from one schema to the next."""

    number: int
    sql: str

    @property
    def digest(self) -> str:
        """What tells it from another one of the same number."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def queries(store: str, file: str) -> dict[str, str]:
    """The queries of `sql/{store}/{file}.sql` by their names."""
    text = resources.files("forehearth.stores").joinpath("sql", store, f"{file}.sql").read_text(encoding="utf-8")
    return {found["name"]: found["sql"] for found in _QUERY.finditer(text)}


def migrations(store: str) -> list[Migration]:
    """Every migration of a store, in the order in which they are applied."""
    folder = resources.files("forehearth.stores").joinpath("migrations", store)
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda each: each.name)
    return [Migration(number=int(each.name[:4]), sql=each.read_text(encoding="utf-8")) for each in files]


def missing(known: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """Those that a store lacks, which has those `applied`, by number with their digests.

    Raises `Misconfigured` where it has others than those `known`.
    """
    newer = sorted(set(applied) - {each.number for each in known})
    if newer:
        raise Misconfigured(f"the store was written by a newer Forehearth (migration {newer[-1]}): upgrade")
    for each in known:
        if applied.get(each.number, each.digest) != each.digest:
            raise Misconfigured(f"the store has another migration {each.number} than this Forehearth: do not use it")
    return [each for each in known if each.number not in applied]

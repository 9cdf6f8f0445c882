"""What calls of functions used, and how their columns are known again.

Libraries of tables copy a column that is put into a frame, and nothing that is hung on it stays. So what became of a
call is kept by a digest of the cells that it gave: wherever the same cells stand, in the same order, it is found.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.functions.results import NonResult

_MOST_KEPT: Final = 1_000


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a function, by Fabric's names and in their order."""

    num_successful: int = 0
    num_exceptions: int = 0
    num_unevaluated: int = 0
    num_harmful: int = 0
    cached_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    client_type: str = ""
    input_types: str = "{}"
    """JSON: how many inputs there were of which kind."""
    model: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call."""

    stats: Stats
    failures: Mapping[int, NonResult]
    """By row."""


COLUMNS: Final = Stats.__struct_fields__

_calls: Final[OrderedDict[bytes, Call]] = OrderedDict()


def remember(call: Call, *columns: Iterable[Any]) -> None:
    """These columns are what the call gave."""
    for cells in columns:
        key = _digest(cells)
        _calls[key] = call
        _calls.move_to_end(key)
    while len(_calls) > _MOST_KEPT:
        _calls.popitem(last=False)


def call_of(cells: Iterable[Any]) -> Call | None:
    """The call that gave a column; None where it is not known."""
    return _calls.get(_digest(cells))


def table(columns: Mapping[str, Iterable[Any]]) -> tuple[list[str], dict[str, list[Any]]]:
    """The calls that gave some columns, each once: the names of its columns, and their statistics."""
    found: dict[int, tuple[list[str], Stats]] = {}
    for name, cells in columns.items():
        call = call_of(cells)
        if call is not None:
            found.setdefault(id(call), ([], call.stats))[0].append(name)
    rows: Sequence[tuple[list[str], Stats]] = list(found.values())
    return (
        [", ".join(names) for names, _ in rows],
        {member: [getattr(each, member) for _, each in rows] for member in COLUMNS},
    )


def _digest(cells: Iterable[Any]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for cell in cells:
        part = cell.tobytes() if hasattr(cell, "tobytes") else repr(cell).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()

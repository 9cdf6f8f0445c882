"""Whole numbers of JSON lines that are beyond 64 bits: where they stand, and the types that keep all their digits.

Arrow takes them for floating point, which keeps the first 15 or so.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa

Way = tuple[str | None, ...]
"""The names of members from a line's own on; None is any item of a list."""

_LONG: Final = re.compile(rb"[\s:\[,]-?[0-9]{19,}[\s,\]}]")
"""What may be such a number, and may stand in a text."""
_LONGEST: Final = 1 << 21
"""Bytes of a line, at the most: Arrow refuses longer ones, so what is in them need not be known."""
_BITS: Final = 63
_DIGITS: Final = 38
_MOST_DIGITS: Final = 76


class _Seen(msgspec.Struct):
    """The numbers of one way."""

    digits: int = 0
    """Of the longest whole one beyond 64 bits."""
    longest: str = ""
    """Where it stands."""
    rounded: str = ""
    """Where the first one stands that floating point does not keep."""
    has_fractions: bool = False


def types_beyond(files: list[Path]) -> Mapping[Way, Any]:
    """The types of what has whole numbers beyond 64 bits.

    Raises `Misconfigured` where no type keeps them, and `OSError` for a file that cannot be read.
    """
    if not any(_LONG.search(line) for path in files for line in _lines(path)):
        return {}
    seen: dict[Way, _Seen] = {}
    for path in files:
        for number, line in enumerate(_lines(path), 1):
            for way, value in _numbers(line):
                _see(seen.setdefault(way, _Seen()), value, f"{path}, line {number}")
    found = {way: _type(way, each) for way, each in seen.items() if each.digits}
    return {way: kind for way, kind in found.items() if kind is not None}


def with_types(schema: Any, types: Mapping[Way, Any]) -> Any:
    """A schema with these types for what was taken for other numbers."""
    return pa.schema([each.with_type(_with_types(each.type, types, (each.name,))) for each in schema])


def _with_types(kind: Any, types: Mapping[Way, Any], way: Way) -> Any:
    if pa.types.is_struct(kind):
        return pa.struct([each.with_type(_with_types(each.type, types, (*way, each.name))) for each in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_with_types(kind.value_type, types, (*way, None))))
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
    return types.get(way, kind) if is_number else kind


def _lines(path: Path) -> Iterator[bytes]:
    with io.BufferedReader(pa.input_stream(str(path), compression="detect")) as file:
        yield from iter(lambda: file.readline(_LONGEST), b"")


def _numbers(line: bytes) -> Iterator[tuple[Way, int | float]]:
    try:
        row = json.loads(line, parse_int=_whole)
    except (ValueError, RecursionError):  # Arrow says what is wrong with it
        return
    waiting: list[tuple[Way, Any]] = [((), row)]
    while waiting:
        way, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*way, name), member) for name, member in value.items()]
        elif isinstance(value, list):
            waiting += [((*way, None), item) for item in value]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield way, value


def _whole(text: str) -> int:
    """The number; of one that has too many digits as many as tell that."""
    return int(text[: _MOST_DIGITS + 2])


def _see(seen: _Seen, value: float, where: str) -> None:
    if not isinstance(value, int):
        seen.has_fractions = True
    elif not -(1 << _BITS) <= value < 1 << _BITS:
        digits = len(str(abs(value)))
        if digits > seen.digits:
            seen.digits, seen.longest = digits, where
        if not seen.rounded and int(float(value)) != value:
            seen.rounded = where


def _type(way: Way, seen: _Seen) -> Any:
    """The type that keeps all; None where floating point does."""
    name = ".".join("[]" if each is None else each for each in way)
    if seen.has_fractions:
        if seen.rounded:
            raise Misconfigured(
                f"source: {seen.rounded}: '{name}' is a whole number beyond 64 bits, and has a fraction elsewhere, so "
                "that digits would be lost: write it as a text"
            )
        return None
    if seen.digits > _MOST_DIGITS:
        raise Misconfigured(
            f"source: {seen.longest}: '{name}' is a whole number of more than {_MOST_DIGITS} digits: write it as a text"
        )
    return pa.decimal128(_DIGITS) if seen.digits <= _DIGITS else pa.decimal256(_MOST_DIGITS)

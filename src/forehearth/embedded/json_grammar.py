"""The grammar of JSON values: any value, bounded strings and numbers, and the string formats that can be exact.

Everything here matches only texts that a JSON parser reads as what the name says. White space is at most one space,
after a colon or a comma, so that a model cannot lose itself in it. Characters are written out as positive ranges: the
engine judges a character that is cut between two tokens by its range, and only so are broken ones kept out.
"""

import json
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from forehearth.embedded.gbnf import (
    EMPTY,
    MOST_REPEATS,
    NEVER,
    Chars,
    Node,
    Ref,
    Repeat,
    Text,
    choice,
    optional,
    seq,
)

SPACE: Final = Ref("space")
VALUE: Final = Ref("value")
OBJECT: Final = Ref("object")
ARRAY: Final = Ref("array")
STRING: Final = Ref("string")
NUMBER: Final = Ref("number")
INTEGER: Final = Ref("integer")
BOOLEAN: Final = Ref("boolean")
NULL: Final = Text("null")

SAFE_DIGITS: Final = 15
"""Decimal digits that every reader of JSON keeps exactly."""

_LETTERS: Final = (("a", "z"),)
_DIGIT: Final = Chars((("0", "9"),))
_FIRST_DIGIT: Final = Chars((("1", "9"),))
_PLAIN_RANGES: Final = (
    (" ", "!"),
    ("#", "["),
    ("]", "~"),
    ("\u00a0", "\ud7ff"),
    ("\ue000", "\ufffd"),
    ("\U00010000", "\U0010ffff"),
)
PLAIN: Final = Chars(_PLAIN_RANGES)
"""A character that stands for itself in a JSON string."""
CHARACTER: Final = choice((PLAIN, seq(Text("\\"), Chars(tuple((c, c) for c in '"\\/bfnrt')))))
"""One character of a JSON string, escaped or not: one code point, however it is written."""

RULES: Final[Mapping[str, Node]] = {
    "space": optional(Text(" ")),
    "character": CHARACTER,
    "string": seq(Text('"'), Repeat(Ref("character")), Text('"')),
    "boolean": choice((Text("true"), Text("false"))),
    "integer": choice((Text("0"), seq(optional(Text("-")), _FIRST_DIGIT, Repeat(_DIGIT, 0, SAFE_DIGITS - 1)))),
    "number": seq(
        optional(Text("-")),
        choice((Text("0"), seq(_FIRST_DIGIT, Repeat(_DIGIT, 0, SAFE_DIGITS - 1)))),
        optional(seq(Text("."), Repeat(_DIGIT, 1, SAFE_DIGITS))),
        optional(seq(Chars((("E", "E"), ("e", "e"))), optional(Chars((("+", "+"), ("-", "-")))), Repeat(_DIGIT, 1, 2))),
    ),
    "value": choice((OBJECT, ARRAY, STRING, NUMBER, BOOLEAN, NULL)),
    "member": seq(STRING, Text(":"), SPACE, VALUE),
    "object": seq(Text("{"), optional(seq(Ref("member"), Repeat(seq(Text(","), SPACE, Ref("member"))))), Text("}")),
    "array": seq(Text("["), optional(seq(VALUE, Repeat(seq(Text(","), SPACE, VALUE)))), Text("]")),
}
"""The rules that the names above refer to."""


def string(least: int, most: int | None) -> Node:
    """A JSON string of `least` to `most` code points; a larger bound than `MOST_REPEATS` is lowered to it."""
    if most is None and least == 0:
        return STRING
    highest = None if most is None else min(most, MOST_REPEATS)
    return seq(Text('"'), Repeat(Ref("character"), least, highest) if highest != 0 else EMPTY, Text('"'))


def quoted(text: str) -> str:
    """`text` as a JSON string, the way the grammar writes it."""
    return json.dumps(text, ensure_ascii=False)


def other_key(names: frozenset[str], rules: dict[str, Node], prefix: str) -> Node:
    """A JSON string, without escapes, that is none of `names`; adds rules whose names start with `prefix`."""
    rule = f"{prefix}-{len(rules)}"
    rules[rule] = EMPTY
    rules[rule] = _other_than({name for name in names if all(_is_plain(c) for c in name)}, rules, prefix)
    return seq(Text('"'), Ref(rule), Text('"'))


def _is_plain(char: str) -> bool:
    return any(low <= char <= high for low, high in _PLAIN_RANGES)


def _other_than(names: set[str], rules: dict[str, Node], prefix: str) -> Node:
    options: list[Node] = [] if "" in names else [EMPTY]
    heads = sorted({name[0] for name in names if name})
    options.append(seq(_plain_but(heads), Repeat(PLAIN)))
    for head in heads:
        rule = f"{prefix}-{len(rules)}"
        rules[rule] = EMPTY
        rules[rule] = _other_than({name[1:] for name in names if name[:1] == head}, rules, prefix)
        options.append(seq(Text(head), Ref(rule)))
    return choice(options)


def _plain_but(chars: list[str]) -> Node:
    ranges = list(_PLAIN_RANGES)
    for char in chars:
        cut: list[tuple[str, str]] = []
        for low, high in ranges:
            if low <= char <= high:
                cut += [(low, chr(ord(char) - 1))] if char > low else []
                cut += [(chr(ord(char) + 1), high)] if char < high else []
            else:
                cut.append((low, high))
        ranges = cut
    return Chars(tuple(ranges))


def integers(low: int, high: int) -> Node:
    """The whole numbers from `low` to `high`, both included."""
    negative = seq(Text("-"), _naturals(max(1, -high), -low)) if low < 0 else NEVER
    return choice((negative, _naturals(max(0, low), high)))


def _naturals(low: int, high: int) -> Node:
    options: list[Node] = []
    for length in range(len(str(low)), len(str(max(high, 0))) + 1):
        first = max(low, 10 ** (length - 1) if length > 1 else 0)
        last = min(high, 10**length - 1)
        if first <= last:
            options.append(_digits(str(first), str(last)))
    return choice(options)


def _digits(low: str, high: str) -> Node:
    """The digit strings from `low` to `high`, which are equally long."""
    if not low:
        return EMPTY
    if set(low) == {"0"} and set(high) == {"9"}:
        return Repeat(_DIGIT, len(low), len(low))
    if low[0] == high[0]:
        return seq(Text(low[0]), _digits(low[1:], high[1:]))
    rest = len(low) - 1
    options = [seq(Text(low[0]), _digits(low[1:], "9" * rest)), seq(Text(high[0]), _digits("0" * rest, high[1:]))]
    if ord(high[0]) - ord(low[0]) > 1:
        between = Chars(((chr(ord(low[0]) + 1), chr(ord(high[0]) - 1)),))
        options.append(seq(between, _digits("0" * rest, "9" * rest)))
    return choice(options)


def decimals(low: Decimal, high: Decimal, places: int) -> Node:
    """The numbers from `low` to `high`, both included, written with up to `places` decimal places."""
    options = [integers(_up(low), _down(high))]
    for count in range(1, places + 1):
        scale = Decimal(10) ** count
        first, last = _up(low * scale), _down(high * scale)
        options.append(seq(Text("-"), _fixed(max(1, -last), -first, count)) if first < 0 else NEVER)
        options.append(_fixed(max(0, first), last, count))
    return choice(options)


def _up(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING))


def _down(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_FLOOR))


def _fixed(low: int, high: int, places: int) -> Node:
    """The numbers from `low` to `high` in units of the last of `places` decimal places, not below zero."""
    if low > high:
        return NEVER
    unit = 10**places
    (whole, part), (last, last_part) = divmod(low, unit), divmod(high, unit)
    point, nines = Text("."), "9" * places
    if whole == last:
        return seq(Text(str(whole)), point, _digits(f"{part:0{places}}", f"{last_part:0{places}}"))
    return choice(
        (
            seq(Text(str(whole)), point, _digits(f"{part:0{places}}", nines)),
            seq(_naturals(whole + 1, last - 1), point, Repeat(_DIGIT, places, places)),
            seq(Text(str(last)), point, _digits("0" * places, f"{last_part:0{places}}")),
        )
    )

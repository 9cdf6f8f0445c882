"""Single values of the file, read as the type that their key has: never guessed from how they look.

A key that takes text takes `1.10`, `2024-10-21` and `no` as they are written. A key that takes a number or a truth
value takes the one spelling that every reader of YAML agrees on, and says how to write it otherwise.
"""

import math
import re
from typing import Final, Literal

import msgspec.inspect as types

from forehearth.config.nearest import nearest
from forehearth.config.nodes import Broken, Mapping, Node, Scalar, Sequence
from forehearth.config.problems import shortened

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_OLD_TRUE: Final = frozenset({"y", "yes", "on"})
_OLD_FALSE: Final = frozenset({"n", "no", "off"})
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_GROUPED: Final = re.compile(r"[-+]?[0-9]{1,3}([_, '][0-9]{3})+")
_BASED: Final = re.compile(r"0x[0-9a-fA-F]{1,16}|0o[0-7]{1,20}|0b[01]{1,64}")
_MEASURED: Final = re.compile(r"(?P<figure>[0-9]{1,9}(\.[0-9]{1,9})?) ?(?P<unit>[A-Za-z]{1,7})")
_UNITS: Final = {
    "ms": 0.001, "s": 1, "sec": 1, "seconds": 1, "m": 60, "min": 60, "minutes": 60, "h": 3600,
    "b": 1, "k": 1000, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3,
}  # fmt: skip
_MOST_DIGITS: Final = 18
_KEY_LIKE: Final = re.compile(r"://[^/\s]*@|\b(sk|pk|ghp|hf)[-_]\w|eyJ|[A-Za-z0-9+/_]{24,}|^\$\{")

Kind = Literal["null", "bool", "number", "text"]

SCALARS: Final = (
    types.IntType, types.FloatType, types.BoolType, types.StrType, types.LiteralType, types.EnumType,
)  # fmt: skip
"""The types that are read here."""


class Wrong(Exception):
    """A value that its key does not take: what was expected, what was found, and what to write instead."""

    def __init__(self, expected: str, found: str, hint: str = "") -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.message = f"expected {expected}, found {found}"
        self.hint = hint


def kind(node: Scalar) -> Kind:
    """What a value is to readers that go by its looks (the core schema of YAML 1.2)."""
    if not node.plain:
        return "text"
    if node.text in _NULL:
        return "null"
    if node.text in _TRUE or node.text in _FALSE:
        return "bool"
    return "number" if _NUMBER.fullmatch(node.text) else "text"


def is_null(node: Node) -> bool:
    """Whether nothing is there: no value, `null` or `~`."""
    return isinstance(node, Scalar) and kind(node) == "null"


def found(node: Node) -> str:
    """A value in words, for a message. What looks like a credential is not shown."""
    if isinstance(node, Scalar):
        looks = kind(node)
        words = {
            "null": "nothing",
            "bool": node.text.lower(),
            "number": f"the number {shortened(node.text)}",
            "text": f"text '{shortened(node.text)}'" if node.text else "empty text",
        }[looks]
        return "text" if looks == "text" and _KEY_LIKE.search(node.text) else words
    return {Sequence: "a list", Mapping: "a mapping of keys to values", Broken: "nothing readable"}[type(node)]


def called(node: Node) -> str:
    """A name that nothing has, as the end of 'there is no backend'."""
    words = found(node).removeprefix("text").strip()
    return f" {words}" if words.startswith("'") else " of that name"


def expected(type_: types.Type) -> str:
    """What a type takes, in words."""
    words = "a mapping of keys to values"
    match type_:
        case types.IntType():
            words = f"a whole number{_range(type_)}"
        case types.FloatType():
            words = f"a number{_range(type_)}"
        case types.BoolType():
            words = "true or false"
        case types.StrType(pattern=pattern):
            words = _one_of([*choices(pattern)]) or f"text{_length(type_)}"
        case types.LiteralType(values=values):
            words = _one_of([*values])
        case types.EnumType(cls=cls):
            words = _one_of([each.value for each in cls])
        case types.CollectionType():
            words = "a list"
        case types.CustomType():
            words = "a secret"
    return words


def read(type_: types.Type, node: Scalar, words: str = "") -> object:
    """The value of `node` as `type_`. Raises `Wrong`. `words` tell what is expected better than the type does."""
    expects = words or expected(type_)
    value: object
    match type_:
        case types.IntType():
            value = _in_range(_whole(node, expects), type_, node, expects)
        case types.FloatType():
            value = _in_range(_number(node, expects), type_, node, expects)
        case types.BoolType():
            value = _truth(node, expects)
        case types.StrType():
            value = _text(type_, node, expects)
        case types.LiteralType(values=values):
            value = _choice(node, {str(value): value for value in values}, expects)
        case types.EnumType(cls=cls):
            value = _choice(node, {str(each.value): each for each in cls}, expects)
        case _:
            raise TypeError(f"{type_!r} is no type of a single value")
    return value


def plainly(node: Scalar) -> object:
    """The value that a reader by looks sees, for keys that take anything."""
    match kind(node):
        case "null":
            return None
        case "bool":
            return node.text in _TRUE
        case "number":
            whole = _WHOLE.fullmatch(node.text) and len(node.text) <= _MOST_DIGITS
            return int(node.text) if whole else _finite(node.text, node, "a finite number")
        case _:
            return node.text


def choices(pattern: str | None) -> list[str]:
    """The words of a pattern that is nothing but a choice of words, such as `^(text|json)$`."""
    match = re.fullmatch(r"\^\(([\w-]+(?:\|[\w-]+)+)\)\$", pattern or "")
    return match.group(1).split("|") if match else []


def _whole(node: Scalar, expects: str) -> int:
    text = node.text
    if node.plain and _WHOLE.fullmatch(text) and len(text) <= _MOST_DIGITS:
        return int(text)
    raise Wrong(expects, found(node), _whole_hint(node))


def _whole_hint(node: Scalar) -> str:
    text = node.text
    if not node.plain and _WHOLE.fullmatch(text):
        return "remove the quotes"
    if _NUMBER.fullmatch(text) and len(text) <= _MOST_DIGITS:
        figure = _float(text)
        return f"write {int(figure)}" if math.isfinite(figure) and figure.is_integer() else ""
    if _BASED.fullmatch(text):
        return f"write {int(text, 0)}"
    return _figure_hint(node)


def _number(node: Scalar, expects: str) -> float:
    if node.plain and _NUMBER.fullmatch(node.text):
        return _finite(node.text, node, expects)
    hint = "remove the quotes" if not node.plain and _NUMBER.fullmatch(node.text) else _figure_hint(node)
    raise Wrong(expects, found(node), hint)


def _figure_hint(node: Scalar) -> str:
    text = node.text
    if _GROUPED.fullmatch(text):
        return f"write {re.sub('[^0-9+-]', '', text)}"
    measured = _MEASURED.fullmatch(text)
    factor = _UNITS.get(measured["unit"].lower()) if measured else None
    if measured and factor is not None:
        return f"write {float(measured['figure']) * factor:.15g}, without the unit"
    return ""


def _float(text: str) -> float:
    return float(text)


def _finite(text: str, node: Scalar, expects: str) -> float:
    figure = _float(text)
    if math.isfinite(figure):
        return figure
    raise Wrong(expects, found(node), "the number is too large")


def _in_range(figure: float, type_: types.IntType | types.FloatType, node: Scalar, expects: str) -> float:
    too_low = (type_.ge is not None and figure < type_.ge) or (type_.gt is not None and figure <= type_.gt)
    too_high = (type_.le is not None and figure > type_.le) or (type_.lt is not None and figure >= type_.lt)
    if too_low or too_high or (type_.multiple_of and figure % type_.multiple_of):
        raise Wrong(expects, found(node))
    return figure


def _truth(node: Scalar, expects: str) -> bool:
    if node.plain and node.text in _TRUE | _FALSE:
        return node.text in _TRUE
    word = node.text.lower()
    if word in _OLD_TRUE | _OLD_FALSE | {"true", "false"}:
        meant = "true" if word in _OLD_TRUE | {"true"} else "false"
        raise Wrong(expects, found(node), f"write {meant}" + ("" if node.plain else ", without quotes"))
    raise Wrong(expects, found(node))


def _text(type_: types.StrType, node: Scalar, expects: str) -> str:
    if kind(node) in ("null", "bool"):
        hint = f'write "{node.text}", in quotes, if that is the text' if kind(node) == "bool" else ""
        raise Wrong(expects, found(node), hint)
    text = node.text
    too_short = type_.min_length is not None and len(text) < type_.min_length
    too_long = type_.max_length is not None and len(text) > type_.max_length
    if too_short or too_long:
        raise Wrong(expects, found(node))
    # Where a pattern ends with `$`, Python would let a last line break through.
    if type_.pattern and (text.endswith("\n") or not re.search(type_.pattern, text)):
        is_url = type_.pattern.startswith("^https?://")
        if is_url and "://" not in text and re.search(type_.pattern, f"https://{text}"):
            raise Wrong(expects, found(node), "begin it with https:// or http://")
        raise Wrong(expects, found(node), _meant(text, choices(type_.pattern)))
    return text


def _choice(node: Scalar, values: dict[str, object], expects: str) -> object:
    if node.text in values:
        value = values[node.text]
        if isinstance(value, str) or node.plain:
            return value
        raise Wrong(expects, found(node), "remove the quotes")
    raise Wrong(expects, found(node), _meant(node.text, [word for word, value in values.items() if value == word]))


def _meant(text: str, words: list[str]) -> str:
    close = nearest(text, words)
    return f"did you mean '{close}'?" if close else ""


def _range(type_: types.IntType | types.FloatType) -> str:
    if type_.ge is not None and type_.le is not None:
        return f" from {_figure(type_.ge)} to {_figure(type_.le)}"
    low = f"at least {_figure(type_.ge)}" if type_.ge is not None else ""
    above = f"greater than {_figure(type_.gt)}" if type_.gt is not None else ""
    high = f"at most {_figure(type_.le)}" if type_.le is not None else ""
    below = f"less than {_figure(type_.lt)}" if type_.lt is not None else ""
    words = " and ".join(part for part in (low, above, high, below) if part)
    return f"{' of' if words.startswith('at') else ''} {words}" if words else ""


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _length(type_: types.StrType) -> str:
    return f" of at most {type_.max_length} characters" if type_.max_length is not None else ""


def _one_of(words: list[object]) -> str:
    quoted = [f"'{word}'" if isinstance(word, str) else str(word) for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)

"""What is wrong with a member of a body, in the words that OpenAI's services have for it.

Source of the words: errors of the service as they are quoted in public, such as "Invalid type for 'metadata.key':
expected a string, but got an integer instead."
"""

import re
from collections.abc import Sequence

import msgspec

from forehearth.core.errors import InvalidField, UnknownField

SHOWN = 100
"""Characters of what a caller wrote that are said back."""
_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_TYPES = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)


def wrong_member(error: msgspec.ValidationError, at: str = "") -> InvalidField | UnknownField:
    """The refusal for what msgspec found in the value at that path; empty for the whole body."""
    found = _AT.match(str(error))
    what, path = (found["what"], found["path"] or "") if found else (str(error), "")
    where = joined(at, path)
    if missing := _MISSING.match(what):
        return missing_member(joined(where, missing["name"]))
    if unknown := _UNKNOWN.match(what):
        return unknown_member(joined(where, shown(unknown["name"])))
    types = _TYPES.match(what)
    if types is None:
        return InvalidField(f"Invalid value for '{where}': {what}.", param=where or None)
    return wrong_type(where, words(types["wanted"]), words(types["got"]))


def wrong_type(where: str, wanted: str, got: str) -> InvalidField:
    """A member of another type than the one that is wanted; both in words."""
    which = f"'{where}'" if where else "the body"
    return InvalidField(
        f"Invalid type for {which}: expected {wanted}, but got {got} instead.", param=where or None, kind="invalid_type"
    )


def wrong_value(where: str, value: str, supported: Sequence[str]) -> InvalidField:
    """A value that is none of those there are."""
    *others, last = (f"'{each}'" for each in supported)
    listed = f"{', '.join(others)}{',' if len(others) > 1 else ''} and {last}" if others else last
    return InvalidField(f"Invalid value: '{shown(value)}'. Supported values are: {listed}.", param=where)


def missing_member(where: str) -> InvalidField:
    """A member that has to be there."""
    return InvalidField(f"Missing required parameter: '{where}'.", param=where, kind="missing_required_parameter")


def unknown_member(where: str) -> UnknownField:
    """A member that means nothing here."""
    return UnknownField(f"Unknown parameter: '{where}'.", param=where)


def too_long(where: str, most: int, length: int) -> InvalidField:
    """A text of too many characters."""
    return InvalidField(
        f"Invalid '{where}': string too long. Expected a string with maximum length {most}, but got a string with "
        f"length {length} instead.",
        param=where,
        kind="string_above_max_length",
    )


def too_many(where: str, most: int, length: int) -> InvalidField:
    """A list of too many."""
    return InvalidField(
        f"Invalid '{where}': array too long. Expected an array with maximum length {most}, but got an array with "
        f"length {length} instead.",
        param=where,
        kind="array_above_max_length",
    )


def words(types: str) -> str:
    """Names of types, as msgspec joins them, in words."""
    return " or ".join(_WORDS.get(each.strip(), each.strip()) for each in types.split("|"))


def type_of(value: object) -> str:
    """In words, what kind of JSON a decoded value is."""
    kinds = {bool: "bool", int: "int", float: "float", str: "str", list: "array", dict: "object", type(None): "null"}
    return _WORDS[kinds.get(type(value), "object")]


def joined(at: str, path: str) -> str:
    """A path below a path."""
    return f"{at}.{path}" if at and path and not path.startswith("[") else at + path


def shown(text: str) -> str:
    """What a caller wrote, as far as it is said back, and fit to be encoded."""
    cut = text if len(text) <= SHOWN else text[:SHOWN] + "…"
    return cut.encode(errors="replace").decode()

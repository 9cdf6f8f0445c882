"""What is wrong with a body, in OpenAI's words: `param` is the member's path, such as `input[2].content[0].type`."""

import re
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import msgspec

from forehearth.core.errors import InvalidField, MalformedBody, Refused, UnknownField
from forehearth.dialects.json_faults import malformed

T = TypeVar("T")
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]+)`")
_KIND = re.compile(r"Invalid value (?P<value>.+)")
_LONGEST_SHOWN = 64


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises `MalformedBody` or `InvalidField`."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise MalformedBody("The body's JSON is nested too deeply to be read.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(malformed(body, str(error))) from None
    if not isinstance(value, dict):
        raise InvalidField("The body must be a JSON object.")
    return value


def read(value: object, kind: type[T], at: str = "", *, kinds: Collection[str] = ()) -> T:
    """`value`, which stands at the path `at`, as a `kind`. `kinds` are the values that a `type` within it can have.

    Raises `InvalidField` or `UnknownField`.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), at, kinds) from None


def one_of(value: str | None, values: Sequence[str], at: str) -> None:
    """Raises `InvalidField` for a value that is none of them; None is always one."""
    if value is not None and value not in values:
        raise InvalidField(_choose(f"'{value[:_LONGEST_SHOWN]}'", values), param=at)


def _refusal(text: str, at: str, kinds: Collection[str]) -> Refused:
    match = _AT.match(text)
    what, path = (match["what"], match["path"] or "") if match else (text, "")
    path = f"{at}{'' if not path or path.startswith('[') or not at else '.'}{path}"
    missing, unknown, kind = _MISSING.match(what), _UNKNOWN.match(what), _KIND.match(what)
    if missing:
        path = _below(path, missing["field"])
        return InvalidField(f"Missing required parameter: '{path}'.", param=path)
    if unknown:
        path = _below(path, unknown["field"])
        return UnknownField(f"Unknown parameter: '{path}'.", param=path)
    if kind and kinds:
        return InvalidField(_choose(kind["value"][: _LONGEST_SHOWN + 2], kinds), param=path)
    expected = what[:1].lower() + what[1:].replace("`", "")
    return InvalidField(f"Invalid value for '{path}': {expected}.", param=path)


def _below(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _choose(value: str, values: Collection[str]) -> str:
    *others, last = (f"'{each}'" for each in values)
    comma = "," if len(others) > 1 else ""
    supported = f"{', '.join(others)}{comma} and {last}" if others else last
    return f"Invalid value: {value}. Supported values are: {supported}."

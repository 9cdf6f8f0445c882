"""What is wrong with a body, in OpenAI's words: `param` is the member's path, such as `input[2].content[0].type`."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.misfit import UNREADABLE, unread
from forehearth.dialects.wrong_members import joined, wrong_member, wrong_value

T = TypeVar("T")
_KIND = re.compile(r"Invalid value '(?P<value>.*)' - at `\$\.?(?P<path>.*)`", re.DOTALL)


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises `MalformedBody` or `InvalidField`."""
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE as error:
        raise unread(body, error) from None
    if not isinstance(value, dict):
        raise InvalidField("The body must be a JSON object.")
    return value


def read(value: object, kind: type[T], at: str = "", *, kinds: Sequence[str] = ()) -> T:
    """`value`, which stands at the path `at`, as a `kind`. `kinds` are the values that a `type` within it can have.

    Raises `InvalidField` or `UnknownField`.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _KIND.fullmatch(str(error))
        if found and kinds:
            raise wrong_value(joined(at, found["path"]), found["value"], kinds) from None
        raise wrong_member(error, at) from None


def one_of(value: str | None, values: Sequence[str], at: str) -> None:
    """Raises `InvalidField` for a value that is none of them; None is always one."""
    if value is not None and value not in values:
        raise wrong_value(at, value, values)

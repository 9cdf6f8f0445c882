"""Reads the members of a request's JSON objects: each by name and type, with errors that say where and what is right.

`null` means the same as leaving a member out. What was not asked for by name in the end is unknown, and refused.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from forehearth.core.errors import InvalidField, MalformedBody, NotSupported, UnknownField

_KINDS: Final = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def decode_object(body: bytes) -> "Members":
    """The request's body as an object. Raises `MalformedBody`."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"The body is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise MalformedBody(f"The body must be a JSON object, not {kind_of(content)}.")
    return Members(content, "")


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    return _KINDS.get(type(value), "something else")


class Members:
    """An object of the request at `path`, which is empty for the body itself."""

    def __init__(self, content: Mapping[str, Any], path: str) -> None:
        self._content = content
        self._path = path

    def path(self, name: str) -> str:
        """Where the member `name` stands in the request."""
        return f"{self._path}.{name}" if self._path else name

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Raise `UnknownField` for a member that is in no specification."""
        for name in self._content:
            if name not in known:
                path = self.path(name)
                raise UnknownField(f"Unrecognized request argument supplied: {path}. Leave it out.", param=path)

    def get(self, name: str) -> Any:
        """The member as it is; None when it is absent."""
        return self._content.get(name)

    def text(self, name: str) -> str | None:
        """A string."""
        value: str | None = self._typed(name, str)
        return value

    def flag(self, name: str) -> bool | None:
        """A boolean."""
        value: bool | None = self._typed(name, bool)
        return value

    def items(self, name: str) -> list[Any] | None:
        """A list."""
        value: list[Any] | None = self._typed(name, list)
        return value

    def object(self, name: str) -> "Members | None":
        """An object."""
        content = self._typed(name, dict)
        return None if content is None else Members(content, self.path(name))

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number from `least` to `most`."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "must be a whole number")
        if not least <= value <= most:
            raise self.wrong(name, f"must be from {least} to {most}")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number from `least` to `most`."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong(name, "must be a number")
        if not least <= value <= most:
            raise self.wrong(name, f"must be from {least:g} to {most:g}")
        return float(value)

    def choice(self, name: str, options: Collection[str]) -> str | None:
        """One of some strings."""
        value = self.text(name)
        if value is not None and value not in options:
            raise self.wrong(name, f"must be one of {', '.join(options)}, not {value[:64]!r}")
        return value

    def required(self, name: str, value: Any) -> Any:
        """`value`, unless it is None: then the member is missing."""
        if value is None:
            raise InvalidField(f"Missing required parameter: {self.path(name)}.", param=self.path(name))
        return value

    def wrong(self, name: str, remedy: str) -> InvalidField:
        """The error that the member is wrong. `remedy` follows its name."""
        value = self.get(name)
        found = f", not {value!r}" if isinstance(value, bool | int | float) else ""
        return InvalidField(f"Invalid value for {self.path(name)}: it {remedy}{found}.", param=self.path(name))

    def unsupported(self, name: str, reason: str) -> NotSupported:
        """The error that the member is understood, but that no embedded model can do it. `reason` follows its name."""
        return NotSupported(f"{self.path(name)} {reason}.", param=self.path(name))

    def _typed(self, name: str, kind: type) -> Any:
        value = self.get(name)
        if value is not None and not isinstance(value, kind):
            message = f"Invalid type for {self.path(name)}: expected {_KINDS[kind]}, but got {kind_of(value)}."
            raise InvalidField(message, param=self.path(name))
        return value

"""Values of a form's fields, which are texts, as what they stand for."""

import math
from collections.abc import Sequence
from typing import Final

from forehearth.core.errors import InvalidField
from forehearth.dialects.form_fields import FormFields
from forehearth.dialects.wrong_members import missing_member, wrong_type, wrong_value

_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}
_LONGEST_NUMBER: Final = 32


def required(fields: FormFields, name: str) -> str:
    """A text that has to be there, and has to say something. Raises `InvalidField`."""
    found = fields.text(name)
    if not found:
        raise missing_member(name)
    return found


def choice(fields: FormFields, name: str, supported: Sequence[str]) -> str | None:
    """One of the words there are; None where it is not given. Raises `InvalidField`."""
    found = fields.text(name)
    if found and found not in supported:
        raise wrong_value(name, found, supported)
    return found or None


def truth(fields: FormFields, name: str) -> bool:
    """Yes or no, and no where it is not given. Raises `InvalidField`."""
    found = fields.text(name) or ""
    if found.lower() not in _TRUTHS:
        raise wrong_type(name, "a boolean", "a string")
    return _TRUTHS[found.lower()]


def number(fields: FormFields, name: str, least: float, most: float) -> float | None:
    """A number within bounds; None where it is not given. Raises `InvalidField`."""
    found = fields.text(name)
    if not found:
        return None
    try:
        value = float(found) if len(found) <= _LONGEST_NUMBER else math.nan
    except ValueError:
        raise wrong_type(name, "a number", "a string") from None
    if not least <= value <= most:
        raise InvalidField(f"'{name}' is a number from {least:g} to {most:g}.", param=name)
    return value

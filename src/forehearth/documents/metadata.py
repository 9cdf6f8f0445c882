"""The metadata that callers put on what is kept for them: 16 pairs, keys of 64 characters, values of 512.

Source of bounds and words: `Metadata` in OpenAI's specification, and the service's errors as they are quoted in public.
"""

from collections.abc import Mapping
from typing import cast

from forehearth.core.document import storable
from forehearth.core.errors import InvalidField
from forehearth.dialects.wrong_members import shown, too_long, type_of, wrong_type

MOST = 16
LONGEST_KEY = 64
LONGEST_VALUE = 512


def read_metadata(given: object, where: str = "metadata") -> Mapping[str, str]:
    """The pairs of a decoded member; none for null. Raises `InvalidField`."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise wrong_type(where, "an object", type_of(given))
    if len(given) > MOST:
        raise InvalidField(
            f"Invalid '{where}': too many properties. Expected an object with at most {MOST} properties, but got an "
            f"object with {len(given)} properties instead.",
            param=where,
            kind="object_above_max_properties",
        )
    for key, value in given.items():
        _require_pair(key, value, where)
    return cast("Mapping[str, str]", given)


def _require_pair(key: str, value: object, where: str) -> None:
    path = f"{where}.{shown(key)}"
    if len(key) > LONGEST_KEY:
        raise InvalidField(
            f"Invalid property name in '{where}': '{shown(key)}' is too long. Expected a string with maximum length "
            f"{LONGEST_KEY}, but got a string with length {len(key)} instead.",
            param=path,
            kind="property_name_above_max_length",
        )
    if not isinstance(value, str):
        raise wrong_type(path, "a string", type_of(value))
    if len(value) > LONGEST_VALUE:
        raise too_long(path, LONGEST_VALUE, len(value))
    if not (storable(key) and storable(value)):
        raise InvalidField(f"Invalid '{path}': no U+0000 and no half of a surrogate pair can be kept.", param=path)

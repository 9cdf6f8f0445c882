"""A request that comes as `multipart/form-data`: its file, and its fields as members, so that they are read alike."""

import contextlib
from collections.abc import Collection
from typing import Any, Final

import msgspec

from forehearth.core.errors import InvalidField, MalformedBody
from forehearth.dialects.form_fields import MOST_PARTS
from forehearth.dialects.multipart import Multipart, Part, boundary
from forehearth.embedded.members import Members

LONGEST_FIELD: Final = 64 * 1024
FILE: Final = "file"


class Form(msgspec.Struct, frozen=True):
    """What a form says."""

    fields: Members
    """By name; those that end with `[]` are lists under the name without it, and what should be a number is one."""
    file: bytes | None


def read_form(content_type: bytes, body: bytes, numbers: Collection[str]) -> Form:
    """The form in `body`, in which `numbers` are fields that are numbers. Raises our errors."""
    parser = Multipart(boundary(content_type), most_parts=MOST_PARTS)
    parts: list[tuple[Part, bytearray]] = []
    for event in parser.feed(body):
        if isinstance(event, Part):
            parts.append((event, bytearray()))
        else:
            parts[-1][1].extend(event)
    parser.end()
    fields, file = dict[str, Any](), None
    for part, content in parts:
        name = part.name.removesuffix("[]")
        is_list = part.name != name
        if name in fields and not (is_list and isinstance(fields[name], list)):
            raise InvalidField(f"Invalid value for {name}: it is there twice.", param=name)
        if name == FILE and part.filename is not None:
            file = bytes(content)
        elif is_list:
            fields.setdefault(name, []).append(_value(name, content, ()))
        else:
            fields[name] = _value(name, content, numbers)
    return Form(Members(fields, ""), file)


def _value(name: str, content: bytearray, numbers: Collection[str]) -> str | float:
    if len(content) > LONGEST_FIELD:
        raise InvalidField(f"Invalid value for {name}: it is longer than {LONGEST_FIELD} bytes.", param=name)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The field {name} is not UTF-8.") from error
    if name in numbers:
        with contextlib.suppress(ValueError):
            return float(text)
    return text

"""Texts of an agent with places for values: `{{name}}`, as in Handlebars, whose blocks and helpers are not served."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from forehearth.core.errors import InvalidField, NotSupported

LONGEST: Final = 4 << 20
"""Characters of a text whose places are filled: a value can stand in many of them."""
_PLACE: Final = re.compile(r"\{\{\{\s*(?P<raw>[^\s{}#/^&!>]+)\s*\}\}\}|\{\{\s*(?P<name>[^\s{}#/^&!>]+)\s*\}\}")
_BLOCK: Final = re.compile(r"\{\{\{?[~]?\s*[#/^&!>]")


def filled(template: str, values: Mapping[str, object]) -> str:
    """The text with each value in its place. A value that is no text is written as JSON, and one that is None not.

    Places of no value in `values` stay as they are, so that a text without inputs may have braces. Nothing is escaped:
    what is filled in is read by a model, not by a browser. Raises `NotSupported` for a block, and `InvalidField` where
    the text would be too long.
    """
    if not values:
        return template
    if _BLOCK.search(template):
        message = "The agent's template has a block or a helper of Handlebars: only places such as {{name}} are served."
        raise NotSupported(message, param="structured_inputs")
    texts = {name: _text(value) for name, value in values.items()}
    pieces, total = list[str](), 0
    for piece in _pieces(template, texts):
        total += len(piece)
        if total > LONGEST:
            message = f"The agent's instructions would have more than {LONGEST} characters with these values."
            raise InvalidField(message, param="structured_inputs")
        pieces.append(piece)
    return "".join(pieces)


def _pieces(template: str, texts: Mapping[str, str]) -> Iterator[str]:
    at = 0
    for place in _PLACE.finditer(template):
        yield template[at : place.start()]
        yield texts.get(place["raw"] or place["name"], place[0])
        at = place.end()
    yield template[at:]


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

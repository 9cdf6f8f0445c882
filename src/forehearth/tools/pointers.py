"""References within an OpenAPI document: followed where they lead into it, refused where they lead out of it."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from forehearth.core.errors import InvalidField

Node = Mapping[str, Any]
_MOST_STEPS: Final = 16
_MOST_LOOKED_AT: Final = 100_000
"""Objects that are looked at for a document: operations may share a list of many references, each through others."""


class Pointers:
    """Looks up what a document's references lead to. `where` is the document's place in the caller's body."""

    def __init__(self, document: Node, where: str) -> None:
        self._document = document
        self._where = where
        self._left = _MOST_LOOKED_AT

    def follow(self, node: Any, place: str) -> Node:
        """The object that `node` is, or refers to, by way of other references too. Raises `InvalidField`."""
        for _ in range(_MOST_STEPS):
            self._spend(1, place)
            if not isinstance(node, Mapping):
                raise self.wrong(place, "it is not an object")
            if not isinstance(node.get("$ref"), str):
                return node
            place = node["$ref"]
            node = self.target(place)
        raise self.wrong(place, "it refers to itself")

    def target(self, reference: str) -> Any:
        """What a reference leads to. Raises `InvalidField`."""
        if not reference.startswith("#/"):
            raise self.wrong(reference[:200], "only references within the document are followed")
        found: Any = self._document
        steps = reference[2:].split("/")
        self._spend(len(steps), reference)
        for step in steps:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and len(name) < 6 and int(name) < len(found):  # noqa: PLR2004 - no list is longer
                found = found[int(name)]
            else:
                raise self.wrong(reference[:200], "there is nothing of that name")
        return found

    def _spend(self, looks: int, place: str) -> None:
        self._left -= looks
        if self._left < 0:
            raise self.wrong(place[:200], "its operations together have too many parameters and references")

    def wrong(self, place: str, why: str) -> InvalidField:
        """The error for a place of the document."""
        return InvalidField(f"'{self._where}' cannot be used at '{place}': {why}.", param=self._where)

"""References within an OpenAPI document: followed where they lead into it, refused where they lead out of it."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from forehearth.core.errors import InvalidField

Node = Mapping[str, Any]
_MOST_STEPS: Final = 16


class Pointers:
    """Looks up what a document's references lead to. `where` is the document's place in the caller's body."""

    def __init__(self, document: Node, where: str) -> None:
        self._document = document
        self._where = where

    def follow(self, node: Any, place: str) -> Node:
        """The object that `node` is, or refers to, by way of other references too. Raises `InvalidField`."""
        for _ in range(_MOST_STEPS):
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
        for step in reference[2:].split("/"):
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and len(name) < 6 and int(name) < len(found):  # noqa: PLR2004 - no list is longer
                found = found[int(name)]
            else:
                raise self.wrong(reference[:200], "there is nothing of that name")
        return found

    def wrong(self, place: str, why: str) -> InvalidField:
        """The error for a place of the document."""
        return InvalidField(f"'{self._where}' cannot be used at '{place}': {why}.", param=self._where)

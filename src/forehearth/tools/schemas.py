"""From the schemas of an OpenAPI document to the JSON Schema of a function's parameters.

What is referred to is put under `$defs` once, whoever refers to it and however often, so that cycles are kept as they
are and nothing grows beyond the document.
"""

from collections.abc import Mapping
from typing import Any, Final

from forehearth.tools.pointers import Node, Pointers

_DEEPEST: Final = 64
_MOST_NODES: Final = 50_000
"""Schemas that are looked at for all functions of a document together: what it costs is bounded by it."""
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_SINGLE: Final = frozenset({
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties",
})  # fmt: skip
_DROPPED: Final = frozenset({
    "discriminator", "xml", "externalDocs", "example", "examples", "nullable", "$id", "$anchor", "$schema",
    "$dynamicRef", "$dynamicAnchor",
})  # fmt: skip


class Budget:
    """How many more schemas of a document are looked at."""

    def __init__(self) -> None:
        self._left = _MOST_NODES

    def spend(self) -> bool:
        """Take one; whether there was one."""
        self._left -= 1
        return self._left >= 0


class Schemas:
    """Rewrites the schemas of one function; `definitions` collects what they refer to."""

    def __init__(self, pointers: Pointers, budget: Budget, *, old: bool) -> None:
        self._pointers = pointers
        self._old = old
        """Whether the document is of OpenAPI 3.0, whose schemas are not JSON Schema altogether."""
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Any] = {}
        self._budget = budget

    def rewritten(self, schema: Any, place: str, depth: int = 0) -> Any:
        """`schema` as JSON Schema 2020-12. Raises `InvalidField` for what leads out of the document or is endless."""
        if depth > _DEEPEST:
            raise self._pointers.wrong(place, "it is nested too deeply")
        if not self._budget.spend():
            raise self._pointers.wrong(place, "the schemas of all its operations together are too large")
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise self._pointers.wrong(place, "it is no schema")
        found: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword == "$ref" and isinstance(value, str):
                found["$ref"] = f"#/$defs/{self._defined(value, depth)}"
            elif keyword not in _DROPPED and not keyword.startswith("x-"):
                found[keyword] = self._within(keyword, value, f"{place}/{keyword}", depth + 1)
        return _renewed(found, schema) if self._old else found

    def _within(self, keyword: str, value: Any, place: str, depth: int) -> Any:
        if keyword in _SINGLE and isinstance(value, Mapping | bool):
            return self.rewritten(value, place, depth)
        if keyword in _LISTS and isinstance(value, list):
            return [self.rewritten(each, place, depth) for each in value]
        if keyword in _MAPS and isinstance(value, Mapping):
            return {name: self.rewritten(each, f"{place}/{name}", depth) for name, each in value.items()}
        return value

    def _defined(self, reference: str, depth: int) -> str:
        """The name under `$defs` of what a reference leads to, which is put there when it is first met."""
        name = self._names.get(reference)
        if name is None:
            last = "".join(letter if letter.isalnum() else "_" for letter in reference.rpartition("/")[2])
            name = last if last not in self.definitions else f"{last}_{len(self.definitions)}"
            self._names[reference] = name
            self.definitions[name] = True  # while it is rewritten: it may refer to itself
            self.definitions[name] = self.rewritten(self._pointers.target(reference), reference, depth + 1)
        return name


def _renewed(found: dict[str, Any], schema: Node) -> dict[str, Any]:
    """What OpenAPI 3.0 says otherwise than JSON Schema: `nullable`, and bounds that are exclusive by a flag."""
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        exclusive = found.get(flag)
        if isinstance(exclusive, bool):
            del found[flag]
            if exclusive and bound in found:
                found[flag] = found.pop(bound)
    if schema.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
        if isinstance(found.get("enum"), list) and None not in found["enum"]:
            found["enum"] = [*found["enum"], None]
    return found

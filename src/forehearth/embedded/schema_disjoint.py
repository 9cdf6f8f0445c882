"""Whether no value can be valid against two of several schemas: then `oneOf` means what `anyOf` does.

The proof is by type, by constants, or by a required member with other constants in each (a discriminator). What
cannot be proved so counts as overlapping.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence

from forehearth.embedded.schema_keywords import TYPES

Find = Callable[[str], tuple[object, int] | None]
"""Follows a `$ref`."""

_MOST_HOPS = 16


def are_disjoint(schemas: Sequence[object], find: Find) -> bool:
    """Whether each two of `schemas` provably exclude each other."""
    resolved = [_resolve(schema, find) for schema in schemas]
    return all(_exclude(a, b, find) for a, b in itertools.combinations(resolved, 2))


def _resolve(schema: object, find: Find) -> Mapping[str, object]:
    for _ in range(_MOST_HOPS):
        if not isinstance(schema, Mapping):
            return {}
        if isinstance(target := schema.get("$ref"), str) and "type" not in schema:
            found = find(target)
            schema = found[0] if found else {}
        elif isinstance(only := schema.get("allOf"), list) and len(only) == 1 and "type" not in schema:
            schema = only[0]
        else:
            return schema
    return {}


def _exclude(a: Mapping[str, object], b: Mapping[str, object], find: Find) -> bool:
    if _types(a).isdisjoint(_types(b)):
        return True
    constants, others = _constants(a), _constants(b)
    if constants is not None and others is not None:
        return constants.isdisjoint(others)
    if _types(a) != {"object"} or _types(b) != {"object"}:
        return False
    return any(_differs(_property(a, name, find), _property(b, name, find)) for name in _required(a) & _required(b))


def _differs(a: Mapping[str, object], b: Mapping[str, object]) -> bool:
    constants, others = _constants(a), _constants(b)
    return constants is not None and others is not None and constants.isdisjoint(others)


def _types(schema: Mapping[str, object]) -> set[str]:
    named = schema.get("type", list(TYPES))
    names = {name for name in (named if isinstance(named, list) else [named]) if isinstance(name, str)}
    return names | ({"integer"} if "number" in names else set())


def _constants(schema: Mapping[str, object]) -> set[str] | None:
    """The values that `const` or `enum` leaves, in one spelling each; None when there are others."""
    if "const" in schema:
        return {_spelling(schema["const"])}
    values = schema.get("enum")
    return {_spelling(value) for value in values} if isinstance(values, list) else None


def _spelling(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(_spelling(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(sorted(f'{json.dumps(name)}:{_spelling(item)}' for name, item in value.items()))}}}"
    is_whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if is_whole and isinstance(value, float) else value)


def _required(schema: Mapping[str, object]) -> set[str]:
    names = schema.get("required")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _property(schema: Mapping[str, object], name: str, find: Find) -> Mapping[str, object]:
    properties = schema.get("properties")
    return _resolve(properties.get(name), find) if isinstance(properties, Mapping) else {}

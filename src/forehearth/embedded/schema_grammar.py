"""A compiler from JSON Schema to a grammar: every text that the grammar matches is a value valid against the schema.

It is sound before it is complete. A keyword that it cannot keep is refused by name and place, never passed over; where
a schema leaves things open, the grammar may match less than the schema allows (see `schema_keywords.SUPPORTED`).
"""

import json
import math
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.embedded import json_grammar
from forehearth.embedded.gbnf import NEVER, LeftRecursionError, Node, Ref, Text, choice, render
from forehearth.embedded.schema_disjoint import are_disjoint
from forehearth.embedded.schema_keywords import (
    ANNOTATIONS,
    DIALECTS,
    SUPPORTED,
    TYPES,
    WITHOUT_PREFIX_ITEMS,
    WORDS_OF_TYPES,
)
from forehearth.embedded.schema_values import array_node, number_node, object_node, string_node

MOST_SCHEMAS: Final = 5_000
"""Schemas within one schema, references not followed."""
MOST_DEPTH: Final = 64
MOST_TEXT: Final = 400_000
"""Characters of the printed grammar."""

ANY_TYPE: Final = frozenset(TYPES)
_UNIONS: Final = ("anyOf", "oneOf", "allOf")
_ALONE: Final = ("$ref", "const", "enum", *_UNIONS)
_MAPS: Final = frozenset({"properties", "$defs", "definitions"})
_LISTS: Final = frozenset({"prefixItems", *_UNIONS})
_SINGLE: Final = frozenset({"items", "additionalProperties", "additionalItems"})


class SchemaGrammar:
    """Collects the rules of one or more schemas, and prints them as one grammar."""

    def __init__(self) -> None:
        self.rules: dict[str, Node] = dict(json_grammar.RULES)
        self._names: dict[Node, str] = {}
        self._schemas = 0

    def add(self, schema: object, path: str, allowed: frozenset[str] = ANY_TYPE) -> Node:
        """The node that matches the JSON texts of the `allowed` types that are valid against `schema`.

        `path` is where it stands in the request.

        Raises `InvalidField` for what is not a schema, and `NotSupported` for a keyword outside the subset.
        """
        return _Document(self, schema, path).compiled(allowed)

    def text(self, root: Node, path: str) -> str:
        """The grammar whose texts match `root`. `path` is named where there is none, or it is too large."""
        try:
            text = render({**self.rules, "start": root}, "start")
        except LeftRecursionError as error:
            message = f"{path} refers to itself with nothing in between: no value can be built from it."
            raise InvalidField(message, param=path) from error
        if text is None:
            raise InvalidField(f"{path} admits no value at all: nothing could be generated.", param=path)
        if len(text) > MOST_TEXT:
            message = f"{path} is too large: its grammar has {len(text)} characters, {MOST_TEXT} are the limit."
            raise NotSupported(message, param=path)
        return text

    def count(self, path: str) -> None:
        """Count one more schema, and refuse the one that is too many."""
        self._schemas += 1
        if self._schemas > MOST_SCHEMAS:
            raise NotSupported(f"{path} is one schema too many: {MOST_SCHEMAS} are the limit.", param=path)

    def rule(self, node: Node) -> Node:
        """`node` as a rule of its own, so that it can stand in several places and stays small."""
        if isinstance(node, Ref | Text) or node == NEVER:
            return node
        if node not in self._names:
            self._names[node] = name = f"n{len(self._names)}"
            self.rules[name] = node
        return Ref(self._names[node])


def compile_schema(schema: object, path: str) -> str:
    """The grammar of the JSON texts valid against `schema`; errors name `path` and what is below it."""
    grammar = SchemaGrammar()
    return grammar.text(grammar.add(schema, path), path)


def any_object() -> str:
    """The grammar of JSON objects."""
    return SchemaGrammar().text(json_grammar.OBJECT, "response_format")


class _Document:
    """One schema and the definitions within it."""

    def __init__(self, grammar: SchemaGrammar, root: object, path: str) -> None:
        self._grammar = grammar
        self._root = root
        self._path = path
        self._targets: dict[tuple[str, frozenset[str]], Ref] = {}
        self._dialect = ""

    def compiled(self, allowed: frozenset[str]) -> Node:
        if isinstance(self._root, Mapping) and "$schema" in self._root:
            dialect = self._root["$schema"]
            if not isinstance(dialect, str) or dialect.removesuffix("#") not in DIALECTS:
                raise _unsupported(self._path, "$schema", f"must be one of {', '.join(sorted(DIALECTS))}")
            self._dialect = dialect
        return self._value(self._root, self._path, allowed, 0)

    def _value(self, schema: object, path: str, allowed: frozenset[str], depth: int) -> Node:
        self._grammar.count(path)
        if depth > MOST_DEPTH:
            raise NotSupported(f"{path} is nested too deeply: {MOST_DEPTH} levels are the limit.", param=path)
        if schema is False:
            return NEVER
        if schema is True:
            schema = {}
        if not isinstance(schema, Mapping):
            raise InvalidField(f"{path} must be a JSON Schema: an object or a boolean.", param=path)
        allowed &= _types(schema, path)
        self._refuse_unknown(schema, path, allowed, depth)
        alone = [word for word in _ALONE if word in schema]
        node = (
            self._alone(alone[0], schema, path, allowed, depth) if alone else self._typed(schema, path, allowed, depth)
        )
        return self._grammar.rule(node)

    def _refuse_unknown(self, schema: Mapping[str, object], path: str, allowed: frozenset[str], depth: int) -> None:
        alone = next((word for word in _ALONE if word in schema), None)
        for word in schema:
            if word in ANNOTATIONS or word.startswith("x-") or word in {"type", "$defs", "definitions", alone}:
                if word in {"$id", "$schema"} and depth:
                    raise _unsupported(path, word, "is supported at the root only")
                continue
            if alone is not None:
                raise _unsupported(path, word, f"is not supported beside `{alone}`")
            owners = [name for name, words in WORDS_OF_TYPES.items() if word in words]
            if owners and not allowed.intersection(owners):
                continue
            if word not in SUPPORTED:
                raise _unsupported(path, word, "is not a supported keyword")
            if word == "prefixItems" and any(name in self._dialect for name in WITHOUT_PREFIX_ITEMS):
                raise _unsupported(path, word, "has no meaning in the dialect that `$schema` names; use `items`")

    def _typed(self, schema: Mapping[str, object], path: str, allowed: frozenset[str], depth: int) -> Node:
        """By type: each allowed one with the keywords that constrain it."""
        if "type" not in schema:
            named = {name for name, words in WORDS_OF_TYPES.items() if not words.isdisjoint(schema)}
            allowed &= named or ANY_TYPE

        def inner(sub: object, below: str) -> Node:
            return self._value(sub, f"{path}.{below}", ANY_TYPE, depth + 1)

        options: list[Node] = []
        if "object" in allowed:
            options.append(object_node(schema, path, inner, self._grammar))
        if "array" in allowed:
            options.append(array_node(schema, path, inner, self._grammar))
        if "string" in allowed:
            options.append(string_node(schema, path))
        if "integer" in allowed:
            options.append(number_node(schema, path, whole="number" not in allowed))
        options += [json_grammar.BOOLEAN] if "boolean" in allowed else []
        options += [json_grammar.NULL] if "null" in allowed else []
        return json_grammar.VALUE if _is_free(schema) and allowed == ANY_TYPE else choice(options)

    def _alone(self, word: str, schema: Mapping[str, object], path: str, allowed: frozenset[str], depth: int) -> Node:
        if word == "$ref":
            return self._reference(schema[word], path, allowed)
        if word == "const":
            return _literal(schema[word], f"{path}.const", allowed)
        members = schema[word]
        if not isinstance(members, list) or not members:
            raise InvalidField(f"{path}.{word} must be a list of at least one entry.", param=f"{path}.{word}")
        if word == "enum":
            return choice(_literal(member, f"{path}.enum[{at}]", allowed) for at, member in enumerate(members))
        if word == "allOf" and len(members) > 1:
            raise _unsupported(path, word, "is supported with one branch only")
        if word == "oneOf" and not are_disjoint(members, self._find):
            reason = "is supported only where no value can match two branches: give each branch another type, or a "
            raise _unsupported(path, word, reason + "required member whose `const` or `enum` differs (or use anyOf)")
        return choice(
            self._value(member, f"{path}.{word}[{at}]", allowed, depth + 1) for at, member in enumerate(members)
        )

    def _reference(self, target: object, path: str, allowed: frozenset[str]) -> Node:
        if not isinstance(target, str):
            raise InvalidField(f"{path}.$ref must be a string.", param=f"{path}.$ref")
        key = (target, allowed)
        if key not in self._targets:
            found = self._find(target)
            if found is None:
                raise _unsupported(path, "$ref", f"names {target!r}: only schemas within this document can be named")
            schema, depth = found
            name = f"t{len(self._grammar.rules)}"
            self._grammar.rules[name] = NEVER
            self._targets[key] = Ref(name)
            self._grammar.rules[name] = self._value(schema, f"{self._path}{_readable(target)}", allowed, depth)
        return self._targets[key]

    def _find(self, target: str) -> tuple[object, int] | None:
        """The schema that `target` points to, and how deep it lies; None when that is no place for a schema."""
        if target == "#":
            return self._root, 0
        if not target.startswith("#/"):
            return None
        steps = [unquote(step).replace("~1", "/").replace("~0", "~") for step in target[2:].split("/")]
        here: object = self._root
        depth = 0
        while steps:
            depth += 1
            word = steps.pop(0)
            here = here.get(word) if isinstance(here, Mapping) else None
            if word in _MAPS and steps:
                here = here.get(steps.pop(0)) if isinstance(here, Mapping) else None
            elif (word in _LISTS or (word == "items" and isinstance(here, list))) and steps:
                at = steps.pop(0)
                here = here[int(at)] if isinstance(here, list) and at.isdecimal() and int(at) < len(here) else None
            elif word not in _SINGLE:
                return None
        return (here, depth) if isinstance(here, Mapping | bool) else None


def _readable(target: str) -> str:
    return target[1:].replace("/", ".")


def _unsupported(path: str, word: str, reason: str) -> NotSupported:
    return NotSupported(f"{path}.{word} {reason}.", param=f"{path}.{word}")


def _is_free(schema: Mapping[str, object]) -> bool:
    return all(schema.keys().isdisjoint(words) for words in WORDS_OF_TYPES.values())


def _types(schema: Mapping[str, object], path: str) -> frozenset[str]:
    """The types that `type` allows. `number` brings `integer` with it."""
    if "type" not in schema:
        return ANY_TYPE
    named = schema["type"]
    names = named if isinstance(named, list) else [named]
    if not names or any(not isinstance(name, str) or name not in TYPES for name in names):
        message = f"{path}.type must be one or a list of {', '.join(TYPES)}."
        raise InvalidField(message, param=f"{path}.type")
    return frozenset(names) | (frozenset({"integer"}) if "number" in names else frozenset())


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if float(value).is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _literal(value: object, path: str, allowed: frozenset[str]) -> Node:
    """Exactly `value`, compact; `NEVER` when its type is not allowed."""
    try:
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidField(f"{path} must be a finite number.", param=path)
        if _type_of(value) not in allowed:
            return NEVER
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except (ValueError, OverflowError) as error:
        raise InvalidField(f"{path} cannot be written as JSON.", param=path) from error
    return Text(text)

"""A JSON Schema of answers as types: what checks an answer, and what its columns are in Arrow.

Taken is what has a column to go to: objects with named members, lists of one kind, text, numbers, truth values, choices
of words or whole numbers, and `null` beside any of these. What could not be checked or stored is refused by its place.
"""

import re
from collections.abc import Mapping
from types import GenericAlias
from typing import Annotated, Any, Final, Literal

import msgspec

from forehearth.config.nearest import suggestion
from forehearth.config.problems import Path, written
from forehearth.enrichment.arrow import pa

Typed = tuple[Any, Any]
"""What msgspec checks an answer by, and the type of a column with it."""

_ABOUT: Final = frozenset({"type", "title", "description", "examples", "enum", "const", "default", "$schema"})
_BOUNDS: Final = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt",
                  "multipleOf": "multiple_of"}  # fmt: skip
_LENGTHS: Final = {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}
_ITEMS: Final = {"minItems": "min_length", "maxItems": "max_length"}
_KEYWORDS: Final[Mapping[str, frozenset[str]]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", *_ITEMS}),
    "string": frozenset(_LENGTHS),
    "integer": frozenset(_BOUNDS),
    "number": frozenset(_BOUNDS),
    "boolean": frozenset(),
}
_LEAST, _MOST = -(2**63), 2**63 - 1
_WITH_NULL: Final = 2


class BadSchema(ValueError):
    """The schema says something that is not taken. `path` is where, within the schema."""

    def __init__(self, path: Path, message: str, hint: str = "") -> None:
        super().__init__(f"{written(path)}: {message}" if path else message)
        self.path = path
        self.message = message
        self.hint = hint


class Misfit(ValueError):
    """An answer does not fit. The message says where, in words that the model can be told."""


class AnswerSchema:
    """A schema, read once. Raises `BadSchema`."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        if schema.get("type") != "object":
            raise BadSchema((), "the answer has to be an object", "write type: object, and its columns in properties")
        try:
            answer, columns = _object(schema, ())
            self._decoder = msgspec.json.Decoder(answer)
        except RecursionError:
            raise BadSchema((), "the schema is nested too deeply") from None
        self.columns: Mapping[str, Any] = {
            columns.field(at).name: columns.field(at).type for at in range(columns.num_fields)
        }
        """The columns that an answer fills, and their types."""
        self.sent = closed(schema)
        """The schema as it is sent: objects have no other members than those named, and all of these."""
        self.is_strict = _is_strict(self.sent)
        """Whether hosts that hold a model to a schema word by word take it."""

    def read(self, text: str) -> dict[str, Any]:
        """The members of an answer by their names. Raises `Misfit`."""
        try:
            found: dict[str, Any] = msgspec.to_builtins(self._decoder.decode(text))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Misfit(" ".join(str(error).replace("`", "'").split())[:300]) from None
        return found


def closed(schema: Any) -> Any:
    """The same, with what is meant where an object does not say it: all members are there, and no others."""
    if isinstance(schema, Mapping):
        inner = {name: closed(value) for name, value in schema.items()}
        if _is_object(schema):
            inner.setdefault("additionalProperties", False)
            inner.setdefault("required", list(schema.get("properties", ())))
        return inner
    return [closed(each) for each in schema] if isinstance(schema, list) else schema


def _is_object(schema: Mapping[str, Any]) -> bool:
    """Whether it is a schema of objects, and not their `properties`, one of which may be called 'type'."""
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _is_strict(schema: Any) -> bool:
    """Whether it keeps OpenAI's rule: members all required, no others, and no lengths of texts."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    if _is_object(schema):
        whole = set(schema["required"]) == set(schema.get("properties", ()))
        if not whole or schema["additionalProperties"] is not False:
            return False
        return all(map(_is_strict, schema.get("properties", {}).values()))
    return "minLength" not in schema and "maxLength" not in schema and _is_strict(schema.get("items"))


def _typed(schema: Any, path: Path) -> Typed:
    if not isinstance(schema, Mapping):
        raise BadSchema(path, "expected a schema, a mapping with 'type' or 'enum'", "write {type: string}")
    kind, may_be_null = _kind(schema, path)
    typed, column = _choice(schema, path) if "enum" in schema or "const" in schema else _OF_KIND[kind](schema, path)
    return (typed | None if may_be_null else typed), column


def _kind(schema: Mapping[str, Any], path: Path) -> tuple[str, bool]:
    """The type that is named, and whether null is allowed beside it."""
    named = schema.get("type", "string" if "enum" in schema or "const" in schema else None)
    kinds = list(named) if isinstance(named, list) else [named]
    may_be_null = "null" in kinds and len(kinds) == _WITH_NULL
    if may_be_null:
        kinds.remove("null")
    if len(kinds) != 1 or str(kinds[0]) not in _KEYWORDS:
        hint = suggestion(str(kinds[0]), _KEYWORDS, "one of") if len(kinds) == 1 and kinds[0] else "add type: string"
        raise BadSchema((*path, "type"), "a column has one type, or one and null", hint)
    allowed = _KEYWORDS[kinds[0]] | _ABOUT
    for name in schema:
        if name not in allowed:
            hint = suggestion(name, allowed, "taken here are")
            raise BadSchema((*path, name), f"'{name}' is not taken for the type {kinds[0]}", hint)
    return kinds[0], may_be_null


def _object(schema: Mapping[str, Any], path: Path) -> tuple[Any, Any]:
    _kind(schema, path)
    members = schema.get("properties")
    if not isinstance(members, Mapping) or not members:
        raise BadSchema(
            (*path, "properties"), "an object needs named members", "write properties: {NAME: {type: string}}"
        )
    required = schema.get("required", list(members))
    if not isinstance(required, list) or not set(map(str, required)) <= set(members):
        raise BadSchema((*path, "required"), "expected a list of names that stand in properties")
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    columns = []
    for at, (name, member) in enumerate(members.items()):
        typed, column = _typed(member, (*path, "properties", name))
        fields.append((f"member{at}", typed) if name in required else (f"member{at}", typed | None, None))
        columns.append(pa.field(name, column))
    strict = schema.get("additionalProperties", False) is False
    answer = msgspec.defstruct(
        "Answer", fields, rename=dict(zip((each[0] for each in fields), members, strict=True)),
        forbid_unknown_fields=strict, kw_only=True,
    )  # fmt: skip
    return answer, pa.struct(columns)


def _array(schema: Mapping[str, Any], path: Path) -> Typed:
    if "items" not in schema:
        raise BadSchema(path, "a list needs items", "write items: {type: string}")
    typed, column = _typed(schema["items"], (*path, "items"))
    several: Any = GenericAlias(list, (typed,))
    return _bounded(several, schema, _ITEMS, path), pa.list_(column)


def _choice(schema: Mapping[str, Any], path: Path) -> Typed:
    words = schema.get("enum", [schema.get("const")])
    path = (*path, "enum" if "enum" in schema else "const")
    if isinstance(words, list) and "null" in schema.get("type", ()):
        words = [each for each in words if each is not None]  # `null` among the choices says what the type says
    if not isinstance(words, list) or not words:
        raise BadSchema(path, "expected a list of choices")
    for kind, column in ((str, pa.string()), (int, pa.int64())):
        if all(type(each) is kind for each in words):
            if kind is int and not all(_LEAST <= each <= _MOST for each in words):
                raise BadSchema(path, "whole numbers have 64 bits")
            return Literal[tuple(words)], column
    raise BadSchema(path, "choices are words, or whole numbers", "put words that look like numbers in quotes")


def _string(schema: Mapping[str, Any], path: Path) -> Typed:
    try:
        re.compile(str(schema.get("pattern", "")))
    except (re.error, OverflowError, RecursionError) as error:
        raise BadSchema((*path, "pattern"), f"this is no pattern: {error}") from None
    return _bounded(str, schema, _LENGTHS, path), pa.string()


def _integer(schema: Mapping[str, Any], path: Path) -> Typed:
    for name in _BOUNDS:
        value = schema.get(name, 0)
        if isinstance(value, float) or (isinstance(value, int) and not _LEAST <= value <= _MOST):
            raise BadSchema((*path, name), f"'{name}' of an integer is a whole number of 64 bits")
    least = {} if "exclusiveMinimum" in schema else {"minimum": _LEAST}
    most = {} if "exclusiveMaximum" in schema else {"maximum": _MOST}
    return _bounded(int, {**least, **most, **schema}, _BOUNDS, path), pa.int64()


def _number(schema: Mapping[str, Any], path: Path) -> Typed:
    return _bounded(float, schema, _BOUNDS, path), pa.float64()


def _boolean(_schema: Mapping[str, Any], _path: Path) -> Typed:
    return bool, pa.bool_()


def _bounded(kind: Any, schema: Mapping[str, Any], names: Mapping[str, str], path: Path) -> Any:
    """The type within the bounds that the schema has."""
    given = _given(schema, names, path)
    for least, most in (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")):
        if least in names and most in names and schema.get(least, 0) > schema.get(most, schema.get(least, 0)):
            raise BadSchema((*path, least), f"'{least}' is more than '{most}': nothing fits")
    for name, ours in names.items():  # each by itself, so that the one that is wrong is named
        if ours in given:
            try:
                msgspec.json.Decoder(Annotated[kind, msgspec.Meta(**{ours: given[ours]})])
            except (TypeError, ValueError, OverflowError, SystemError):
                raise BadSchema((*path, name), f"'{name}' cannot be {str(given[ours])[:40]}") from None
    try:
        return Annotated[kind, msgspec.Meta(**given)]
    except ValueError as error:
        message = " ".join(str(error).replace("`", "'").split())
        raise BadSchema(path, f"these bounds do not go together: {message}") from None


def _given(schema: Mapping[str, Any], names: Mapping[str, str], path: Path) -> dict[str, Any]:
    """The bounds that the schema has, by msgspec's names of them."""
    found = {}
    for name, ours in names.items():
        if name in schema:
            value = schema[name]
            good = isinstance(value, str) if name == "pattern" else isinstance(value, int | float)
            if not good or isinstance(value, bool):
                raise BadSchema((*path, name), f"'{name}' is {'a pattern' if name == 'pattern' else 'a number'}")
            found[ours] = value
    return found


_OF_KIND: Final = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}

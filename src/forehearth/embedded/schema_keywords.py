"""Which JSON Schema keywords constrained decoding understands, and how far: the tables the documentation prints."""

from collections.abc import Mapping
from typing import Final

from forehearth.embedded.formats import FORMATS

TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")

SUPPORTED: Final[Mapping[str, str]] = {
    "type": "a name or a list of names; without it, keywords of one type are read as naming that type",
    "properties": "written in the order given; optional ones may be left out",
    "required": "names outside `properties` take any value, or that of `additionalProperties`",
    "additionalProperties": "`false`, `true` or a schema; without it, an object with `properties` has no others",
    "minProperties": "where `required` already sees to it",
    "maxProperties": "where `properties` and `additionalProperties: false` already see to it",
    "items": "a schema, or a list of schemas (draft 7)",
    "prefixItems": "a list of schemas; without `items`, nothing follows them",
    "additionalItems": "beside a list in `items` (draft 7)",
    "minItems": "up to 1,000",
    "maxItems": "above 1,000 it is lowered to that",
    "uniqueItems": "`false` only",
    "enum": "any JSON values; beside it only `type`",
    "const": "any JSON value; beside it only `type`",
    "anyOf": "beside it only `type`",
    "oneOf": "where no value can match two branches: other types, or a required member with other constants",
    "allOf": "one branch",
    "$ref": "within the document, recursion included; beside it only `type`",
    "$defs": "the place for `$ref`",
    "definitions": "the place for `$ref`",
    "minLength": "up to 1,000 code points",
    "maxLength": "above 1,000 it is lowered to that",
    "format": ", ".join(FORMATS),
    "minimum": "up to 15 digits",
    "maximum": "up to 15 digits",
    "exclusiveMinimum": "a number, up to 15 digits",
    "exclusiveMaximum": "a number, up to 15 digits",
}
"""Keywords that the grammar keeps, with their limits. Any other is refused, unless it says nothing about the value."""

ANNOTATIONS: Final = frozenset(
    {
        "$comment",
        "$id",
        "$schema",
        "default",
        "deprecated",
        "description",
        "discriminator",
        "example",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    }
)
"""Keywords that say nothing about the value; so do those that start with `x-`."""

STRING_WORDS: Final = frozenset(
    {
        "minLength",
        "maxLength",
        "format",
        "pattern",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    }
)
NUMBER_WORDS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
ARRAY_WORDS: Final = frozenset(
    {
        "items",
        "prefixItems",
        "additionalItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "contains",
        "minContains",
        "maxContains",
        "unevaluatedItems",
    }
)
OBJECT_WORDS: Final = frozenset(
    {
        "properties",
        "required",
        "additionalProperties",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "propertyNames",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedProperties",
    }
)
WORDS_OF_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "string": STRING_WORDS,
    "number": NUMBER_WORDS,
    "integer": NUMBER_WORDS,
    "array": ARRAY_WORDS,
    "object": OBJECT_WORDS,
}
"""Keywords that constrain values of one type only; on others they say nothing, and are passed over."""

DIALECTS: Final = frozenset(
    {
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-07/schema",
        "http://json-schema.org/draft-06/schema",
    }
)
"""What `$schema` may say, with or without a final `#`."""

WITHOUT_PREFIX_ITEMS: Final = ("draft/2019-09", "draft-07", "draft-06")
"""Dialects to which `prefixItems` is a word without meaning."""
